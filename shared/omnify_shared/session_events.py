"""The readers of auth's ended sessions and changed access that every app with user routes shares."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from omnify_shared.events.model import CloudEvent, EventData
from omnify_shared.events.subscriptions import Subscriptions
from omnify_shared.revocations import Cut, Revocations


class SessionRevoked(EventData, type="omnify.auth.session.revoked.v1"):
    """A session ended: its access tokens are refused from now on."""

    session_id: str


class AccessChanged(EventData, type="omnify.auth.access.changed.v1"):
    """What a user may do has changed: tokens from before are refused, but those of one session."""

    user_id: str
    before: datetime
    kept_session_id: str | None = None


def follow_revocations(subscriptions: Subscriptions, revocations: Revocations) -> None:
    """Subscribes an app to both. Adding one twice changes nothing, so no record is kept."""

    async def end(event: CloudEvent[SessionRevoked], _: Any) -> None:
        await revocations.add(event.data.session_id)

    handler: Callable[[CloudEvent[SessionRevoked], Any], Awaitable[None]] = end
    subscriptions.on(SessionRevoked, dedupe="effect")(handler)

    async def cut(event: CloudEvent[AccessChanged], _: Any) -> None:
        await revocations.cut(event.data.user_id, Cut(before=event.data.before, kept=event.data.kept_session_id))

    cutter: Callable[[CloudEvent[AccessChanged], Any], Awaitable[None]] = cut
    subscriptions.on(AccessChanged, dedupe="effect")(cutter)
