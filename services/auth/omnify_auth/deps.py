"""Dependencies of the routes."""

from typing import Annotated

from fastapi import Depends, Request

from omnify_auth.service import AuthService
from omnify_shared.deps import service_of
from omnify_shared.problems import Forbidden

NO_STORE = {"Cache-Control": "no-store"}
ServiceDep = Annotated[AuthService, Depends(service_of(AuthService))]


async def from_own_sidecar(request: Request) -> None:
    """Dependency of operators' routes: the call came from this app's own sidecar, whose API token an operator has.

    The sidecar of any other app names its app, whatever the caller says. Raises Forbidden.
    """
    if request.headers.getlist("dapr-caller-app-id"):
        raise Forbidden("only operators may call this, through auth's own sidecar")
