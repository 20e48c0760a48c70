"""`/api/sessions`: where the signed-in user is signed in, and ending that."""

from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response, status

from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.devices import described
from omnify_auth.schemas.my_sessions import EndedOut, SessionOut, SessionPolicyIn, SessionPolicyOut, SessionsOut
from omnify_auth.service.session_list import LiveSession
from omnify_auth.service.session_policy import Lengths
from omnify_shared.identity import CurrentPrincipal, Principal, allowed, fresh

router = APIRouter(prefix="/api/sessions", tags=["sessions"])
Owner = Annotated[Principal, Depends(allowed("org:admin"))]


@router.get("")
async def sessions(principal: CurrentPrincipal, service: ServiceDep, response: Response) -> SessionsOut:
    """The user's sessions that go on, newest first."""
    response.headers.update(NO_STORE)
    live = await service.session_list.shown(principal.user_id)
    return SessionsOut(sessions=tuple(_out(one, principal.session_id) for one in live), count=len(live))


@router.post("/revoke-others")
async def revoke_others(principal: CurrentPrincipal, service: ServiceDep) -> EndedOut:
    """Ends all of the user's sessions but this one; every service refuses their tokens within seconds."""
    count = await service.session_list.end_all(principal.user_id, kept=principal.session_id)
    return EndedOut(count=count)


@router.post("/revoke-all")
async def revoke_all(principal: CurrentPrincipal, service: ServiceDep) -> EndedOut:
    """Ends all of the user's sessions, this one too."""
    return EndedOut(count=await service.session_list.end_all(principal.user_id))


@router.get("/policy")
async def policy(principal: CurrentPrincipal, service: ServiceDep) -> SessionPolicyOut:
    """How long sessions of the caller's organisation last."""
    lengths = await service.session_policies.lengths(principal.organization_id)
    return SessionPolicyOut.of(lengths.idle, lengths.overall)


@router.put("/policy", dependencies=[Depends(fresh)])
async def set_policy(form: SessionPolicyIn, principal: Owner, service: ServiceDep) -> SessionPolicyOut:
    """Shortens the sessions of the organisation, from the next sign-ins on; more than the service's own is refused.

    Wants a fresh sign-in: 401 `reauthentication-required` otherwise.
    """
    wanted = Lengths(timedelta(minutes=form.idle_minutes), timedelta(minutes=form.overall_minutes))
    set_to = await service.session_policies.change(principal.organization_id, principal.user_id, wanted)
    return SessionPolicyOut.of(set_to.idle, set_to.overall)


@router.delete("/device/{device_id}")
async def revoke_device(device_id: str, principal: CurrentPrincipal, service: ServiceDep) -> EndedOut:
    """Ends the user's sessions on one device."""
    return EndedOut(count=await service.session_list.end_device(principal.user_id, device_id))


@router.delete("/{session_id:uuid}", status_code=status.HTTP_204_NO_CONTENT)
async def revoke(session_id: UUID, principal: CurrentPrincipal, service: ServiceDep) -> None:
    """Ends one of the user's sessions. 404 for any other."""
    await service.session_list.end(principal.user_id, str(session_id))


def _out(one: LiveSession, current: str) -> SessionOut:
    seen, session = one.seen, one.session
    acts = (session.signed_in_at, session.authenticated_at, session.spent.at if session.spent else None)
    return SessionOut(
        session_id=seen.session_id,
        device_id=seen.device_id,
        device_info=described(seen.user_agent),
        user_agent=seen.user_agent,
        network=seen.network,
        created_at=session.signed_in_at,
        last_activity=max(act for act in acts if act),
        expires_at=session.expires_at,
        idle_expires_at=session.idle_expires_at,
        is_current=seen.session_id == current,
    )
