"""Writes the golden files that are missing (`make golden`): runs the platform on the set `local` and keeps what lies in
its store. Released ones stay as they are, and what they hold is in the store before the platform starts."""

import asyncio
import json
import logging
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from omnify_local import paths
from omnify_local.contracts import files, golden, services, state
from omnify_local.contracts.services import Service
from omnify_shared.testing import ExtraApp, Platform
from omnify_shared.testing.backing import Backing
from support import golden as kept
from support.people import LIVES_LONG, People
from support.recorder import Recorder

WATCHER = ExtraApp("golden", subscribes=("auth-events", "analytics-events"))


def main() -> int:
    """0 when every form and event has its golden file."""
    loaded = services.load(paths.repository())
    logging.disable(logging.INFO)
    before = golden.digests(kept.GOLDEN)
    missing = list(golden.problems(kept.GOLDEN, loaded))
    if not missing:
        print("golden: nothing is missing")
        return 0
    released = files.released_golden(paths.repository() / files.FOLDER)
    with tempfile.TemporaryDirectory(prefix="omnify-golden-") as folder:
        backing = Backing(Path(folder) / "servers")
        try:
            _collect(backing, Path(folder) / "home", loaded, released)
        finally:
            backing.stop()
    after = golden.digests(kept.GOLDEN)
    print("\n".join(f"wrote {name}" for name in after if after[name] != before.get(name)))
    left = list(golden.problems(kept.GOLDEN, loaded))
    print("\n".join(left), file=sys.stderr)
    return 1 if left else 0


def _collect(backing: Backing, folder: Path, loaded: list[Service], released: dict[str, str]) -> None:
    home = backing.home(folder, "local", [WATCHER])
    kept.give_secrets(home)
    platform = Platform(home, backing.mailbox, LIVES_LONG)
    with Recorder(home, WATCHER.app_id) as recorder:
        try:
            platform.start()
            people = People(platform, backing)
            people.live()
            asyncio.run(people.leave_traces())
            people.lose_the_broker()
        finally:
            platform.stop()
    _write_state(platform, loaded, released)
    _write_events(recorder, loaded, released)
    if "client.json" not in released:
        kept.CLIENT.write_text(_text(people.known))


def _write_state(platform: Platform, loaded: list[Service], released: dict[str, str]) -> None:
    apps = [service for service in loaded if service.stores]
    rows = {app.name: dict(kept.rows(platform.home, app.name)) for app in apps}
    for (owner, name), form in state.forms(loaded).items():
        found = {
            f"{app.name}{kept.SEPARATOR}{key}": _document(data)
            for app in apps
            for key, data in rows[app.name].items()
            if app.app.state.platform.state.forms.of(key) == form
        }
        if not any(golden.shows(form, json.loads(path.read_text())) for path in _versions(owner, name, released)):
            _write(_free(kept.GOLDEN / owner / "state", f"{name}.v{state.document(form)['writes']}", released), found)


def _versions(owner: str, name: str, released: dict[str, str]) -> Iterator[Path]:
    """Released golden files of a form."""
    for path in (kept.GOLDEN / owner / "state").glob(f"{name}.v*.json"):
        if path.relative_to(kept.GOLDEN).as_posix() in released:
            yield path


def _free(folder: Path, name: str, released: dict[str, str]) -> Path:
    """The file to write: a released one is left alone, so a changed form within a version gets the next number."""
    names = [f"{name}.json", *(f"{name}.{number}.json" for number in range(2, 100))]
    paths_ = [folder / one for one in names]
    return next(path for path in paths_ if path.relative_to(kept.GOLDEN).as_posix() not in released)


def _write_events(recorder: Recorder, loaded: list[Service], released: dict[str, str]) -> None:
    for service in loaded:
        for event in service.produces:
            path = kept.GOLDEN / service.name / "events" / f"{event.event_type}.json"
            if path.relative_to(kept.GOLDEN).as_posix() not in released:
                _write(path, recorder.first(event.event_type))


def _document(data: bytes) -> Any:
    document = json.loads(data)
    assert kept.compact(document) == data, f"not laid out again as it was: {data[:200]!r}"
    return document


def _write(path: Path, content: Any) -> None:
    if content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(content))


def _text(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    started = time.monotonic()
    status = main()
    print(f"golden: {time.monotonic() - started:.0f} s")
    sys.exit(status)
