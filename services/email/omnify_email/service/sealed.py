"""The part of a request that names people: sealed as one, opened for each mail."""

from pydantic import BaseModel

from omnify_email.records import MessageRequest, Sealed
from omnify_email.vault import Vault


class Recipient(BaseModel):
    """Whom a mail goes to, and what it says to them."""

    email: str
    name: str | None = None
    values: dict[str, str] = {}


class Private(BaseModel):
    """What is sealed of a request: what all its mails say, and what each says besides."""

    values: dict[str, str] = {}
    recipients: tuple[Recipient, ...]


class Sealing:
    """Seals for one request, so that nothing can be moved to another one."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def seal(self, organization_id: str, request_id: str, private: Private) -> Sealed:
        """The recipients and values of a request, encrypted."""
        return await self._vault.seal(private.model_dump_json().encode(), _record(organization_id, request_id))

    async def open(self, request: MessageRequest) -> Private:
        """The recipients and values of a request. Raises KeysUnavailable."""
        raw = await self._vault.open(request.sealed, _record(request.organization_id, request.request_id))
        return Private.model_validate_json(raw)


def _record(organization_id: str, request_id: str) -> str:
    return f"request/{organization_id}/{request_id}"
