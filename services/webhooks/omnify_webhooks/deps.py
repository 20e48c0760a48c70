"""Dependencies of the routes; the permission stands in each route's signature."""

from typing import Annotated

from fastapi import Depends

from omnify_shared.deps import service_of
from omnify_shared.identity import Principal, allowed, fresh
from omnify_webhooks.service import WebhooksService

NO_STORE = {"Cache-Control": "no-store"}
ServiceDep = Annotated[WebhooksService, Depends(service_of(WebhooksService))]
View = Annotated[Principal, Depends(allowed("integration:view"))]
Manage = Annotated[Principal, Depends(allowed("integration:manage"))]
JustProven = Depends(fresh)
"""Beside `Manage`, where a secret is shown that was made before: the caller has just signed in or stepped up."""
