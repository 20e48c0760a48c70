"""What the servers have in common."""

from pathlib import Path

from omnify_local.processes import Process


class Server:
    """A backing server on loopback. Its data lies in `folder` and survives `stop()` and `start()`."""

    name: str
    start_timeout: float = 60

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port
        self.process: Process | None = None

    @property
    def log(self) -> Path:
        """Log over all starts."""
        return self.folder / f"{self.name.lower()}.log"

    def start(self) -> None:
        """Start and wait until it answers; LocalError with the reason otherwise."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start without waiting."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        self.process = Process(self.name, self.command(), log=self.log, cwd=self.folder, env=self.environment())

    def wait(self) -> None:
        """Wait until it answers; it is killed when it does not in time."""
        assert self.process is not None  # noqa: S101 - launched
        try:
            self.process.wait_until(self.ready, timeout=self.start_timeout)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop it in order; its data stays."""
        if self.process is not None:
            self.process.terminate(30)
            self.process = None

    def kill(self) -> None:
        """End it at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process = None

    def prepare(self) -> None:
        """Fetch programs and write files; called before each start."""

    def command(self) -> list[str]:
        """Program and arguments."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Added to our environment."""
        return {}

    def ready(self) -> bool:
        """True when the server answers."""
        raise NotImplementedError
