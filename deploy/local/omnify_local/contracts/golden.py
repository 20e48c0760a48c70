"""Golden files: documents and events kept as a release wrote them. Each form and event has one, and today's code reads
it; the released ones are never written again (`released/golden.json` has their digests)."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from omnify_local.contracts import state
from omnify_local.contracts.services import Service
from omnify_shared.envelope import Codec, UnreadableDocument
from omnify_shared.events import CloudEvent, EventData
from omnify_shared.forms import Form

FOLDER = Path("tests") / "contracts" / "golden"
MANIFEST = "golden.json"
ADVICE = "run `make golden` and commit tests/contracts/golden"
Documents = Mapping[str, Any]


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every golden file, by its path below the folder."""
    found = sorted(path for path in folder.rglob("*.json"))
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def releases(folder: Path) -> list[Path]:
    """One folder per release that changed what is stored or sent, oldest first: `1`, `2`, …"""
    return sorted((path for path in folder.glob("*") if path.name.isdecimal()), key=lambda path: int(path.name))


def released_folder(folder: Path, released: Mapping[str, str]) -> Path:
    """The golden files of the released version. Raises LookupError before the first release."""
    names = {name.partition("/")[0] for name in released}
    found = [path for path in releases(folder) if path.name in names]
    if not found:
        raise LookupError("no golden files are released")
    return found[-1]


def rewritten(folder: Path, released: Mapping[str, str]) -> Iterator[str]:
    """Released golden files that are gone or are others now."""
    present = digests(folder)
    for name, digest in released.items():
        if present.get(name) != digest:
            yield f"golden {name}: a released golden file is never rewritten; take it back from the release"


def problems(folder: Path, services: Iterable[Service]) -> Iterator[str]:
    """Forms and events without a golden file that shows them as they are written now, and files that can't be read."""
    services = list(services)
    for (owner, name), form in state.forms(services).items():
        kept = _read(folder, f"{owner}/state/{name}.v*.json")
        for place, documents in kept.items():
            yield from _unreadable(place, form, documents)
        if not any(shows(form, documents) for documents in kept.values()):
            yield f"golden {owner}/{name}: none shows how it is written now; {ADVICE}"
    readers = [reader for service in services for reader in service.handles]
    for service in services:
        for event in service.produces:
            kept = _read(folder, f"{service.name}/events/{event.event_type}.json")
            yield from _event(kept, event, [one for one in readers if one.event_type == event.event_type])


def _read(folder: Path, pattern: str) -> dict[str, Any]:
    """What the golden files of a form or event hold, release by release."""
    found = [path for release in releases(folder) for path in sorted(release.glob(pattern))]
    return {f"golden {path.relative_to(folder).as_posix()}": json.loads(path.read_text()) for path in found}


def shows(form: Form, documents: Documents) -> bool:
    """Whether these documents have exactly the fields that are written now."""
    made = state.document(form)
    validator = Draft202012Validator(_closed(made["written"]))
    version = {"v": made["writes"]} if form.enveloped else {}
    return bool(documents) and all(
        version.items() <= (one.items() if form.enveloped else {}.items())
        and validator.is_valid(one["d"] if form.enveloped else one)
        for one in documents.values()
    )


def _unreadable(place: str, form: Form, documents: Documents) -> Iterator[str]:
    codec = Codec(form.type) if form.enveloped else None
    for key, document in documents.items():
        try:
            if codec:
                codec.decode(json.dumps(document).encode())
            else:
                TypeAdapter(form.type).validate_python(document)
        except (UnreadableDocument, ValidationError) as error:
            yield f"{place}: {key} can't be read any more: {error}"


def _event(kept: Documents, event: type[EventData], readers: Iterable[type[EventData]]) -> Iterator[str]:
    written = event.model_json_schema(mode="serialization", schema_generator=state.Whole)
    sent = Draft202012Validator(_closed(written))
    if not any(sent.is_valid(one["data"]) for one in kept.values()):
        yield f"golden {event.event_type}: none shows how it is sent now; {ADVICE}"
    for place, one in kept.items():
        for reader in (event, *readers):
            try:
                CloudEvent[reader].model_validate(one, extra="ignore")  # type: ignore[valid-type]
            except ValidationError as error:
                yield f"{place}: can't be read any more: {error}"


def _closed(node: Any) -> Any:
    """The schema with only the fields that it names."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    inner = {key: _closed(value) for key, value in node.items()}
    return inner | ({"additionalProperties": False} if "properties" in inner and "type" in inner else {})
