"""The events that analytics handles, besides those of ended sessions."""

from omnify_shared.erasure import follow_erasures
from omnify_shared.events import Subscriptions


def make_subscriptions() -> Subscriptions:
    """What is deleted elsewhere is deleted here."""
    subscriptions = Subscriptions("analytics")
    follow_erasures(subscriptions)
    return subscriptions
