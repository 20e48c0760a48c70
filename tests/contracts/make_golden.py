"""Writes golden files of the release to come, when something is stored or sent that none shows yet (`make golden`):
runs the platform on the set `local` and keeps what lies in its store. Released ones stay as they are."""

import asyncio
import json
import logging
import shutil
import sys
import tempfile
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
from support.recorder import TOPICS, Recorder

WATCHER = ExtraApp("golden", subscribes=TOPICS)


def main() -> int:
    """0 when every form and event has its golden file."""
    loaded = services.load(paths.repository())
    logging.disable(logging.INFO)
    if not list(golden.problems(kept.GOLDEN, loaded)):
        print("golden: nothing is missing")
        return 0
    target = _target(files.released_golden(paths.repository() / files.FOLDER))
    with tempfile.TemporaryDirectory(prefix="omnify-golden-") as folder:
        backing = Backing(Path(folder) / "servers")
        try:
            _collect(backing, Path(folder) / "home", loaded, target)
        finally:
            backing.stop()
    print(f"wrote {len(list(target.rglob('*.json')))} files below {target.relative_to(paths.repository())}")
    left = list(golden.problems(kept.GOLDEN, loaded))
    print("\n".join(left), file=sys.stderr, end="\n" if left else "")
    return 1 if left else 0


def _target(released: dict[str, str]) -> Path:
    """The folder of the release to come, empty: the first that is not released."""
    taken = {int(name.partition("/")[0]) for name in released}
    target = kept.GOLDEN / str(max(taken, default=0) + 1)
    shutil.rmtree(target, ignore_errors=True)
    return target


def _collect(backing: Backing, folder: Path, loaded: list[Service], target: Path) -> None:
    home = backing.home(folder, "local", [WATCHER])
    kept.give_secrets(home)
    platform = Platform(home, backing.mailbox, LIVES_LONG | backing.scanner)
    with Recorder(home, WATCHER.app_id) as recorder:
        try:
            platform.start(timeout=240)
            people = People(platform, backing)
            people.live()
            asyncio.run(people.leave_traces())
            people.lose_the_broker()
        finally:
            platform.stop()
    _write_state(platform, loaded, target)
    for event in (event for service in loaded for event in service.produces):
        topic = event.event_type.split(".")[1]
        _write(target / topic / "events" / f"{event.event_type}.json", recorder.first(event.event_type))
    _write(target / kept.CLIENT, people.known)


def _write_state(platform: Platform, loaded: list[Service], target: Path) -> None:
    apps = [service for service in loaded if service.stores]
    rows = {app.name: dict(kept.rows(platform.home, app.name)) for app in apps}
    for (owner, name), form in state.forms(loaded).items():
        found = {
            f"{app.name}{kept.SEPARATOR}{key}": _document(data)
            for app in apps
            for key, data in rows[app.name].items()
            if app.app.state.platform.state.forms.of(key) == form
        }
        _write(target / owner / "state" / f"{name}.v{state.document(form)['writes']}.json", found)


def _document(data: bytes) -> Any:
    document = json.loads(data)
    assert kept.compact(document) == data, f"not laid out again as it was: {data[:200]!r}"
    return document


def _write(path: Path, content: Any) -> None:
    if content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
