"""`/api/auth/me/export`: what is held about the signed-in user."""

from fastapi import APIRouter, Response

from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.schemas.exports import ExportOut
from omnify_shared.identity import FreshPrincipal

router = APIRouter(prefix="/api/auth/me", tags=["auth"])


@router.get("/export")
async def export(principal: FreshPrincipal, service: ServiceDep, response: Response) -> ExportOut:
    """What is held about the user, as one document to keep; made now, stored nowhere, without secrets.

    A service that does not answer now is named as missing. Wants a fresh sign-in: 401 `reauthentication-required`.
    """
    response.headers.update(NO_STORE | {"Content-Disposition": 'attachment; filename="omnify-account.json"'})
    return await service.exports.of(principal.user_id)
