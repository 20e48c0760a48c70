"""`/api/webhooks/endpoints/{id}/deliveries`: what was sent, how it went, and sending it again."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, status

from omnify_webhooks.deps import Manage, ServiceDep, View
from omnify_webhooks.schemas import (
    AttemptOut,
    DeliveryOut,
    ReplayedOut,
    ReplayIn,
    ReplayOut,
    SentOut,
    SentPage,
)

router = APIRouter(prefix="/api/webhooks/endpoints/{endpoint_id}", tags=["webhooks"])
Cursor = Annotated[str | None, Query(max_length=20)]
Limit = Annotated[int, Query(ge=1, le=200)]
MessageId = Annotated[str, Path(pattern="^msg_[0-9a-f]{32}$")]


@router.get("/deliveries")
async def deliveries(
    endpoint_id: UUID, principal: View, service: ServiceDep, cursor: Cursor = None, limit: Limit = 50
) -> SentPage:
    """What was sent to the endpoint or waits for it, newest first, kept for 30 days.

    `limit` counts the organisation's messages that are looked at: a page may hold fewer, and none before the last.
    """
    organization_id = principal.organization_id
    found = await service.endpoints.one(organization_id, str(endpoint_id))
    items, next_cursor = await service.replays.sent(organization_id, found.endpoint_id, cursor, limit)
    return SentPage(items=tuple(map(SentOut.of, items)), next_cursor=next_cursor)


@router.get("/deliveries/{message_id}")
async def delivery(endpoint_id: UUID, message_id: MessageId, principal: View, service: ServiceDep) -> DeliveryOut:
    """One message with its attempts and what they were answered."""
    organization_id = principal.organization_id
    found = await service.endpoints.one(organization_id, str(endpoint_id))
    message, one = await service.replays.one(organization_id, found.endpoint_id, message_id)
    return DeliveryOut(
        message_id=message.message_id,
        event_type=message.event_type,
        payload=message.payload,
        status=one.status,
        next_at=one.next_at,
        reason=one.reason,
        attempts=tuple(map(AttemptOut.of, one.attempts)),
    )


@router.post("/deliveries/{message_id}/replay", status_code=status.HTTP_202_ACCEPTED)
async def replay_one(endpoint_id: UUID, message_id: MessageId, principal: Manage, service: ServiceDep) -> ReplayedOut:
    """Sends one message again, with the same `webhook-id`."""
    found = await service.endpoints.one(principal.organization_id, str(endpoint_id))
    again = await service.replays.again(principal.organization_id, found, message_id)
    return ReplayedOut.of(message_id, again)


@router.post("/replay", status_code=status.HTTP_202_ACCEPTED)
async def replay_all(endpoint_id: UUID, form: ReplayIn, principal: Manage, service: ServiceDep) -> ReplayOut:
    """Sends again what failed since a moment, or what the endpoint wants by now and never got."""
    found = await service.endpoints.one(principal.organization_id, str(endpoint_id))
    replayed, next_cursor = await service.replays.all_since(
        principal.organization_id, found, form.since, form.which, form.cursor
    )
    return ReplayOut(replayed=replayed, next_cursor=next_cursor)
