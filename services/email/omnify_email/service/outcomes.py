"""What is published of mails that organisations asked for: that they left, and what became of them."""

from collections.abc import Sequence
from typing import Any

from omnify_email.events import MessageBounced, MessageDelivered, MessageSent, MessageSuppressed
from omnify_email.records import MailRecord, MessageRecord
from omnify_shared import clock
from omnify_shared.events import EventData


def sent(mail: MailRecord) -> Sequence[EventData]:
    """For a mail that a provider has taken."""
    return (MessageSent(**_about(mail)),) if isinstance(mail, MessageRecord) else ()


def suppressed(mail: MessageRecord, reason: str) -> EventData:
    """For a mail that was not sent."""
    return MessageSuppressed(**_about(mail), reason=reason)


def told(before: MailRecord, after: MailRecord) -> Sequence[EventData]:
    """For what a provider told: that it had taken the mail at all, if that was open, and how the delivery stands."""
    events = [*sent(after)] if after.status != before.status else []
    if not isinstance(after, MessageRecord) or after.delivery == before.delivery:
        return events
    if after.delivery == "delivered":
        events.append(MessageDelivered(**_about(after), at=clock.now()))
    elif after.delivery in ("blocked", "bounced", "complained", "dropped"):
        events.append(MessageBounced(**_about(after), at=clock.now(), outcome=after.delivery))
    return events


def _about(mail: MessageRecord) -> dict[str, Any]:
    return {
        "message_id": mail.event_id,
        "request_id": mail.reference.partition("/")[0],
        "organization_id": mail.organization_id,
        "template": mail.kind,
        "category": mail.category,
    }
