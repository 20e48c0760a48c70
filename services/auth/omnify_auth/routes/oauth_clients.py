"""`/api/oauth/clients`: the apps of the caller's organisation, for those who administer it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response, status

from omnify_auth.clients import OAuthClient
from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.schemas.oauth import ClientChangeIn, ClientIn, ClientOut, ClientsOut, NewClientOut, RotateIn
from omnify_auth.service.clients import Made
from omnify_shared.identity import Principal, allowed, fresh

router = APIRouter(prefix="/api/oauth/clients", tags=["oauth"], dependencies=[Depends(fresh)])

Owner = Annotated[Principal, Depends(allowed("org:admin"))]


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(form: ClientIn, principal: Owner, service: ServiceDep, response: Response) -> NewClientOut:
    """Registers an app. Its secret is shown this once; a public client has none and proves itself by PKCE alone."""
    response.headers.update(NO_STORE)
    return _new(await service.clients.create(principal, form.model_dump()))


@router.get("")
async def clients(principal: Owner, service: ServiceDep, response: Response) -> ClientsOut:
    """The organisation's apps, newest first."""
    response.headers.update(NO_STORE)
    found = await service.clients.of(principal.organization_id)
    return ClientsOut(clients=tuple(ClientOut(**_shown(client)) for client in found))


@router.get("/{client_id}")
async def client(client_id: UUID, principal: Owner, service: ServiceDep, response: Response) -> ClientOut:
    """One app."""
    response.headers.update(NO_STORE)
    return ClientOut(**_shown(await service.clients.one(principal.organization_id, str(client_id))))


@router.patch("/{client_id}")
async def change(client_id: UUID, form: ClientChangeIn, principal: Owner, service: ServiceDep) -> ClientOut:
    """Changes what is given. Fewer scopes or grant types: tokens of before are refused within seconds."""
    wanted = {name: value for name, value in form.model_dump().items() if value is not None}
    return ClientOut(**_shown(await service.clients.change(principal, str(client_id), wanted)))


@router.post("/{client_id}/secret")
async def rotate(
    client_id: UUID, form: RotateIn, principal: Owner, service: ServiceDep, response: Response
) -> NewClientOut:
    """A new secret; the present one counts another day, or no more (`overlap: false`, after a leak)."""
    response.headers.update(NO_STORE)
    return _new(await service.clients.rotate(principal, str(client_id), overlap=form.overlap))


@router.delete("/{client_id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete(client_id: UUID, principal: Owner, service: ServiceDep) -> None:
    """Takes an app away; every service refuses its tokens within seconds."""
    await service.clients.delete(principal, str(client_id))


def _shown(client: OAuthClient) -> dict[str, object]:
    return {name: getattr(client, name) for name in ClientOut.model_fields}


def _new(made: Made) -> NewClientOut:
    return NewClientOut(**_shown(made.client), client_secret=made.secret)
