"""`/api/email/domains`: domains that an organisation sends from."""

from uuid import UUID

from fastapi import APIRouter, status

from omnify_email.deps import ServiceDep, SettingsEditor, SettingsViewer
from omnify_email.records import SenderDomain
from omnify_email.schemas.domains import DomainIn, DomainOut, DomainsOut
from omnify_email.service import EmailService

router = APIRouter(prefix="/api/email/domains", tags=["sender domains"])
ONE = "/{domain_id:uuid}"


@router.get("")
async def listed(principal: SettingsViewer, service: ServiceDep) -> DomainsOut:
    """The organisation's sender domains."""
    found = await service.domains.listed(principal.organization_id)
    return DomainsOut(domains=[_out(service, domain) for domain in found])


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(form: DomainIn, principal: SettingsEditor, service: ServiceDep) -> DomainOut:
    """Adds a domain and says which records to set; it may be used once they are found."""
    return _out(service, await service.domains.create(principal.organization_id, form.domain))


@router.get(ONE)
async def one(domain_id: UUID, principal: SettingsViewer, service: ServiceDep) -> DomainOut:
    """A sender domain and how its records stand."""
    return _out(service, await service.domains.one(principal.organization_id, str(domain_id)))


@router.post(f"{ONE}/verify")
async def verify(domain_id: UUID, principal: SettingsEditor, service: ServiceDep) -> DomainOut:
    """Looks the records up now. A domain whose records went away may no longer be used."""
    return _out(service, await service.domains.verify(principal.organization_id, str(domain_id)))


@router.delete(ONE, status_code=status.HTTP_204_NO_CONTENT)
async def delete(domain_id: UUID, principal: SettingsEditor, service: ServiceDep) -> None:
    """Takes a domain away; mails from it that still wait are not sent."""
    await service.domains.delete(principal.organization_id, str(domain_id))


def _out(service: EmailService, domain: SenderDomain) -> DomainOut:
    return DomainOut.of(domain, service.domains.records(domain))
