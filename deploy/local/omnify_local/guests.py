"""`make app APP=… PORT=… TOPICS=…`: a sidecar for an app of yours, beside the platform that `make up` runs here."""

import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2 as httpx
import yaml

from omnify_local import admission, paths, secrets
from omnify_local.admission import Guest
from omnify_local.daprd import Daprd, Tokens
from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK, free_port
from omnify_local.processes import Process

_MAX_BODY_MIB = 64  # as that of the services that take files
_NAME = re.compile(r"[a-z][a-z0-9-]{1,40}")


def run(app_id: str, port: int | None, topics: Sequence[str]) -> None:
    """Run the sidecar until Ctrl-C. LocalError when the app can't be let in or the sidecar ends."""
    root = paths.repository()
    daprd = prepare(root, app_id, port, topics)
    folder = _folder(root, app_id)
    log = folder / "daprd.log"
    log.unlink(missing_ok=True)
    process = Process(
        f"the sidecar of {app_id}", daprd.command(), log=log, cwd=root, env=daprd.environment(tokens(root))
    )
    try:
        process.wait_until(lambda: answers(daprd), timeout=60)
        print(_welcome(daprd, folder), flush=True)
        _until_stopped(process)
    finally:
        process.terminate()


def prepare(root: Path, app_id: str, port: int | None, topics: Sequence[str]) -> Daprd:
    """Let the app into a copy of the running platform's set, and write its environment. Raises LocalError."""
    report = _running(root)
    if not _NAME.fullmatch(app_id) or app_id in report["apps"]:
        raise LocalError(f"APP={app_id}: a new name of small letters, digits and hyphens is needed")
    if topics and port is None:
        raise LocalError("PORT is missing: where does your app listen for the events of TOPICS?")
    source = root / "components" / report["set"]
    if unknown := sorted(set(topics) - set(_topics(source))):
        raise LocalError(f"there is no topic {', '.join(unknown)}; there are: {', '.join(_topics(source))}")
    folder = _folder(root, app_id)
    shutil.rmtree(folder / "components", ignore_errors=True)
    shutil.copytree(source, folder / "components")
    admission.admit(folder / "components", Guest.consumer(app_id, topics))
    http, grpc, internal, metrics = (free_port() for _ in range(4))
    daprd = Daprd(
        app_id, http, grpc, internal, metrics, folder / "components", app_port=port, max_body_mib=_MAX_BODY_MIB
    )
    _write_environment(root, daprd)
    return daprd


def answers(daprd: Daprd) -> bool:
    """True when the sidecar's APIs and components are up."""
    try:
        return httpx.get(f"http://{LOOPBACK}:{daprd.http}/v1.0/healthz/outbound", timeout=2).is_success
    except httpx.HTTPError:
        return False


def _running(root: Path) -> dict[str, Any]:
    file = root / ".omnify" / "run.json"
    if not file.exists():
        raise LocalError("no running platform: start one with `make up` in another terminal")
    report: dict[str, Any] = json.loads(file.read_text())
    if report["profile"] != "plain":
        raise LocalError("the locked-down profile lets in only who is on its lists: see docs/use-from-your-app.md")
    return report


def _topics(components: Path) -> list[str]:
    """Topics that the set has for events."""
    documents = yaml.safe_load_all((components / "pubsub.yaml").read_text())
    [pubsub] = [one for one in documents if one["metadata"]["name"] == "pubsub"]
    fields = {item["name"]: item.get("value") for item in pubsub["spec"]["metadata"]}
    return [topic for topic in fields["protectedTopics"].split(",") if topic.endswith("-events")]


def _folder(root: Path, app_id: str) -> Path:
    return root / ".omnify" / "apps" / app_id


def tokens(root: Path) -> Tokens:
    """Those of the running platform, which the app and its sidecar share."""
    found = secrets.read(root, secrets.TOKENS)
    return Tokens(found["dapr-api-token"], found["app-api-token"])


def _write_environment(root: Path, daprd: Daprd) -> None:
    """What the app needs in its environment, in a file that its owner alone reads."""
    values = {
        "APP_ID": daprd.app_id,
        "APP_PORT": "" if daprd.app_port is None else str(daprd.app_port),
        "DAPR_HTTP_PORT": str(daprd.http),
        "DAPR_GRPC_PORT": str(daprd.grpc),
        "OMNIFY_CONTRACTS": str(root / "docs" / "contracts"),
        **tokens(root).environment,
    }
    path = _folder(root, daprd.app_id) / "env"
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())


def _welcome(daprd: Daprd, folder: Path) -> str:
    waits = f" and delivers to port {daprd.app_port}" if daprd.app_port else ""
    return (
        f"\nThe sidecar of {daprd.app_id} listens on port {daprd.http}{waits}. Ctrl-C stops it.\n"
        f"Your app's environment, in its own terminal:  set -a; . {folder / 'env'}; set +a\n"
    )


def _until_stopped(process: Process) -> None:
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stopped.set())
    while not stopped.wait(0.5):
        if not process.running:
            raise LocalError(f"{process.name} has ended; its log is {process.log}")
