"""The readers of auth's ended sessions and changed access that every app with user routes shares."""

from datetime import datetime
from typing import Any

from omnify_shared.events.model import CloudEvent, EventData
from omnify_shared.events.subscriptions import Handler, Subscriptions
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
    """Subscribes an app to both. Adding one twice changes nothing, so no record is kept.

    Handlers that the app has for them run after these; they too may be repeated (`dedupe="effect"`).
    """

    async def end(event: CloudEvent[Any], _: Any) -> None:
        await revocations.add(event.data.session_id)

    async def cut(event: CloudEvent[Any], _: Any) -> None:
        await revocations.cut(event.data.user_id, Cut(before=event.data.before, kept=event.data.kept_session_id))

    _first(subscriptions, SessionRevoked, end)
    _first(subscriptions, AccessChanged, cut)


def _first(subscriptions: Subscriptions, reader: type[EventData], handler: Handler) -> None:
    own = subscriptions.by_type.pop(reader.event_type, None)

    async def both(event: CloudEvent[Any], service: Any) -> None:
        await handler(event, service)
        if own:
            await own.handler(event, service)

    subscriptions.on(own.reader if own else reader, dedupe="effect")(both)
