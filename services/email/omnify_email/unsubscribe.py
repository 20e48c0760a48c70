"""Links by which whoever got a mail turns its category off (RFC 8058): signed, without an address, good for ever."""

import hmac
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from omnify_email.catalogue import Choice
from omnify_email.vault import Vault, decode, encode

LONGEST = 512  # characters
PATH = "/api/email/unsubscribe"
_MAC_BYTES = 16


class _Claims(BaseModel):
    """`o` organisation, `k` digest of the address, `c` category, `m` the mail."""

    o: str
    k: str
    c: Choice
    m: str


@dataclass(frozen=True, slots=True)
class Wish:
    """Whoever holds the link wants no more mails of a category from an organisation."""

    organization_id: str
    address_key: str
    category: Choice
    message_id: str


class UnsubscribeLinks:
    """Makes and reads the links."""

    def __init__(self, vault: Vault, public_url: str) -> None:
        self._vault = vault
        self._start = f"{public_url.rstrip('/')}{PATH}/"

    async def link(self, wish: Wish) -> str:
        """The link of one mail."""
        claims = _Claims(o=wish.organization_id, k=wish.address_key, c=wish.category, m=wish.message_id)
        body = encode(claims.model_dump_json().encode())
        return f"{self._start}{body}.{encode(await self._mac(body))}"

    async def read(self, token: str) -> Wish | None:
        """What a link asks for; None for one that is not ours."""
        body, _, mac = token.partition(".")
        try:
            if len(token) > LONGEST or not hmac.compare_digest(decode(mac), await self._mac(body)):
                return None
            claims = _Claims.model_validate_json(decode(body))
        except (ValueError, ValidationError):
            return None
        return Wish(claims.o, claims.k, claims.c, claims.m)

    async def _mac(self, body: str) -> bytes:
        return (await self._vault.mac("unsubscribe", body))[:_MAC_BYTES]
