"""Cold starts of the functions: from the runtime's start to the first answer, against one that does nothing.

Each runs from its own bundle in its own environment with nothing but its locked requirements, on the runtime of its
cloud (functions-framework; AWS's runtime client), against a real sidecar.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2 as httpx

from omnify_functions.catalogue import FUNCTIONS
from omnify_local import bundles, paths, runfile
from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK, answers, free_port
from omnify_local.processes import Process
from omnify_shared import clock
from omnify_shared.ids import new_id
from omnify_shared.testing import Sidecar
from perf.measure import Row
from perf.run import Run
from support import cloud_events
from support.aws_lambda import Lambda

STARTS = 3
PATHS = {"signup": "/api/auth/register", "webhooks": f"/api/webhooks/in/stripe/{UUID(int=7)}"}
ANSWERS = (200, 202, 401)  # to a webhook of nobody a 401 is the service's whole answer
BARE = {
    "main.py": (
        "import functions_framework.aio\n\n"
        "@functions_framework.aio.http\nasync def bare(request):\n    return 'done'\n\n"
        "@functions_framework.aio.cloud_event\nasync def bare_event(event):\n    return None\n"
    ),
    "lambda_function.py": "def handler(event, context):\n    return {}\n",
}
Start = Callable[[], float]


def rows(run: Run) -> list[Row]:
    """A row per function and cloud: median seconds of STARTS cold starts, in turn with bare ones."""
    home = run.backing.home(run.folder / "functions", runfile.DEFAULT_SET)
    found = []
    for name, function in FUNCTIONS.items():
        with Sidecar(home, function.service) as sidecar:
            environment = {
                "DAPR_HTTP_ENDPOINT": f"http://{LOOPBACK}:{sidecar.ports.http}",
                "DAPR_GRPC_ENDPOINT": f"http://{LOOPBACK}:{sidecar.ports.grpc}",
                "OMNIFY_ENVIRONMENT": "test",
                "OMNIFY_LOG_LEVEL": "ERROR",
                **sidecar.tokens.environment,
            }
            for cloud in bundles.CLOUDS:
                found.append(_row(run.folder / "cold", name, cloud, environment))
    return found


def _row(folder: Path, name: str, cloud: str, environment: dict[str, str]) -> Row:
    target = bundles.bundle(paths.repository(), name, cloud, folder / f"{name}-{cloud}")
    python = _environment(target, ["awslambdaric"] if cloud == "aws" else [])
    bare = folder / f"bare-{cloud}"
    bare.mkdir(parents=True, exist_ok=True)
    entry = bundles.CLOUDS[cloud][0]
    (bare / entry).write_text(BARE[entry])
    start = _lambda_start if cloud == "aws" else _google_start
    ours, floor = start(python, target, name, environment), start(python, bare, name, environment, bare=True)
    ours(), floor()  # writes the compiled files, which a deployed package holds
    times = [(ours(), floor()) for _ in range(STARTS)]
    mine, bares = (statistics.median(column) for column in zip(*times, strict=True))
    return Row(f"cold start of {name} on {cloud} / one that does nothing", mine, bares, "s")


def _environment(target: Path, more: list[str]) -> Path:
    """The interpreter of a new environment with the locked requirements of a bundle, and what the cloud brings."""
    venv = target / ".venv"
    uv = [sys.executable, "-m", "uv"]
    lock = ["--constraint", str(paths.repository() / "requirements.txt")]
    _run([*uv, "venv", "--quiet", "--python", sys.executable, str(venv)])
    install = [*uv, "pip", "install", "--quiet", "-p", str(venv)]
    _run([*install, "--require-hashes", "-r", str(target / "requirements.txt")])
    if more:
        _run([*install, "--no-verify-hashes", *lock, *more])
    return venv / "bin" / "python"


def _run(command: list[str]) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise LocalError(f"{' '.join(command[:5])} failed: {answer.stderr.strip()[-500:]}")


def _request(name: str) -> dict[str, Any]:
    """A registration, or an event that the function has to handle."""
    number = time.time_ns()
    if name == "signup":
        person = {"full_name": "Ada Lovelace", "organization_name": "Engines", "password": "a long enough phrase"}
        return person | {"email": f"ada.{number}@example.com"}
    if FUNCTIONS[name].operations:
        return {"any": "content"}
    about = {
        "mail": ("auth", "omnify.auth.user.registered.v1", {"verification_id": f"v{number}", "user_id": "u1"}),
        "files": (
            "files",
            "omnify.files.file.uploaded.v1",
            {"file_id": f"f{number}", "purpose": "logo", "kind": "a"},
        ),
    }
    source, kind, data = about[name]
    return {
        "specversion": "1.0", "id": new_id(), "source": source, "type": kind, "subject": "s1", "sequence": "1",
        "time": clock.now().isoformat(), "data": {"organization_id": "o1", "size": 1, **data},
    }  # fmt: skip


def _lambda_start(python: Path, folder: Path, name: str, environment: dict[str, str], *, bare: bool = False) -> Start:
    door = bool(FUNCTIONS[name].operations)

    def start() -> float:
        content = _request(name)
        event = cloud_events.api_gateway("POST", PATHS[name], content) if door else cloud_events.sqs(content)
        function = Lambda(
            folder, "lambda_function.handler", folder.parent / "lambda.log", environment, python=str(python)
        )
        started = time.perf_counter()
        answer = function.invoke(event)
        taken = time.perf_counter() - started
        function.stop()
        _expect(bare or answer.get("statusCode") in ANSWERS or answer == {"batchItemFailures": []}, answer)
        return taken

    return start


def _google_start(python: Path, folder: Path, name: str, environment: dict[str, str], *, bare: bool = False) -> Start:
    door = bool(FUNCTIONS[name].operations)
    target = name if not bare else "bare" if door else "bare_event"
    kind = "http" if door else "cloudevent"

    def start() -> float:
        content, port, path = _request(name), free_port(), PATHS.get(name, "/")
        headers, body = ({}, content) if door else cloud_events.pubsub(content)
        options = [f"--target={target}", f"--signature-type={kind}", f"--host={LOOPBACK}", f"--port={port}"]
        command = [str(python), "-m", "functions_framework", f"--source={folder / 'main.py'}", *options]
        started = time.perf_counter()
        process = Process(target, command, log=folder.parent / "google.log", cwd=folder, env=environment)
        try:
            process.wait_until(lambda: answers(port), timeout=120)
            answer = httpx.post(
                f"http://{LOOPBACK}:{port}{path}", content=json.dumps(body).encode(), timeout=60,
                headers={"content-type": "application/json", **headers}, verify=False,
            )  # fmt: skip
            taken = time.perf_counter() - started
        finally:
            process.kill()
        _expect(answer.status_code in ANSWERS, answer.text)
        return taken

    return start


def _expect(holds: bool, answer: object) -> None:
    if not holds:
        raise LocalError(f"a function failed: {str(answer)[:300]}")
