"""`/api/organizations/{id}/members`: who belongs to the organisation, for those who may see or change it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response, status

from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.records import Membership, User
from omnify_auth.routes.organizations import ONE, PEOPLE, here, status_of
from omnify_auth.schemas.my_sessions import EndedOut
from omnify_auth.schemas.organizations import MemberChangeIn, MemberOut, MembersIn, MembersOut
from omnify_shared.identity import Principal, allowed, fresh

router = APIRouter(prefix=f"/api/organizations{ONE}/members", tags=["organizations"])
Viewer = Annotated[Principal, Depends(allowed("user:view"))]
Editor = Annotated[Principal, Depends(allowed("user:edit"))]
Remover = Annotated[Principal, Depends(allowed("user:delete"))]


@router.get("", dependencies=[PEOPLE])
async def members(
    organization_id: UUID,
    principal: Viewer,
    service: ServiceDep,
    response: Response,
    query: Annotated[MembersIn, Query()],
) -> MembersOut:
    """The members, page by page."""
    here(organization_id, principal)
    response.headers.update(NO_STORE)
    found = await service.members.page(principal, query.cursor, query.limit + 1)
    page = found[: query.limit]
    more = page[-1][0].user_id if len(found) > query.limit else None
    return MembersOut(members=tuple(_out(*row) for row in page), next_cursor=more)


@router.patch("/{user_id}", dependencies=[Depends(fresh)])
async def change(
    organization_id: UUID, user_id: UUID, form: MemberChangeIn, principal: Editor, service: ServiceDep
) -> MemberOut:
    """Gives a member other roles, or disables or enables them; holds in every service within seconds.

    Nobody can give or take what they lack themselves: 403. An organisation keeps an owner: 409. Wants a fresh sign-in.
    """
    here(organization_id, principal)
    membership = await service.members.change(principal, str(user_id), roles=form.roles, disabled=form.disabled)
    return _out(await service.directory.contact(str(user_id)), membership)


@router.post("/{user_id}/sign-out", dependencies=[Depends(fresh)])
async def sign_out(organization_id: UUID, user_id: UUID, principal: Editor, service: ServiceDep) -> EndedOut:
    """Ends a member's sessions that work in the organisation; every service refuses their tokens within seconds.

    403 for a member who may do more than the caller. Wants a fresh sign-in.
    """
    here(organization_id, principal)
    await service.members.note_sign_out(principal, str(user_id))
    return EndedOut(count=await service.session_list.end_in(str(user_id), principal.organization_id))


@router.post("/{user_id}/mfa-reset", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Depends(fresh)])
async def reset_factors(organization_id: UUID, user_id: UUID, principal: Editor, service: ServiceDep) -> None:
    """Takes the second factors of a member away who lost them and asked for it, and ends all of their sessions.

    409 where they did not ask within 72 hours (see `/api/auth/login/mfa/recovery`) or have none; 403 for a member who
    may do more than the caller. Wants a fresh sign-in.
    """
    here(organization_id, principal)
    await service.factor_recovery.grant(principal, str(user_id))


@router.delete("/{user_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Depends(fresh)])
async def remove(organization_id: UUID, user_id: UUID, principal: Remover, service: ServiceDep) -> None:
    """Takes a member away. 404 for anybody else, 409 for the last owner. Wants a fresh sign-in."""
    here(organization_id, principal)
    await service.members.remove(principal, str(user_id))


def _out(user: User, membership: Membership) -> MemberOut:
    return MemberOut(
        user_id=user.user_id,
        email=user.email,
        full_name=user.full_name,
        roles=membership.roles,
        status=status_of(membership),
    )
