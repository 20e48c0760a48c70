"""`/.well-known` for whoever verifies tokens, and the rotation of the keys for operators."""

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from omnify_auth.deps import ServiceDep, from_own_sidecar
from omnify_auth.schemas.keys import KeysOut
from omnify_auth.settings import JWKS_MAX_AGE

router = APIRouter(prefix="/.well-known", tags=["keys"])
operators = APIRouter(prefix="/internal", dependencies=[Depends(from_own_sidecar)], include_in_schema=False)

_JWKS_HEADERS = {"Cache-Control": f"public, max-age={JWKS_MAX_AGE.total_seconds():.0f}"}


@router.get("/jwks.json", response_model=KeysOut)
async def jwks(service: ServiceDep) -> JSONResponse:
    """The keys that access tokens are signed with (RFC 7517). May be kept for as long as `Cache-Control` says."""
    return JSONResponse(await service.jwks(), headers=_JWKS_HEADERS)


@operators.post("/keys/rotate")
async def rotate_keys(service: ServiceDep, leaked: bool = False) -> JSONResponse:
    """Makes the next signing key now. For operators, who call it through auth's own sidecar."""
    await service.keyring.rotate(leaked=leaked)
    return JSONResponse(await service.jwks())
