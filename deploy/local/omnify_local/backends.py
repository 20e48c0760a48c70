"""Which servers a component set needs on this machine, where they listen, and which of them are somebody else's."""

from dataclasses import dataclass, field
from pathlib import Path

from omnify_local import control_plane, runfile, secrets
from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK, answers, is_free
from omnify_local.servers import Kafka, Mailbox, Mongo, Redis, Server
from omnify_local.servers.mongo import mongo_answers
from omnify_local.servers.redis import redis_answers

MAILBOX_SMTP, MAILBOX_WEB = 1025, 1080
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
    if "pubsub.redis" in types:
        _plan_redis(result, folder, addresses["redis-host"])
    if "pubsub.kafka" in types:
        _plan_kafka(result, folder, addresses["kafka-brokers"])
    if "state.mongodb" in types:
        _plan_mongo(result, folder, addresses["mongodb-url"])
    if mailbox:
        result.add(Mailbox(folder / "mailbox", MAILBOX_SMTP, MAILBOX_WEB), SMTP=MAILBOX_SMTP, mailbox=MAILBOX_WEB)
    return result


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


def _local_port(address: str, name: str) -> int | None:
    """Port of a loopback address, None for one elsewhere."""
    host, _, port = address.rpartition(":")
    if host not in _LOCAL_NAMES:
        return None
    try:
        return int(port)
    except ValueError:
        raise LocalError(f"{name} in .omnify/secrets/infrastructure.json is not host:port: {address!r}") from None


def _plan_redis(result: Plan, folder: Path, address: str) -> None:
    port = _local_port(address, "redis-host")
    if port is None or redis_answers(port):
        result.foreign.append(f"Redis at {address}")
    else:
        result.add(Redis(folder / "redis", port), Redis=port)


def _plan_kafka(result: Plan, folder: Path, address: str) -> None:
    port = _local_port(address, "kafka-brokers")
    if port is None or answers(port):
        result.foreign.append(f"Kafka at {address}")
    else:
        result.add(Kafka(folder / "kafka", port, port + 1), Kafka=port, Kafka_controller=port + 1)


def _plan_mongo(result: Plan, folder: Path, url: str) -> None:
    # Only the address: a connection string may hold a password.
    address = url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    port = _local_port(address, "mongodb-url")
    if port is None or mongo_answers(port):
        result.foreign.append(f"MongoDB at {address}")
    else:
        result.add(Mongo(folder / "mongo", port), MongoDB=port)
