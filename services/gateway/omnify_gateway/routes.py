"""The gateway's own paths: pages, their assets and the merged OpenAPI document."""

from fastapi import APIRouter, Response
from fastapi.responses import FileResponse

from omnify_gateway.deps import ServiceDep
from omnify_gateway.errors import UnknownPath
from omnify_gateway.pages import asset, page

router = APIRouter(include_in_schema=False)


@router.get("/")
async def landing() -> FileResponse:
    """A page that leads to the documentation."""
    return page("index")


@router.get("/docs")
async def docs() -> FileResponse:
    """Swagger UI over the merged document; works without a network."""
    return page("docs", docs=True)


@router.get("/verify-email")
async def verify_email() -> FileResponse:
    """Where the link of a verification mail leads; its token stays in the fragment."""
    return page("verify-email")


@router.get("/reset-password")
async def reset_password() -> FileResponse:
    """Where the link of a mail about a forgotten password leads; its token stays in the fragment."""
    return page("reset-password")


@router.get("/confirm-email")
async def confirm_email() -> FileResponse:
    """Where the link of a mail to a new address leads; its token stays in the fragment."""
    return page("confirm-email")


@router.get("/accept-invitation")
async def accept_invitation() -> FileResponse:
    """Where the link of an invitation leads; its token stays in the fragment."""
    return page("accept-invitation")


@router.get("/recover-factors")
async def recover_factors() -> FileResponse:
    """Where the link of a mail about lost second factors leads; its token stays in the fragment."""
    return page("recover-factors")


@router.get("/openapi.json")
async def openapi(service: ServiceDep) -> Response:
    """The merged OpenAPI document of all services that answer."""
    return Response(await service.catalogue.document(), media_type="application/json")


@router.get("/assets/{name}")
async def assets(name: str) -> FileResponse:
    """A script or style sheet of the pages."""
    if found := asset(name):
        return found
    raise UnknownPath("There is no such asset.")
