"""The contract files: what they should hold, what they hold, and the difference in words."""

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from omnify_local.contracts import api_breaks, breaks, events, golden, problems, routes, state, tokens
from omnify_local.contracts.services import Service

FOLDER = Path("docs") / "contracts"
RELEASED = "released"
TOPICS = "asyncapi.json"
README = "README.md"
_MAX_DIFF = 60  # lines per file


def generated(services: Iterable[Service]) -> dict[str, str]:
    """Every contract file by its path below `docs/contracts`. The same code makes the same bytes."""
    services = list(services)
    files = {TOPICS: text_of(events.asyncapi(services)), "permissions.md": routes.permissions(services)}
    files |= {"problems.md": problems.table(services), "access-token.schema.json": text_of(tokens.schema())}
    for service in services:
        files[f"openapi/{service.name}.json"] = text_of(routes.public_document(service.app))
        if internal := routes.internal_document(service.app):
            files[f"openapi/{service.name}.internal.json"] = text_of(internal)
        for event in service.produces:
            files[f"events/{events.file_of(event.event_type)}"] = text_of(events.event_schema(event))
    for (owner, name), form in state.forms(services).items():
        files[f"state/{owner}/{name}.json"] = text_of(state.document(form))
    return files


def text_of(document: Any) -> str:
    """A document as its file holds it."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def stored(folder: Path) -> dict[str, str]:
    """The made files that lie in a contracts folder: neither the released ones nor the README."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in found}
    made = {name: path for name, path in names.items() if not name.startswith(f"{RELEASED}/") and name != README}
    return {name: path.read_text() for name, path in made.items()}


def promises(files: Mapping[str, str]) -> dict[str, str]:
    """Those of the files that are kept as released: what others build on."""
    return {name: text for name, text in files.items() if "/" in name or name == TOPICS}


def released_golden(folder: Path) -> dict[str, str]:
    """Digests of the golden files that were released, by path."""
    path = folder / RELEASED / golden.MANIFEST
    digests: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return digests


def write(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Makes `folder` hold exactly `files`, and says what changed."""
    present, changed = stored(folder), []
    for name in sorted(present.keys() - files.keys()):
        (folder / name).unlink()
        changed.append(f"removed {name}")
    for name, text in sorted(files.items()):
        if present.get(name) != text:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            changed.append(f"wrote {name}")
    return changed


def drift(folder: Path, files: Mapping[str, str]) -> list[str]:
    """A readable difference between the stored files and those that the code makes; empty when there is none."""
    present, lines = stored(folder), []
    for name in sorted(present.keys() | files.keys()):
        before, after = present.get(name, ""), files.get(name, "")
        if before == after:
            continue
        old, new = f"stored {name}", f"made from the code {name}"
        diff = list(difflib.unified_diff(before.splitlines(), after.splitlines(), old, new, lineterm="", n=2))
        lines += diff[:_MAX_DIFF]
        if len(diff) > _MAX_DIFF:
            lines.append(f"… and {len(diff) - _MAX_DIFF} lines more")
    return lines


def broken(folder: Path, files: Mapping[str, str], services: Iterable[Service]) -> list[str]:
    """Whom the contracts of now break, against the released ones and among the services themselves."""
    released = stored(folder / RELEASED)
    promised = _events(released)
    found = list(breaks.of_events(promised, _events(files)))
    found += breaks.of_topics(*(json.loads(one.get(TOPICS, "{}")) for one in (released, files)))
    for name, text in released.items():
        if name.startswith("openapi/"):
            service = name.removeprefix("openapi/").removesuffix(".json")
            found += api_breaks.of_api(service, json.loads(text), json.loads(files.get(name, "{}")))
        if name.startswith("state/"):
            form = name.removeprefix("state/").removesuffix(".json")
            found += state.of_state(form, json.loads(text), json.loads(files[name]) if name in files else None)
    return found + list(breaks.of_readers(services, promised))


def _events(files: Mapping[str, str]) -> dict[str, Any]:
    documents = [json.loads(text) for name, text in files.items() if name.startswith("events/")]
    return {document["properties"]["type"]["const"]: document for document in documents}
