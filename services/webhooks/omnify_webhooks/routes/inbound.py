"""`/api/webhooks/in/{provider}/{connection}`: the door for other platforms. Public; a signature is what counts."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse

from omnify_shared import clock
from omnify_webhooks.deps import ServiceDep
from omnify_webhooks.inbound_schemas import Provider, TakenOut
from omnify_webhooks.service import WebhooksService
from omnify_webhooks.verifiers import Incoming

router = APIRouter(prefix="/api/webhooks/in", tags=["inbound"])
_RAW = {"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}}
Text = Annotated[str, Query(max_length=512)]


@router.post("/{provider}/{connection_id}", openapi_extra=_RAW)
async def receive(provider: Provider, connection_id: UUID, request: Request, service: ServiceDep) -> TakenOut:
    """Takes what another platform sends, as its bytes are, at most 1 MiB; it is kept before this answers.

    401 `signature-refused` for an unknown connection and a wrong signature alike, 429 with `Retry-After` above the
    connection's rate.
    """
    incoming = await _incoming(request, service)
    return TakenOut(status=await service.receiver.receive(provider, str(connection_id), incoming))


@router.get("/{provider}/{connection_id}", response_class=PlainTextResponse)
async def shake_hands(
    provider: Provider,
    connection_id: UUID,
    service: ServiceDep,
    mode: Annotated[Text, Query(alias="hub.mode")] = "",
    verify_token: Annotated[Text, Query(alias="hub.verify_token")] = "",
    challenge: Annotated[Text, Query(alias="hub.challenge")] = "",
) -> Response:
    """Meta's handshake: echoes the challenge for whoever knows the connection's verify token."""
    query = {"hub.mode": mode, "hub.verify_token": verify_token, "hub.challenge": challenge}
    return PlainTextResponse(await service.receiver.shake_hands(provider, str(connection_id), query))


async def _incoming(request: Request, service: WebhooksService) -> Incoming:
    path = request.scope["raw_path"].decode("ascii")
    query = request.scope["query_string"].decode("ascii", errors="replace")
    return Incoming(
        method=request.method,
        url=service.settings.public_url.rstrip("/") + path + (f"?{query}" if query else ""),
        headers=dict(request.headers.items()),
        body=await request.body(),
        now=clock.now(),
        tolerance=service.settings.tolerance,
    )
