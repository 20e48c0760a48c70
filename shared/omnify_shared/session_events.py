"""The reader of auth's session revocations that every app with user routes shares."""

from collections.abc import Awaitable, Callable
from typing import Any

from omnify_shared.events.model import CloudEvent, EventData
from omnify_shared.events.subscriptions import Subscriptions
from omnify_shared.revocations import Revocations


class SessionRevoked(EventData, type="omnify.auth.session.revoked.v1"):
    """A session ended: its access tokens are refused from now on."""

    session_id: str


def follow_revocations(subscriptions: Subscriptions, revocations: Revocations) -> None:
    """Subscribes an app to the end of sessions. Adding one twice changes nothing, so no record is kept."""

    async def end(event: CloudEvent[SessionRevoked], _: Any) -> None:
        await revocations.add(event.data.session_id)

    handler: Callable[[CloudEvent[SessionRevoked], Any], Awaitable[None]] = end
    subscriptions.on(SessionRevoked, dedupe="effect")(handler)
