"""`/api/oauth/grants`: what the caller lets apps do."""

from uuid import UUID

from fastapi import APIRouter, Response, status

from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.schemas.oauth import AppGrantOut, AppGrantsOut
from omnify_shared.identity import CurrentPrincipal

router = APIRouter(prefix="/api/oauth/grants", tags=["oauth"])


@router.get("")
async def grants(principal: CurrentPrincipal, service: ServiceDep, response: Response) -> AppGrantsOut:
    """The apps that may act for the user, in all of their organisations."""
    response.headers.update(NO_STORE)
    found = await service.app_grants.of(principal.user_id)
    return AppGrantsOut(
        grants=tuple(
            AppGrantOut(
                client_id=client.client_id,
                name=client.name,
                organization_id=client.organization_id,
                scopes=grant.scopes,
                given_at=grant.given_at,
            )
            for grant, client in found
        )
    )


@router.delete("/{client_id}", status_code=status.HTTP_204_NO_CONTENT)
async def withdraw(client_id: UUID, principal: CurrentPrincipal, service: ServiceDep) -> None:
    """Takes back what an app was allowed; every service refuses its tokens within seconds."""
    await service.app_grants.withdraw(principal.user_id, str(client_id))
