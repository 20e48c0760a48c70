"""Events between services: typed CloudEvents, the outbox, subscriptions, dead letters, published contracts."""

from omnify_shared.events.model import CloudEvent, EventData, topic_of
from omnify_shared.events.subscriptions import Poison, Subscriptions

__all__ = ["CloudEvent", "EventData", "Poison", "Subscriptions", "topic_of"]
