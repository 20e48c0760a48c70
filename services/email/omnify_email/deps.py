"""Dependencies of the routes."""

from typing import Annotated

from fastapi import Depends

from omnify_email.service import EmailService
from omnify_shared.deps import service_of

ServiceDep = Annotated[EmailService, Depends(service_of(EmailService))]
