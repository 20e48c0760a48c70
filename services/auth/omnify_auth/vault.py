"""Keys from the secret store, and sealing what may not lie readable in a document."""

import asyncio
import os

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from omnify_auth.records import RootKey
from omnify_shared import vault
from omnify_shared.dapr.errors import AlreadyExists
from omnify_shared.documents import Documents
from omnify_shared.secrets import Secrets
from omnify_shared.vault import KEY_BYTES, KeysUnavailable, decode, encode, versions

__all__ = ["KEY_ENCRYPTION_KEY", "PEPPER", "RootKeys", "Vault", "decode", "derive", "encode", "versions"]

PEPPER = "auth-pepper"
KEY_ENCRYPTION_KEY = "auth-key-encryption-key"


def derive(root: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"omnify-auth {purpose}".encode()).derive(root)


class Vault(vault.Vault):
    """Auth's vault, and the password pepper beside its key."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__(secrets, KEY_ENCRYPTION_KEY)

    async def peppers(self) -> dict[int, bytes]:
        """All versions of the password pepper; the highest is current."""
        return versions(await self._secrets.get(PEPPER))


class RootKeys:
    """The keys derived from one random root, made once for all replicas and kept sealed in a document."""

    RECORD = "main"

    def __init__(self, documents: Documents[RootKey], vault: Vault) -> None:
        self._documents = documents
        self._vault = vault
        self._lock = asyncio.Lock()
        self._derived: dict[str, bytes] = {}
        self._root: bytes | None = None

    async def key(self, purpose: str) -> bytes:
        """The key for a purpose, the same in every replica. Raises KeysUnavailable, SidecarUnavailable."""
        if purpose not in self._derived:
            async with self._lock:
                self._root = self._root or await self._load_or_make()
                self._derived[purpose] = derive(self._root, purpose)
        return self._derived[purpose]

    async def _load_or_make(self) -> bytes:
        stored = await self._documents.get(self.RECORD)
        if stored is None:
            stored = await self._make()
        return await self._vault.open(stored.sealed, f"root/{self.RECORD}")

    async def _make(self) -> RootKey:
        made = RootKey(sealed=await self._vault.seal(os.urandom(KEY_BYTES), f"root/{self.RECORD}"))
        try:
            return (await self._documents.create(self.RECORD, value=made)).value
        except AlreadyExists:
            stored = await self._documents.get(self.RECORD)
            if stored is None:
                raise KeysUnavailable("the root key vanished") from None
            return stored
