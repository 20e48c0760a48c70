"""What a test does to a running process, be it a sidecar or a service."""

from typing import ClassVar

from omnify_local.processes import Process


class Controls:
    """Stops, kills, freezes and thaws `process`, which is None while nothing runs."""

    process: Process | None
    stop_timeout: ClassVar[float]

    def terminate(self, timeout: float | None = None) -> None:
        """Stop in order (SIGTERM): a service ends its requests, daprd drains and closes its components."""
        if self.process is not None:
            self.process.terminate(self.stop_timeout if timeout is None else timeout)
            self.process = None

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process = None

    def suspend(self) -> None:
        """Freeze it: connections stay open, nothing is answered."""
        assert self.process is not None
        self.process.suspend()

    def resume(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.resume()
