"""`/api/webhooks/endpoints`: where an organisation wants events sent."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response, status

from omnify_shared.idempotency import MAX_KEY
from omnify_webhooks.deps import NO_STORE, JustProven, Manage, ServiceDep, View
from omnify_webhooks.public_events import PUBLIC
from omnify_webhooks.schemas import (
    EndpointChangeIn,
    EndpointIn,
    EndpointOut,
    EndpointSecretOut,
    EndpointsOut,
    EventTypeOut,
    EventTypesOut,
    MessageOut,
    RotateIn,
)

router = APIRouter(prefix="/api/webhooks", tags=["webhooks"])
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=MAX_KEY,
        description="A repeated request with the same key gets the first one's answer, for 24 h.",
    ),
]


@router.get("/event-types")
async def event_types(principal: View) -> EventTypesOut:
    """The types of event that an endpoint can be sent; there are no others."""
    found = (EventTypeOut(event_type=name, description=reader.__doc__ or "") for name, reader in PUBLIC.items())
    return EventTypesOut(event_types=tuple(found))


@router.post("/endpoints", status_code=status.HTTP_201_CREATED)
async def create(
    form: EndpointIn, principal: Manage, service: ServiceDep, response: Response, key: Key = None
) -> EndpointSecretOut:
    """Makes an endpoint; what happens from now on is sent to it, signed as Standard Webhooks has it.

    Its URL must be `https://` on port 443 of the public internet. Its secret is in this answer.
    """
    response.headers.update(NO_STORE)
    made = await service.endpoints.create(principal.organization_id, principal.user_id, form.model_dump(), key)
    return EndpointSecretOut.showing(*made)


@router.get("/endpoints")
async def endpoints(principal: View, service: ServiceDep) -> EndpointsOut:
    """The organisation's endpoints, oldest first."""
    found = await service.endpoints.all(principal.organization_id)
    return EndpointsOut(endpoints=tuple(map(EndpointOut.of, found)))


@router.get("/endpoints/{endpoint_id}")
async def endpoint(endpoint_id: UUID, principal: View, service: ServiceDep) -> EndpointOut:
    """One endpoint."""
    return EndpointOut.of(await service.endpoints.one(principal.organization_id, str(endpoint_id)))


@router.patch("/endpoints/{endpoint_id}")
async def change(endpoint_id: UUID, form: EndpointChangeIn, principal: Manage, service: ServiceDep) -> EndpointOut:
    """Changes what is given. `enabled: true` brings back one that was disabled; replay what it missed."""
    values = {name: value for name, value in form.model_dump().items() if value is not None}
    return EndpointOut.of(await service.endpoints.change(principal.organization_id, str(endpoint_id), values))


@router.delete("/endpoints/{endpoint_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete(endpoint_id: UUID, principal: Manage, service: ServiceDep) -> None:
    """Takes an endpoint away; what is on its way to it is dropped."""
    await service.endpoints.delete(principal.organization_id, str(endpoint_id))


@router.get("/endpoints/{endpoint_id}/secret", dependencies=[JustProven])
async def secret(endpoint_id: UUID, principal: Manage, service: ServiceDep, response: Response) -> EndpointSecretOut:
    """Shows the newest secret again, to somebody who has just proven who they are."""
    response.headers.update(NO_STORE)
    found = await service.endpoints.one(principal.organization_id, str(endpoint_id))
    return EndpointSecretOut.showing(found, await service.endpoints.secret(principal.organization_id, found))


@router.post("/endpoints/{endpoint_id}/secret", dependencies=[JustProven])
async def rotate(
    endpoint_id: UUID, form: RotateIn, principal: Manage, service: ServiceDep, response: Response
) -> EndpointSecretOut:
    """A new secret; the present one signs beside it for 24 h, or no more (`overlap: false`, after a leak)."""
    response.headers.update(NO_STORE)
    made = await service.endpoints.rotate(principal.organization_id, str(endpoint_id), overlap=form.overlap)
    return EndpointSecretOut.showing(*made)


@router.post("/endpoints/{endpoint_id}/test", status_code=status.HTTP_202_ACCEPTED)
async def test(endpoint_id: UUID, principal: Manage, service: ServiceDep) -> MessageOut:
    """Sends a message of the type `omnify.webhooks.test.sent.v1`, once; its delivery says what came of it."""
    found = await service.endpoints.one(principal.organization_id, str(endpoint_id))
    return MessageOut(message_id=(await service.messages.test(principal.organization_id, found)).message_id)
