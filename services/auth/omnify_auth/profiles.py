"""A key for each user, under which what tells who they are is sealed. Without the key no copy of it can be read."""

import os
import time
from collections import OrderedDict

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from omnify_auth.records import Record
from omnify_auth.vault import Vault
from omnify_shared.dapr.errors import AlreadyExists
from omnify_shared.documents import Documents, Seen
from omnify_shared.vault import KeysUnavailable, Sealed, decode, encode

VERSION = 1
_KEPT = 4096  # keys in memory
_KEPT_FOR = 60.0  # seconds; as long a replica may still read what another one has shredded
_KEY_BYTES = 32


class ProfileKey(Record):
    """The key of one user, sealed under the key-encryption key. Deleted when they are erased, and never made again."""

    user_id: str
    sealed: Sealed


class ProfileKeys:
    """AES-256-GCM; user and record are the associated data, so a sealed value can't be moved to another one."""

    def __init__(self, documents: Documents[ProfileKey], vault: Vault) -> None:
        self._documents = documents
        self._vault = vault
        self._known: OrderedDict[str, tuple[float, AESGCM]] = OrderedDict()

    async def seal(self, user_id: str, plain: bytes, record: str, *, seen: Seen[ProfileKey] | None = None) -> Sealed:
        """Encrypts `plain` for a record of the user; makes the key when there is none. `seen` if it was just read."""
        cipher = await self._cipher(user_id, seen) or await self._make(user_id)
        nonce = os.urandom(12)
        data = cipher.encrypt(nonce, plain, _about(user_id, record))
        return Sealed(key=VERSION, nonce=encode(nonce), data=encode(data))

    async def open(self, user_id: str, sealed: Sealed, record: str) -> bytes | None:
        """Decrypts; None when the key was shredded. Raises KeysUnavailable where the value is another record's."""
        cipher = await self._cipher(user_id)
        if cipher is None:
            return None
        try:
            return cipher.decrypt(decode(sealed.nonce), decode(sealed.data), _about(user_id, record))
        except (InvalidTag, ValueError) as error:
            raise KeysUnavailable(f"{record} was sealed with another profile key") from error

    async def shred(self, user_id: str) -> bool:
        """Deletes the key; whether there was one."""
        self._known.pop(user_id, None)
        known = await self._documents.get(user_id) is not None
        await self._documents.delete(user_id)
        return known

    async def _cipher(self, user_id: str, seen: Seen[ProfileKey] | None = None) -> AESGCM | None:
        known = self._known.get(user_id)
        if known and time.monotonic() - known[0] < _KEPT_FOR:
            return known[1]
        stored = seen.value if seen else await self._documents.get(user_id)
        return self._keep(user_id, await self._vault.open(stored.sealed, _name(user_id))) if stored else None

    async def _make(self, user_id: str) -> AESGCM:
        key = os.urandom(_KEY_BYTES)
        made = ProfileKey(user_id=user_id, sealed=await self._vault.seal(key, _name(user_id)))
        try:
            await self._documents.create(user_id, value=made)
        except AlreadyExists:
            found = await self._cipher(user_id)
            if found is None:
                raise KeysUnavailable("the profile key vanished") from None
            return found
        return self._keep(user_id, key)

    def _keep(self, user_id: str, key: bytes) -> AESGCM:
        cipher = AESGCM(key)
        self._known[user_id] = (time.monotonic(), cipher)
        self._known.move_to_end(user_id)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return cipher


def _name(user_id: str) -> str:
    return f"profile_key/{user_id}"


def _about(user_id: str, record: str) -> bytes:
    return f"user/{user_id}/{record}".encode()
