"""Backing servers of the component sets, each on loopback ports of its own with bounded memory."""

from omnify_local.servers.base import Server
from omnify_local.servers.collector import Collector
from omnify_local.servers.kafka import Kafka
from omnify_local.servers.mailbox import Mailbox
from omnify_local.servers.mongo import Mongo
from omnify_local.servers.prometheus import Prometheus
from omnify_local.servers.redis import Redis

__all__ = ["Collector", "Kafka", "Mailbox", "Mongo", "Prometheus", "Redis", "Server"]
