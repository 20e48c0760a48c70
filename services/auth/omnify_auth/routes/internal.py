"""`/internal` for the email service, which its sidecar names."""

from uuid import UUID

from fastapi import APIRouter, Depends, Response

from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.schemas.internal import ContactOut, LetterOut, MintedTokenOut
from omnify_shared.identity import require_caller

router = APIRouter(prefix="/internal", dependencies=[Depends(require_caller("email"))], include_in_schema=False)


@router.post("/verifications/{verification_id}/token")
async def mint(verification_id: UUID, service: ServiceDep, response: Response) -> MintedTokenOut:
    """A fresh token for a verification mail."""
    response.headers.update(NO_STORE)
    return await service.verifications.mint(str(verification_id))


@router.post("/letters/{letter_id}")
async def letter(letter_id: UUID, service: ServiceDep, response: Response) -> LetterOut:
    """A letter to send now, with a fresh token if it has one."""
    response.headers.update(NO_STORE)
    return await service.letters.send(str(letter_id))


@router.get("/users/{user_id}/contact")
async def contact(user_id: UUID, service: ServiceDep) -> ContactOut:
    """Where to write to a user."""
    user = await service.directory.contact(str(user_id))
    return ContactOut(email=user.email, full_name=user.full_name, locale=user.locale)
