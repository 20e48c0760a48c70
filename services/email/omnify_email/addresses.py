"""Addresses of people: what of them is kept, and what is shown."""

import re
from email.headerregistry import Address

from omnify_email.vault import Vault

LONGEST = 254  # characters, RFC 5321 §4.5.3.1
# What we send to: no quoted local parts, no address literals.
PATTERN = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"
_SHAPE = re.compile(PATTERN)


def usable(address: str) -> bool:
    """Whether an address can stand in a header and an envelope, and is one alone."""
    if len(address) > LONGEST or not _SHAPE.fullmatch(address):
        return False
    try:
        Address(addr_spec=address)
    except (ValueError, IndexError):
        return False
    return True


def normalized(address: str) -> str:
    """One spelling for each mailbox. The local part's case counts for no mail server that is alive."""
    return address.strip().lower()


def masked(address: str) -> str:
    """What may be shown of an address: `a***@shop.example`."""
    local_part, _, domain = normalized(address).rpartition("@")
    return f"{local_part[:1]}***@{domain}"


class AddressKeys:
    """What an address is known by where it is not needed itself: a keyed digest, which nobody can guess back."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def of(self, address: str) -> str:
        """32 hexadecimal digits, the same for every spelling. Raises KeysUnavailable, SidecarUnavailable."""
        return (await self._vault.mac("address", normalized(address)))[:16].hex()
