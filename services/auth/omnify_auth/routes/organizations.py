"""`/api/organizations`: those that the signed-in user belongs to, and the one that the session works in."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response, status

from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.records import Membership, Organization
from omnify_auth.routes.sessions import user_out
from omnify_auth.schemas.organizations import (
    DeletionIn,
    DeletionOut,
    MemberStatus,
    MyOrganizationOut,
    MyOrganizationsOut,
    OrganizationIn,
    OrganizationOut,
    SwitchedOut,
    TransferIn,
)
from omnify_shared.identity import CurrentPrincipal, LimitedPrincipal, Principal, allowed, current_principal, fresh
from omnify_shared.problems import NotFound

router = APIRouter(prefix="/api/organizations", tags=["organizations"])
ONE = "/{organization_id:uuid}"
PEOPLE = Depends(current_principal)
Editor = Annotated[Principal, Depends(allowed("org:edit"))]
Owner = Annotated[Principal, Depends(allowed("org:admin"))]
_DELETING = DeletionOut(status="deleting", message="Access has ended; what is held for the organisation is erased.")


def here(organization_id: UUID, principal: Principal) -> None:
    """Raises NotFound for any other organisation than the one that the session works in."""
    if str(organization_id) != principal.organization_id:
        raise NotFound("no such organisation, or not the one that this session works in: switch to it first")


@router.get("")
async def mine(principal: LimitedPrincipal, service: ServiceDep, response: Response) -> MyOrganizationsOut:
    """The user's organisations."""
    response.headers.update(NO_STORE)
    found = await service.organizations.of(principal.user_id)
    rows = tuple(_mine(one, membership, principal) for one, membership in found)
    return MyOrganizationsOut(organizations=rows, count=len(rows))


@router.post("", status_code=status.HTTP_201_CREATED)
async def create(form: OrganizationIn, principal: CurrentPrincipal, service: ServiceDep) -> OrganizationOut:
    """Founds another organisation, owned by the user. The session works where it did: see `/switch`."""
    return _out(await service.organizations.found(principal.user_id, form.name))


@router.get(ONE)
async def one(organization_id: UUID, principal: CurrentPrincipal, service: ServiceDep) -> OrganizationOut:
    """The organisation that the session works in. 404 for any other."""
    here(organization_id, principal)
    return _out(await service.organizations.one(principal.organization_id))


@router.patch(ONE, dependencies=[PEOPLE])
async def rename(
    organization_id: UUID, form: OrganizationIn, principal: Editor, service: ServiceDep
) -> OrganizationOut:
    """Gives the organisation another name."""
    here(organization_id, principal)
    return _out(await service.organizations.rename(principal, form.name))


@router.post(f"{ONE}/switch")
async def switch(
    organization_id: UUID, principal: LimitedPrincipal, service: ServiceDep, response: Response
) -> SwitchedOut:
    """Has the session work in another organisation of the user's, and remembers it for the next sign-in.

    The user's access tokens of before are refused within seconds; refresh tokens go on.
    """
    response.headers.update(NO_STORE)
    session, user = await service.organizations.switch(principal, str(organization_id))
    access, roles = await service.sessions.access(session, user)
    return SwitchedOut(
        access_token=access.text,
        token_type="Bearer",  # noqa: S106 - RFC 6750's name
        expires_in=access.expires_in,
        session_id=session.session_id,
        mfa_enrolment_required=access.limited,
        user=user_out(user, session.organization_id, roles),
    )


@router.post(f"{ONE}/transfer", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Depends(fresh)])
async def transfer(organization_id: UUID, form: TransferIn, principal: Owner, service: ServiceDep) -> None:
    """Makes another member owner; the caller steps down to admin. Wants a fresh sign-in."""
    here(organization_id, principal)
    await service.members.transfer(principal, form.user_id)


@router.post(f"{ONE}/leave", status_code=status.HTTP_204_NO_CONTENT)
async def leave(organization_id: UUID, principal: CurrentPrincipal, service: ServiceDep) -> None:
    """Ends the user's membership in any of their organisations. 409 for its last owner."""
    await service.members.leave(principal.user_id, str(organization_id))


@router.post(f"{ONE}/deletion", status_code=status.HTTP_202_ACCEPTED, dependencies=[Depends(fresh)])
async def delete(organization_id: UUID, form: DeletionIn, principal: Owner, service: ServiceDep) -> DeletionOut:
    """Deletes the organisation, for an owner who types its name: access of all ends, its data is erased.

    Wants a fresh sign-in. It can't be undone.
    """
    here(organization_id, principal)
    await service.organizations.delete(principal, form.name)
    return _DELETING


def status_of(membership: Membership) -> MemberStatus:
    """What the API calls it."""
    return "disabled" if membership.disabled_at else "active"


def _out(organization: Organization) -> OrganizationOut:
    return OrganizationOut(
        organization_id=organization.organization_id, name=organization.name, created_at=organization.created_at
    )


def _mine(organization: Organization, membership: Membership, principal: Principal) -> MyOrganizationOut:
    return MyOrganizationOut(
        **_out(organization).model_dump(),
        roles=membership.roles,
        status=status_of(membership),
        is_current=organization.organization_id == principal.organization_id,
    )
