"""`/api/webhooks/connections`: where other platforms send their events, what came, and making events of it again."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response, status

from omnify_webhooks.deps import NO_STORE, JustProven, Manage, ServiceDep, View
from omnify_webhooks.inbound_schemas import (
    ConnectionChangeIn,
    ConnectionIn,
    ConnectionOut,
    ConnectionsOut,
    ReceiptOut,
    ReceiptPage,
    ReplayRangeIn,
    SecretIn,
)
from omnify_webhooks.schemas import ReplayOut

router = APIRouter(prefix="/api/webhooks/connections", tags=["webhooks"])
Cursor = Annotated[str | None, Query(max_length=20)]
Limit = Annotated[int, Query(ge=1, le=200)]
ReceiptId = Annotated[str, Path(pattern="^rcv_[0-9a-f]{32}$")]


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(form: ConnectionIn, principal: Manage, service: ServiceDep, response: Response) -> ConnectionOut:
    """Makes a connection; give its `url` to the other platform, which signs what it sends there with `secret`."""
    response.headers.update(NO_STORE)
    made = await service.connections.create(principal.organization_id, principal.user_id, **form.values())
    return ConnectionOut.of(made, service.settings.public_url)


@router.get("")
async def connections(principal: View, service: ServiceDep) -> ConnectionsOut:
    """The organisation's connections, oldest first."""
    found = await service.connections.all(principal.organization_id)
    shown = (ConnectionOut.of(one, service.settings.public_url) for one in found)
    return ConnectionsOut(connections=tuple(shown))


@router.get("/{connection_id}")
async def connection(connection_id: UUID, principal: View, service: ServiceDep) -> ConnectionOut:
    """One connection."""
    found = await service.connections.one(principal.organization_id, str(connection_id))
    return ConnectionOut.of(found, service.settings.public_url)


@router.patch("/{connection_id}")
async def change(
    connection_id: UUID, form: ConnectionChangeIn, principal: Manage, service: ServiceDep
) -> ConnectionOut:
    """Changes what is given; `enabled: false` refuses what comes."""
    values = {name: value for name, value in form.model_dump().items() if value is not None}
    made = await service.connections.change(principal.organization_id, str(connection_id), values)
    return ConnectionOut.of(made, service.settings.public_url)


@router.delete("/{connection_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete(connection_id: UUID, principal: Manage, service: ServiceDep) -> None:
    """Takes a connection away; what comes to it from now on is refused."""
    await service.connections.delete(principal.organization_id, str(connection_id))


@router.post("/{connection_id}/secret", dependencies=[JustProven])
async def add_secret(connection_id: UUID, form: SecretIn, principal: Manage, service: ServiceDep) -> ConnectionOut:
    """Another secret; the one before counts beside it for 24 h, or no more (`overlap: false`)."""
    made = await service.connections.add_secret(
        principal.organization_id, str(connection_id), form.secret, overlap=form.overlap
    )
    return ConnectionOut.of(made, service.settings.public_url)


@router.get("/{connection_id}/events")
async def events(
    connection_id: UUID, principal: View, service: ServiceDep, cursor: Cursor = None, limit: Limit = 50
) -> ReceiptPage:
    """What came and was accepted, newest first, kept for 30 days."""
    found = await service.connections.one(principal.organization_id, str(connection_id))
    return ReceiptPage.of(await service.receiver.received(found, cursor, limit))


@router.get("/{connection_id}/events/{receipt_id}")
async def event(
    connection_id: UUID, receipt_id: ReceiptId, principal: Manage, service: ServiceDep, response: Response
) -> ReceiptOut:
    """One request as it came, with its body."""
    response.headers.update(NO_STORE)
    found = await service.connections.one(principal.organization_id, str(connection_id))
    return ReceiptOut.of(await service.receiver.one(found, receipt_id))


@router.post("/{connection_id}/events/{receipt_id}/replay", status_code=status.HTTP_202_ACCEPTED)
async def replay_one(connection_id: UUID, receipt_id: ReceiptId, principal: Manage, service: ServiceDep) -> ReplayOut:
    """Makes an event of one request again."""
    found = await service.connections.one(principal.organization_id, str(connection_id))
    await service.receiver.again(found, receipt_id)
    return ReplayOut(replayed=1, next_cursor=None)


@router.post("/{connection_id}/replay", status_code=status.HTTP_202_ACCEPTED)
async def replay_range(connection_id: UUID, form: ReplayRangeIn, principal: Manage, service: ServiceDep) -> ReplayOut:
    """Makes events again of what came in a range of time."""
    found = await service.connections.one(principal.organization_id, str(connection_id))
    replayed, next_cursor = await service.receiver.all_between(found, form.since, form.until, form.cursor)
    return ReplayOut(replayed=replayed, next_cursor=next_cursor)
