"""Dependencies of the routes; the permission stands in each route's signature."""

from typing import Annotated

from fastapi import Depends

from omnify_analytics.service import AnalyticsService
from omnify_shared.deps import service_of
from omnify_shared.identity import Principal, allowed

ServiceDep = Annotated[AnalyticsService, Depends(service_of(AnalyticsService))]
AnalyticsView = Annotated[Principal, Depends(allowed("analytics:view"))]
AnalyticsAdmin = Annotated[Principal, Depends(allowed("analytics:admin"))]
