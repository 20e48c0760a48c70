"""What email asks auth for: links with a fresh token, and addresses. Neither is kept or logged."""

from datetime import datetime
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from omnify_email.errors import NothingToSend, PermanentError, TransientError
from omnify_shared.access import Call
from omnify_shared.dapr.errors import SidecarError
from omnify_shared.invocation import Invoker


class Contact(BaseModel):
    """A person and their address."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    email: str
    full_name: str
    locale: str | None = None
    """A language tag (RFC 5646); None where none is known."""


class FreshToken(Contact):
    """A token minted for this mail alone; auth keeps its hash."""

    token: str
    expires_at: datetime


class Letter(Contact):
    """A mail about an account; `token` and `expires_at` only where it has a link."""

    token: str | None
    expires_at: datetime | None
    values: dict[str, str]


LETTER = Call("auth", "POST", "/internal/letters/{letter_id}")
MINT = Call("auth", "POST", "/internal/verifications/{verification_id}/token")
CONTACT = Call("auth", "GET", "/internal/users/{user_id}/contact")
CALLS = (MINT, CONTACT, LETTER)
A = TypeVar("A", bound=Contact)


class Auth:
    """The auth service, by service invocation. All methods raise NothingToSend, TransientError, PermanentError."""

    def __init__(self, invoker: Invoker, *, timeout: float) -> None:
        self._invoker = invoker
        self._timeout = timeout

    async def mint(self, verification_id: str) -> FreshToken:
        """A fresh token for an address that is still to be verified."""
        return await self._ask(MINT, {"verification_id": verification_id}, FreshToken)

    async def letter(self, letter_id: str) -> Letter:
        """A letter, with a fresh token if it has one."""
        return await self._ask(LETTER, {"letter_id": letter_id}, Letter)

    async def contact(self, user_id: str) -> Contact:
        """Where a user is reached."""
        return await self._ask(CONTACT, {"user_id": user_id}, Contact)

    async def _ask(self, call: Call, values: dict[str, str], model: type[A]) -> A:
        try:
            reply = await self._invoker.request(call, values, timeout=self._timeout)
        except SidecarError as error:
            raise TransientError(f"auth: {type(error).__name__}") from error
        if reply.status == HTTPStatus.NOT_FOUND:
            raise NothingToSend("auth no longer knows the reason for this mail")
        if reply.status >= 500 or reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise TransientError(f"auth: answered {reply.status}")
        if reply.status != HTTPStatus.OK:
            raise PermanentError(f"auth: refused with {reply.status}")
        try:
            return model.model_validate(reply.json())
        except (ValidationError, ValueError):
            raise PermanentError("auth: an answer that is not understood") from None
