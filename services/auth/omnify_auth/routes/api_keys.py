"""`/api/api-keys`: the user's keys in the organisation; `/internal` for the gateway, which exchanges them."""

from uuid import UUID

from fastapi import APIRouter, Depends, Response, status

from omnify_auth.api_keys import ApiKey
from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.schemas.oauth import ApiKeyIn, ApiKeyOut, ApiKeysOut, ExchangedOut, ExchangeIn, NewApiKeyOut
from omnify_auth.service.api_keys import prefix
from omnify_shared.identity import CurrentPrincipal, FreshPrincipal, require_caller

router = APIRouter(prefix="/api/api-keys", tags=["api-keys"])
exchange = APIRouter(prefix="/internal", dependencies=[Depends(require_caller("gateway"))], include_in_schema=False)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(form: ApiKeyIn, principal: FreshPrincipal, service: ServiceDep, response: Response) -> NewApiKeyOut:
    """Makes a key that acts as the user within scopes, for at most a year. It is shown this once.

    Send it as `Authorization: Bearer omn_…` to the public address.
    """
    response.headers.update(NO_STORE)
    key, text = await service.api_keys.create(principal, form.name, form.scopes, form.expires_at)
    return NewApiKeyOut(**_shown(key), api_key=text)


@router.get("")
async def api_keys(principal: CurrentPrincipal, service: ServiceDep, response: Response) -> ApiKeysOut:
    """The user's keys in this organisation that count, newest first."""
    response.headers.update(NO_STORE)
    return ApiKeysOut(api_keys=tuple(ApiKeyOut(**_shown(key)) for key in await service.api_keys.of(principal)))


@router.delete("/{key_id}", status_code=status.HTTP_204_NO_CONTENT)
async def revoke(key_id: UUID, principal: CurrentPrincipal, service: ServiceDep) -> None:
    """Ends a key; it and its tokens are refused within seconds."""
    await service.api_keys.revoke(principal, str(key_id))


@exchange.post("/api-keys/exchange")
async def exchanged(form: ExchangeIn, service: ServiceDep, response: Response) -> ExchangedOut:
    """An access token for a key."""
    response.headers.update(NO_STORE)
    token = await service.api_keys.exchange(form.api_key)
    return ExchangedOut(access_token=token.text, expires_in=token.expires_in)


def _shown(key: ApiKey) -> dict[str, object]:
    shown = {name: getattr(key, name) for name in ApiKeyOut.model_fields if name != "prefix"}
    return shown | {"prefix": prefix(key)}
