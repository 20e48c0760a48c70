"""Dependencies of the routes."""

from typing import Annotated

from fastapi import Depends

from omnify_auth.service import AuthService
from omnify_shared.deps import service_of

ServiceDep = Annotated[AuthService, Depends(service_of(AuthService))]
