"""`/api/email/suppressions`: addresses that an organisation does not write to."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, status

from omnify_email.deps import ServiceDep, SettingsEditor, SettingsViewer
from omnify_email.schemas.queries import SuppressionsQuery
from omnify_email.schemas.standings import SuppressionOut, SuppressionsIn, SuppressionsOut

router = APIRouter(prefix="/api/email/suppressions", tags=["suppressions"])
Id = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


@router.get("")
async def listed(
    principal: SettingsViewer, service: ServiceDep, query: Annotated[SuppressionsQuery, Query()]
) -> SuppressionsOut:
    """The organisation's suppressions; with `to` that of one address."""
    if query.to is not None:
        found = await service.standings.find(principal.organization_id, query.to)
        shown = [SuppressionOut.of(found)] if found else []
        return SuppressionsOut(suppressions=[one for one in shown if one.reasons], next_cursor=None)
    page = await service.standings.listed(principal.organization_id, query.cursor, query.limit)
    return SuppressionsOut(suppressions=[SuppressionOut.of(one) for one in page.items], next_cursor=page.next_cursor)


@router.post("", status_code=status.HTTP_201_CREATED)
async def add(form: SuppressionsIn, principal: SettingsEditor, service: ServiceDep) -> SuppressionsOut:
    """Stops mails to addresses; one that is listed already stays listed."""
    added = await service.standings.add(principal.organization_id, form.emails, form.note)
    return SuppressionsOut(suppressions=[SuppressionOut.of(one) for one in added], next_cursor=None)


@router.delete("/{suppression_id}", status_code=status.HTTP_204_NO_CONTENT)
async def lift(suppression_id: Id, principal: SettingsEditor, service: ServiceDep) -> None:
    """Lets mails go to an address again. What its owner turned off stays off."""
    await service.standings.lift(principal.organization_id, suppression_id)
