"""The topics of a set and who hears them, declared on brokers that would lose or refuse an event otherwise.

RabbitMQ drops what is published before its first consumer has made a queue; JetStream refuses a topic without a stream.
Redis Streams and Kafka make what they need. Declaring again changes nothing.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import nats
import pika
import yaml
from nats.js.api import StorageType, StreamConfig
from nats.js.errors import NotFoundError
from pika.exceptions import AMQPError

from omnify_local.errors import LocalError

_KEPT = timedelta(days=7)


@dataclass(frozen=True)
class Topology:
    """`type` is the pub/sub component's; `listeners` names each topic's groups of consumers, one per app-id."""

    type: str
    listeners: Mapping[str, tuple[str, ...]]


def of(components: Path, namespace: str = "") -> Topology:
    """Read from the scopes of the component `pubsub` in a set's folder.

    A sidecar prefixes topics with its `namespace` when a field of the component names it; so are the groups, then.
    """
    documents = yaml.safe_load_all((components / "pubsub.yaml").read_text())
    [component] = [item for item in documents if item and item["metadata"]["name"] == "pubsub"]
    fields = {item["name"]: item.get("value", "") for item in component["spec"]["metadata"]}
    scopes = [scope.partition("=") for scope in fields["subscriptionScopes"].split(";")]
    heard = {app: topics.split(",") for app, _, topics in scopes}
    topics = [topic for topic in fields["protectedTopics"].split(",") if topic]
    prefix = namespace if any("{namespace}" in str(value) for value in fields.values()) else ""
    listeners = {
        prefix + topic: tuple(sorted(prefix + app for app, own in heard.items() if topic in own)) for topic in topics
    }
    return Topology(component["spec"]["type"], listeners)


def declare(components: Path, addresses: Mapping[str, str], *, namespace: str = "") -> None:
    """Make what is missing on the broker that `addresses` (of infrastructure.json) name; LocalError when refused."""
    topology = of(components, namespace)
    if topology.type == "pubsub.rabbitmq":
        _declare_queues(topology, addresses["rabbitmq-url"])
    if topology.type == "pubsub.jetstream":
        _run(_declare_streams(topology, addresses["nats-url"]))


def _declare_queues(topology: Topology, url: str) -> None:
    try:
        with pika.BlockingConnection(pika.URLParameters(url)) as connection:
            channel = connection.channel()
            for topic, apps in topology.listeners.items():
                channel.exchange_declare(topic, "fanout", durable=True)
                for app in apps:
                    queue = f"{app}-{topic}"
                    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "classic"})
                    channel.queue_bind(queue, topic, routing_key="")
    except (AMQPError, OSError) as error:
        raise LocalError(f"the queues could not be declared on RabbitMQ: {error!r}") from error


async def _declare_streams(topology: Topology, url: str) -> None:
    try:
        connection = await nats.connect(url, connect_timeout=5, allow_reconnect=False)
        try:
            streams = connection.jetstream()
            for topic in topology.listeners:
                try:
                    await streams.stream_info(topic)
                except NotFoundError:
                    kept = _KEPT.total_seconds()
                    await streams.add_stream(
                        StreamConfig(name=topic, subjects=[topic], storage=StorageType.FILE, max_age=kept)
                    )
        finally:
            await connection.close()
    except (nats.errors.Error, OSError) as error:
        raise LocalError(f"the streams could not be made on NATS: {error!r}") from error


def _run(work: Coroutine[None, None, None]) -> None:
    # In a thread of its own: the caller may be inside an event loop.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()
