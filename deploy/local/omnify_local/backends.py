"""Which servers a component set needs on this machine, where they listen, and which of them are somebody else's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from omnify_local import control_plane, runfile, secrets
from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK, answers, is_free
from omnify_local.servers import Clamd, Kafka, Mailbox, Mongo, Nats, Postgres, RabbitMQ, Redis, Server
from omnify_local.servers.clamd import clamd_answers, program
from omnify_local.servers.mongo import mongo_answers
from omnify_local.servers.nats import nats_answers
from omnify_local.servers.rabbitmq import rabbitmq_answers
from omnify_local.servers.redis import redis_answers

MAILBOX_SMTP, MAILBOX_WEB = 1025, 1080
SCANNER = 3310
_LOCAL_NAMES = {LOOPBACK, "localhost"}


@dataclass
class Plan:
    """`own` are to be started here, by us; `foreign` already run or are elsewhere, as lines for a person."""

    own: list[Server] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)

    def add(self, server: Server, **ports: int) -> None:
        """Start this one; `ports` are what it takes, by the name shown when one is taken."""
        self.own.append(server)
        self.ports |= {name.replace("_", " "): port for name, port in ports.items()}

    def taken(self) -> list[str]:
        """A line per port that somebody else holds."""
        return [f"port {port} ({name}) is taken" for name, port in self.ports.items() if not is_free(port)]


def plan(root: Path, set_name: str, *, mailbox: bool) -> Plan:
    """What to start for a set, from its component types and the addresses in infrastructure.json."""
    types, addresses = runfile.component_types(root, set_name), secrets.read(root, secrets.INFRASTRUCTURE)
    folder, result = root / ".omnify" / "servers", Plan()
    for kind in sorted(types & _SERVERS.keys()):
        entry, name, running, add = _SERVERS[kind]
        place = _place(addresses[entry], entry)
        if place.port is None or running(place.port):
            result.foreign.append(f"{name} at {place.shown}")
        else:
            add(result, folder, place.port, place.password)
    if mailbox:
        result.add(Mailbox(folder / "mailbox", MAILBOX_SMTP, MAILBOX_WEB), SMTP=MAILBOX_SMTP, mailbox=MAILBOX_WEB)
    return result


def plan_scanner(result: Plan, root: Path, given: str | None) -> str | None:
    """The scanner's URL: the one that is given, one that runs on this machine, or ours; None where there is none."""
    if given:
        return given
    if clamd_answers(SCANNER):
        result.foreign.append(f"ClamAV at {LOOPBACK}:{SCANNER}")
        return f"tcp://{LOOPBACK}:{SCANNER}"
    if program() is None:
        return None
    server = Clamd(root / ".omnify" / "servers" / "clamav", SCANNER, system=True)
    result.add(server, ClamAV=SCANNER)
    return server.url


def plan_control_plane(result: Plan, root: Path, *, installed: bool) -> None:
    """Placement and scheduler, unless `dapr init` has them running."""
    running = answers(control_plane.PLACEMENT_PORT) and answers(control_plane.SCHEDULER_PORT)
    if installed and running:
        result.foreign.append("placement and scheduler of the installed Dapr")
        return
    folder = root / ".omnify" / "servers"
    for server in (control_plane.Placement(folder / "placement"), control_plane.Scheduler(folder / "scheduler")):
        result.own.append(server)
        result.ports |= {f"{server.name} {number}": port for number, port in enumerate(server.ports, 1)}


@dataclass(frozen=True)
class _Place:
    """Where a server is: `port` on loopback or None, `shown` without the password."""

    shown: str
    port: int | None
    password: str


def _place(address: str, entry: str) -> _Place:
    parts = urlsplit(address if "://" in address else f"//{address}")
    shown = parts.netloc.rpartition("@")[2]
    host, _, port = shown.rpartition(":")
    if host not in _LOCAL_NAMES:
        return _Place(shown, None, "")
    if not port.isdecimal():
        raise LocalError(f"{entry} in .omnify/secrets/infrastructure.json is not host:port: {shown!r}")
    return _Place(shown, int(port), unquote(parts.password or ""))


def _add_redis(plan: Plan, folder: Path, port: int, _: str) -> None:
    plan.add(Redis(folder / "redis", port), Redis=port)


def _add_kafka(plan: Plan, folder: Path, port: int, _: str) -> None:
    plan.add(Kafka(folder / "kafka", port, port + 1), Kafka=port, Kafka_controller=port + 1)


def _add_mongo(plan: Plan, folder: Path, port: int, _: str) -> None:
    plan.add(Mongo(folder / "mongo", port), MongoDB=port)


def _add_postgres(plan: Plan, folder: Path, port: int, password: str) -> None:
    plan.add(Postgres(folder / "postgres", port, password), PostgreSQL=port)


def _add_rabbitmq(plan: Plan, folder: Path, port: int, password: str) -> None:
    distribution, mapper = port + 1, port + 2
    server = RabbitMQ(folder / "rabbitmq", port, (distribution, mapper), password)
    plan.add(server, RabbitMQ=port, RabbitMQ_distribution=distribution, RabbitMQ_port_mapper=mapper)


def _add_nats(plan: Plan, folder: Path, port: int, password: str) -> None:
    plan.add(Nats(folder / "nats", port, password), NATS=port)


_Add = Callable[[Plan, Path, int, str], None]
# Per component type: its entry of infrastructure.json, its name, whether one answers on a port, and how to start ours.
_SERVERS: Mapping[str, tuple[str, str, Callable[[int], bool], _Add]] = {
    "pubsub.redis": ("redis-host", "Redis", redis_answers, _add_redis),
    "pubsub.kafka": ("kafka-brokers", "Kafka", answers, _add_kafka),
    "pubsub.rabbitmq": ("rabbitmq-url", "RabbitMQ", rabbitmq_answers, _add_rabbitmq),
    "pubsub.jetstream": ("nats-url", "NATS", nats_answers, _add_nats),
    "state.mongodb": ("mongodb-url", "MongoDB", mongo_answers, _add_mongo),
    "state.postgresql": ("postgres-url", "PostgreSQL", answers, _add_postgres),
}
