"""`/api/organizations/…/invitations`: asking people to join, and joining."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response, status

from omnify_auth.deps import NO_STORE, LanguageDep, ServiceDep
from omnify_auth.rosters import Invitation
from omnify_auth.routes.organizations import ONE, PEOPLE, here
from omnify_auth.schemas.organizations import (
    InvitationIn,
    InvitationOut,
    InvitationsOut,
    InvitationTokenIn,
    InvitedIn,
    JoinedOut,
    OfferOut,
)
from omnify_shared.identity import CurrentPrincipal, Principal, allowed

router = APIRouter(prefix=f"/api/organizations{ONE}/invitations", tags=["organizations"], dependencies=[PEOPLE])
links = APIRouter(prefix="/api/organizations/invitations", tags=["organizations"])
Inviter = Annotated[Principal, Depends(allowed("user:invite"))]


@router.post("", status_code=status.HTTP_201_CREATED)
async def invite(organization_id: UUID, form: InvitationIn, principal: Inviter, service: ServiceDep) -> InvitationOut:
    """Mails an invitation, for 72 hours and one use; a link that the address got before is void.

    The answer does not tell whether the address has an account; 409 for a member's. An address gets at most five mails
    in ten minutes: more invitations are kept and mail nothing.
    """
    here(organization_id, principal)
    return _out(await service.invitations.invite(principal, form.email, form.role))


@router.get("")
async def invitations(
    organization_id: UUID, principal: Inviter, service: ServiceDep, response: Response
) -> InvitationsOut:
    """The open invitations."""
    here(organization_id, principal)
    response.headers.update(NO_STORE)
    found = await service.invitations.of(principal)
    return InvitationsOut(invitations=tuple(_out(one) for one in found), count=len(found))


@router.delete("/{invitation_id}", status_code=status.HTTP_204_NO_CONTENT)
async def withdraw(organization_id: UUID, invitation_id: UUID, principal: Inviter, service: ServiceDep) -> None:
    """Voids an open invitation."""
    here(organization_id, principal)
    await service.invitations.withdraw(principal, str(invitation_id))


@links.post("/preview")
async def preview(form: InvitationTokenIn, service: ServiceDep, response: Response) -> OfferOut:
    """What a mailed link invites to, for its page. 400 `invalid-token`."""
    response.headers.update(NO_STORE)
    offer = await service.invitations.offer(form.token)
    return OfferOut(
        organization_name=offer.organization_name,
        email=offer.invitation.email,
        role=offer.invitation.role,
        expires_at=offer.invitation.expires_at,
        has_account=offer.has_account,
    )


@links.post("/accept")
async def accept(form: InvitationTokenIn, principal: CurrentPrincipal, service: ServiceDep) -> JoinedOut:
    """Joins, for the signed-in user whose address was invited: 403 for another. 400 `invalid-token`."""
    organization_id = await service.invitations.accept(principal.user_id, form.token)
    return JoinedOut(status="joined", organization_id=organization_id)


@links.post("/register", status_code=status.HTTP_201_CREATED)
async def register(form: InvitedIn, language: LanguageDep, service: ServiceDep) -> JoinedOut:
    """Makes an account of the invited address, which the link proves, and joins with it; signs nobody in.

    400 `invalid-token`; 409 where the address has an account: sign in and accept.
    """
    locale = form.locale or language
    organization_id = await service.invitations.register(form.token, form.full_name, form.password, locale)
    return JoinedOut(status="joined", organization_id=organization_id)


def _out(one: Invitation) -> InvitationOut:
    return InvitationOut(**one.model_dump(include=set(InvitationOut.model_fields)))
