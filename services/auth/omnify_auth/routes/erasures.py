"""The end of an account: `/api/auth/me/erasure`, `/api/auth/me/disable`, and for operators the same by user id."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Response, status

from omnify_auth.deps import NO_STORE, ServiceDep, from_own_sidecar
from omnify_auth.erasures import Erasure
from omnify_auth.schemas.erasures import ErasedServiceOut, ErasureAskedOut, ErasureIn, ErasureOut
from omnify_shared.identity import FreshPrincipal

router = APIRouter(prefix="/api/auth", tags=["auth"])
operators = APIRouter(prefix="/internal/users", dependencies=[Depends(from_own_sidecar)], include_in_schema=False)
StatusToken = Annotated[str, Header(alias="x-erasure-token", max_length=128)]


@router.post("/me/erasure", status_code=status.HTTP_202_ACCEPTED)
async def erase(form: ErasureIn, principal: FreshPrincipal, service: ServiceDep, response: Response) -> ErasureAskedOut:
    """Erases the user, who types their address: account, sessions and keys are gone at once, the rest follows.

    Organisations that nobody else belongs to are deleted, memberships of others end. 409 `owner-needed` names those
    that would be left without an owner. Every service deletes what it holds and says so; then a mail tells the former
    address. What stays: audit entries with ids, and the proof of consents under a pseudonym. Wants a fresh sign-in.
    """
    response.headers.update(NO_STORE)
    asked = await service.erasures.request(principal.user_id, form.email)
    return ErasureAskedOut(
        erasure_id=asked.erasure.erasure_id, status_token=asked.token, organizations=asked.erasure.organizations
    )


@router.get("/erasures/{erasure_id}")
async def erasure(erasure_id: UUID, service: ServiceDep, response: Response, token: StatusToken = "") -> ErasureOut:
    """How far an erasure is, for who has the token that it was answered with (`X-Erasure-Token`); 404 otherwise."""
    response.headers.update(NO_STORE)
    return _out(await service.erasures.status(str(erasure_id), token))


@router.post("/me/disable", status_code=status.HTTP_204_NO_CONTENT)
async def disable(principal: FreshPrincipal, service: ServiceDep) -> None:
    """Disables the account: all sessions end in every service, and it can't sign in. An operator lets it back in.

    Nothing is deleted. Wants a fresh sign-in.
    """
    await service.accounts.disable(principal.user_id, "user")


@operators.post("/{user_id}/disable", status_code=status.HTTP_204_NO_CONTENT)
async def disable_user(user_id: UUID, service: ServiceDep) -> None:
    """Disables an account. For operators, who call it through auth's own sidecar."""
    await service.accounts.disable(str(user_id), "operator")


@operators.post("/{user_id}/enable", status_code=status.HTTP_204_NO_CONTENT)
async def enable_user(user_id: UUID, service: ServiceDep) -> None:
    """Lets a disabled account sign in again."""
    await service.accounts.enable(str(user_id))


def _out(erasure: Erasure) -> ErasureOut:
    given = {receipt.service: receipt for receipt in erasure.receipts}
    rows = ((service, given.get(service)) for service in erasure.services)
    return ErasureOut(
        erasure_id=erasure.erasure_id,
        status="erased" if erasure.ended_at else "erasing",
        asked_at=erasure.asked_at,
        reminded_at=erasure.reminded_at,
        ended_at=erasure.ended_at,
        services=tuple(
            ErasedServiceOut(
                service=service,
                completed_at=receipt.completed_at if receipt else None,
                counts=receipt.counts if receipt else {},
            )
            for service, receipt in rows
        ),
    )
