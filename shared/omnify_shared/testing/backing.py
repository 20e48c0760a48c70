"""The servers behind the component sets, started on first use and shared by every home of a test session."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from omnify_local.ports import free_port
from omnify_local.secrets import default_infrastructure
from omnify_local.servers import Kafka, Mailbox, Mongo, Redis, Server
from omnify_local.servers.kafka import Listener
from omnify_shared.testing.home import ExtraApp, Home

_REDIS_DATABASES = 16
S = TypeVar("S", bound=Server)


class Backing:
    """Homes of one session share the servers and keep apart by Redis database, Mongo database and Kafka's topic names.

    With MONGODB_URL set, that server is used instead of our own.
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
            home = Home(path, set_name, default_infrastructure(redis=self.redis.port), extra)
            home.set_metadata("pubsub", redisDB=str(number % _REDIS_DATABASES))
        else:
            addresses = default_infrastructure(kafka=self.kafka.port, mongo=self.mongo.port)
            home = Home(path, set_name, addresses, extra)
            home.set_metadata("statestore", databaseName=f"omnify-{number}")
            # A component that names {namespace} has its topics prefixed with it by the sidecar.
            home.namespace = f"home-{number}-"
            home.set_metadata("pubsub", consumerGroup="{namespace}{appID}")
        return home

    @property
    def redis(self) -> Redis:
        """The session's Redis."""
        return self._running(Redis, lambda: Redis(self._folder / "redis", free_port()))

    @property
    def kafka(self) -> Kafka:
        """The session's Kafka."""
        return self._running(Kafka, self._new_kafka)

    def _new_kafka(self) -> Kafka:
        return Kafka(self._folder / "kafka", free_port(), free_port(), Listener(free_port(), free_port()))

    @property
    def mongo(self) -> Mongo:
        """The session's MongoDB."""
        return self._running(Mongo, lambda: Mongo(self._folder / "mongo", free_port()))

    @property
    def mailbox(self) -> Mailbox:
        """The session's mailbox."""
        return self._running(Mailbox, lambda: Mailbox(self._folder / "mailbox", free_port(), free_port()))

    def stop(self) -> None:
        """Stop every server, newest first."""
        for server in reversed(list(self._servers.values())):
            server.stop()
        self._servers.clear()

    def _running(self, kind: type[S], make: Callable[[], S]) -> S:
        server = self._servers.get(kind.name)
        if server is None:
            server = make()
            server.start()
            self._servers[kind.name] = server
        assert isinstance(server, kind)
        return server
