"""AWS Lambda on this machine: its Runtime API here, and AWS's own runtime client (awslambdaric) as a process.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. Strict: an answer to anything but the invocation in hand
is refused.
"""

import json
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any
from uuid import uuid4

from omnify_local.ports import LOOPBACK
from omnify_local.processes import Process, tail
from omnify_shared.testing.controls import Controls

ARN = "arn:aws:lambda:eu-central-1:000000000000:function:omnify"
_VERSION = "/2018-06-01/runtime/"


class InvocationFailed(Exception):
    """The function raised, could not be initialised, or its process ended. The text is what was reported."""


class _Api(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.asked: Queue[tuple[str, Any]] = Queue()
        self.answered: Queue[tuple[str, Any]] = Queue()
        self.in_hand: str | None = None

    def handle_error(self, *_: object) -> None:
        """A process that was killed while it asked for work is nothing to tell of."""


class _Handler(BaseHTTPRequestHandler):
    server: _Api
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path != f"{_VERSION}invocation/next":
            return self._say(404, {})
        while True:
            try:
                request_id, event = self.server.asked.get(timeout=0.2)
                break
            except Empty:
                if self.server.in_hand == "closed":
                    return None
        self.server.in_hand = request_id
        deadline = str(int((time.time() + 60) * 1000))
        headers = {"Lambda-Runtime-Aws-Request-Id": request_id, "Lambda-Runtime-Deadline-Ms": deadline}
        return self._say(200, event, headers | {"Lambda-Runtime-Invoked-Function-Arn": ARN})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"null")
        if self.path == f"{_VERSION}init/error":
            self.server.answered.put(("init error", body))
            return self._say(202, {"status": "OK"})
        kind = self.path.rpartition("/")[2]
        if self.path != f"{_VERSION}invocation/{self.server.in_hand}/{kind}" or kind not in ("response", "error"):
            return self._say(400, {"errorType": "InvalidRequestID"})
        self.server.in_hand = None
        self.server.answered.put((kind, body))
        return self._say(202, {"status": "OK"})

    def _say(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


class Lambda(Controls):
    """One function: `folder` holds the code, `handler` is `module.name`. The process starts at the first invocation."""

    stop_timeout = 5.0

    def __init__(
        self, folder: Path, handler: str, log: Path, environment: Mapping[str, str], python: str = sys.executable
    ) -> None:
        self._python = python
        self._folder, self._handler, self.log = folder, handler, log
        self.environment = dict(environment)
        self.process: Process | None = None
        self._api: _Api | None = None

    def invoke(self, event: Any, timeout: float = 120) -> Any:
        """What the function answers. Raises InvocationFailed."""
        if self.process is None or not self.process.running:
            self._start()
        assert self.process is not None
        assert self._api is not None
        self._api.asked.put((str(uuid4()), event))
        deadline = time.monotonic() + timeout
        while True:
            try:
                kind, content = self._api.answered.get(timeout=0.05)
                break
            except Empty:
                if not self.process.running:
                    raise InvocationFailed(f"Runtime exited; its log ends:\n{tail(self.log)}") from None
                if time.monotonic() > deadline:
                    self.kill()
                    raise InvocationFailed(f"Task timed out; its log ends:\n{tail(self.log)}") from None
        if kind != "response":
            raise InvocationFailed(f"{content.get('errorType')}: {content.get('errorMessage')}")
        return content

    def _start(self) -> None:
        self._close_api()
        self._api = _Api()  # one per process, so that no thread still waits for one that has died
        Thread(target=self._api.serve_forever, daemon=True).start()
        environment = {
            "AWS_LAMBDA_RUNTIME_API": f"{LOOPBACK}:{self._api.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "omnify",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "LAMBDA_TASK_ROOT": str(self._folder),
            **self.environment,
        }
        command = [self._python, "-m", "awslambdaric", self._handler]
        self.process = Process("lambda", command, log=self.log, cwd=self._folder, env=environment)

    def stop(self) -> None:
        """The process and the API."""
        self.kill()
        self._close_api()

    def _close_api(self) -> None:
        if self._api is not None:
            self._api.in_hand = "closed"
            self._api.shutdown()
            self._api.server_close()
            self._api = None
