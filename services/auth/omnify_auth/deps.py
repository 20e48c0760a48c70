"""Dependencies of the routes."""

from typing import Annotated

from fastapi import Depends
from omnify_shared.deps import service_of

from omnify_auth.service import AuthService

ServiceDep = Annotated[AuthService, Depends(service_of(AuthService))]
