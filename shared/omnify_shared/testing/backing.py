"""The servers behind the component sets, started on first use and shared by every home of a test session."""

from collections.abc import Iterable
from pathlib import Path

from omnify_local.ports import LOOPBACK, free_port
from omnify_local.servers import Redis, Server

from omnify_shared.testing.home import ExtraApp, Home

_REDIS_DATABASES = 16


class Backing:
    """Homes of one session share the servers and keep apart by Redis database and Mongo database.

    Kafka has no such partition: topics and consumer groups are shared, so tests there use topics of their own (ExtraApp) and
    at most one platform runs at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: dict[str, Server] = {}
        self._homes = 0

    def home(self, path: Path, set_name: str, extra: Iterable[ExtraApp] = ()) -> Home:
        """A new home on running servers. Raises LocalError when a server of the set cannot run here."""
        number = self._homes
        self._homes += 1
        if set_name == "local":
            home = Home(path, set_name, {"redis-host": f"{LOOPBACK}:{self.redis.port}"}, extra)
            home.set_metadata("pubsub", redisDB=str(number % _REDIS_DATABASES))
            return home
        raise NotImplementedError(set_name)

    @property
    def redis(self) -> Redis:
        """The session's Redis."""
        if "redis" not in self._servers:
            server = Redis(self._folder / "redis", free_port())
            server.start()
            self._servers["redis"] = server
        server = self._servers["redis"]
        assert isinstance(server, Redis)
        return server

    def stop(self) -> None:
        """Stop every server, newest first."""
        for server in reversed(list(self._servers.values())):
            server.stop()
        self._servers.clear()
