"""Events between services: typed CloudEvents, the outbox, subscriptions, dead letters, published contracts."""

from typing import TYPE_CHECKING, Any

from omnify_shared.events.model import CloudEvent, EventData, topic_of

if TYPE_CHECKING:
    from omnify_shared.events.subscriptions import Poison, Subscriptions

__all__ = ["CloudEvent", "EventData", "Poison", "Subscriptions", "topic_of"]


def __getattr__(name: str) -> Any:
    """Loads the subscriptions on demand: they need documents, and documents need the event model."""
    if name not in ("Poison", "Subscriptions"):
        raise AttributeError(name)
    from omnify_shared.events import subscriptions

    return getattr(subscriptions, name)
