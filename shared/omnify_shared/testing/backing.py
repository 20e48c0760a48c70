"""The servers behind the component sets, started on first use and shared by every home of a test session."""

import secrets as random
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from omnify_local import paths, runfile, secrets, topology
from omnify_local.errors import LocalError
from omnify_local.ports import free_port
from omnify_local.servers import Clamd, Kafka, Mailbox, Mongo, Nats, Postgres, RabbitMQ, Redis, Server
from omnify_local.servers.clamd import program as clamd_program
from omnify_local.servers.kafka import Listener
from omnify_shared.testing.home import ExtraApp, Home

_SPACES = 48  # virtual hosts of RabbitMQ, accounts of NATS
# Per broker: its entry of infrastructure.json, and the component's field for an app's group of consumers.
_BROKERS = {
    "pubsub.redis": ("redis-host", "consumerID"),
    "pubsub.kafka": ("kafka-brokers", "consumerGroup"),
    "pubsub.rabbitmq": ("rabbitmq-url", "consumerID"),
    "pubsub.jetstream": ("nats-url", "durableName"),
}
S = TypeVar("S", bound=Server)


class Backing:
    """Homes of one session share the servers and keep apart by what each server has for that.

    Redis: a database number. MongoDB: a database. PostgreSQL: a prefix of the tables. RabbitMQ: a virtual host. NATS:
    an account. Kafka: a prefix of the topics.

    A server that the environment brings (omnify_local.secrets) is used instead of one of ours. Numbers, hosts and
    accounts are not ours to take there, so topics are prefixed as on Kafka. Nothing of what is on it is dropped.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: dict[str, Server] = {}
        self._homes: Counter[str] = Counter()
        self._session = random.token_hex(4)
        self.brought = secrets.brought()

    def home(self, path: Path, set_name: str, extra: Iterable[ExtraApp] = ()) -> Home:
        """A new home on running servers. Raises LocalError when a server of the set cannot run here."""
        number = self._homes[set_name]
        self._homes[set_name] += 1
        types = runfile.component_types(paths.repository(), set_name)
        home = Home(path, set_name, self._addresses(types, number), extra)
        if "pubsub.redis" in types and "redis-host" not in self.brought:
            home.set_metadata("pubsub", redisDB=str(number))
        if "state.mongodb" in types:
            home.set_metadata("statestore", databaseName=f"omnify-test-{self._session}-{number}")
        if "state.postgresql" in types:
            home.set_metadata("statestore", tablePrefix=f"omnify_test_{self._session}_{number}_")
        if field := self._shared_group(types):
            # A component that names {namespace} in any field has its topics prefixed with it by the sidecar.
            home.namespace = f"home-{self._session}-{number}-"
            home.set_metadata("pubsub", **{field: home.namespace + "{appID}", "kept apart by": "{namespace}"})
        topology.declare(home.components, home.infrastructure, namespace=home.namespace)
        return home

    def _addresses(self, types: set[str], number: int) -> dict[str, str]:
        ours: dict[str, tuple[str, Callable[[], str]]] = {
            "pubsub.redis": ("redis-host", lambda: self.redis.address),
            "pubsub.kafka": ("kafka-brokers", lambda: self.kafka.address),
            "pubsub.rabbitmq": ("rabbitmq-url", lambda: self.rabbitmq.url(number)),
            "pubsub.jetstream": ("nats-url", lambda: self.nats.url(number)),
            "state.mongodb": ("mongodb-url", lambda: self.mongo.url),
            "state.postgresql": ("postgres-url", lambda: self.postgres.url),
        }
        wanted = dict(ours[kind] for kind in types & ours.keys())
        return {entry: start() for entry, start in wanted.items() if entry not in self.brought}

    def _shared_group(self, types: set[str]) -> str | None:
        """The field that names an app's group of consumers, when the broker is shared without walls between homes."""
        [(entry, group)] = [_BROKERS[kind] for kind in types & _BROKERS.keys()]
        return group if entry in self.brought or "pubsub.kafka" in types else None

    def broker(self, set_name: str) -> Server:
        """The running broker of a set, to be stopped and started. LocalError when the environment brings it."""
        [kind] = runfile.component_types(paths.repository(), set_name) & _BROKERS.keys()
        if _BROKERS[kind][0] in self.brought:
            raise LocalError(f"the broker of the set {set_name} is not ours to stop")
        if kind == "pubsub.redis":
            return self.redis
        if kind == "pubsub.rabbitmq":
            return self.rabbitmq
        return self.nats if kind == "pubsub.jetstream" else self.kafka

    @property
    def started(self) -> list[str]:
        """Names of the servers that were started here."""
        return sorted(self._servers)

    @property
    def redis(self) -> Redis:
        """The session's Redis."""
        return self._running(Redis, lambda folder: Redis(folder, free_port()))

    @property
    def kafka(self) -> Kafka:
        """The session's Kafka."""

        def make(folder: Path) -> Kafka:
            return Kafka(folder, free_port(), free_port(), Listener(free_port(), free_port()))

        return self._running(Kafka, make)

    @property
    def mongo(self) -> Mongo:
        """The session's MongoDB."""
        return self._running(Mongo, lambda folder: Mongo(folder, free_port()))

    @property
    def postgres(self) -> Postgres:
        """The session's PostgreSQL."""
        return self._running(Postgres, lambda folder: Postgres(folder, free_port(), self._session))

    @property
    def rabbitmq(self) -> RabbitMQ:
        """The session's RabbitMQ."""

        def make(folder: Path) -> RabbitMQ:
            return RabbitMQ(folder, free_port(), (free_port(), free_port()), self._session, hosts=_SPACES)

        return self._running(RabbitMQ, make)

    @property
    def nats(self) -> Nats:
        """The session's NATS."""
        return self._running(Nats, lambda folder: Nats(folder, free_port(), self._session, accounts=_SPACES))

    @property
    def mailbox(self) -> Mailbox:
        """The session's mailbox."""
        return self._running(Mailbox, lambda folder: Mailbox(folder, free_port(), free_port()))

    @property
    def clamd(self) -> Clamd:
        """The session's malware scanner, which knows our own signature only."""
        return self._running(Clamd, lambda folder: Clamd(folder, free_port()))

    @property
    def scanner(self) -> dict[str, str]:
        """The setting by which the files service finds the scanner; none where ClamAV is not installed."""
        return {"FILES_CLAMD_URL": self.clamd.url} if clamd_program() else {}

    def stop(self) -> None:
        """Stop every server, newest first."""
        for server in reversed(list(self._servers.values())):
            server.stop()
        self._servers.clear()

    def _running(self, kind: type[S], make: Callable[[Path], S]) -> S:
        server = self._servers.get(kind.name)
        if server is None:
            server = make(self._folder / kind.name.lower())
            server.start()
            self._servers[kind.name] = server
        assert isinstance(server, kind)
        return server
