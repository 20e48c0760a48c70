"""Backing servers of the component sets, each on loopback ports of its own with bounded memory."""

from omnify_local.servers.base import Server
from omnify_local.servers.clamd import Clamd
from omnify_local.servers.collector import Collector
from omnify_local.servers.kafka import Kafka
from omnify_local.servers.mailbox import Mailbox
from omnify_local.servers.mongo import Mongo
from omnify_local.servers.nats import Nats
from omnify_local.servers.postgres import Postgres
from omnify_local.servers.prometheus import Prometheus
from omnify_local.servers.rabbitmq import RabbitMQ
from omnify_local.servers.redis import Redis

__all__ = [
    "Clamd",
    "Collector",
    "Kafka",
    "Mailbox",
    "Mongo",
    "Nats",
    "Postgres",
    "Prometheus",
    "RabbitMQ",
    "Redis",
    "Server",
]
