"""What the parts of one benchmark run share: servers, and one platform per set, started when a part first needs it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

from omnify_shared.testing import Platform
from omnify_shared.testing.backing import Backing
from perf import services


class Run:
    """A set under measurement; leaving it stops its platform."""

    def __init__(self, set_name: str, backing: Backing, folder: Path, sizes: Sequence[int]) -> None:
        self.set_name, self.backing, self.folder, self.sizes = set_name, backing, folder, sizes
        self._stack = ExitStack()

    def __enter__(self) -> "Run":
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def bench(self) -> services.Bench:
        """The platform that most parts measure."""
        return self._stack.enter_context(self.platform("platform"))

    @contextmanager
    def platform(self, name: str) -> Iterator[services.Bench]:
        """A platform with one user who has signed in, beside an echo behind two sidecars."""
        home = self.backing.home(self.folder / name, self.set_name)
        platform = Platform(home, self.backing.mailbox, {"OMNIFY_LOG_LEVEL": "WARNING", "AUTH_SESSIONS_PER_USER": "10"})
        folder = self.folder / f"{name}-echo"
        try:
            with services.echo_floor(self.backing, self.set_name, folder) as echo:
                yield services.Bench(platform.start(), echo, self.folder)
        finally:
            platform.stop()
