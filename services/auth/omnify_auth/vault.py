"""Keys from the secret store, and sealing what may not lie readable in a document."""

import asyncio
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from omnify_auth.errors import KeysUnavailable
from omnify_auth.records import RootKey, Sealed
from omnify_shared.dapr.errors import AlreadyExists
from omnify_shared.documents import Documents
from omnify_shared.secrets import Secrets

PEPPER = "auth-pepper"
KEY_ENCRYPTION_KEY = "auth-key-encryption-key"
_KEY_BYTES = 32
_VERSIONED = re.compile(r"^(?:(\d+):)?([A-Za-z0-9_-]+=*)$")


def encode(raw: bytes) -> str:
    """Base64url without padding (RFC 4648 §5)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of base64url text, padded or not. Raises ValueError."""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except Base64Error as error:
        raise ValueError("not base64url") from error


def versions(secret: str) -> dict[int, bytes]:
    """The 32-byte keys in a secret: `<key>` alone is version 1; to rotate, `2:<new> 1:<old>`.

    Raises KeysUnavailable for anything else; a short key is refused, never stretched.
    """
    keys: dict[int, bytes] = {}
    for part in secret.split():
        if not (match := _VERSIONED.match(part)):
            raise KeysUnavailable("a key in the secret store is malformed")
        try:
            keys[int(match[1] or 1)] = decode(match[2])
        except ValueError as error:
            raise KeysUnavailable("a key in the secret store is malformed") from error
    if not keys or any(len(key) != _KEY_BYTES for key in keys.values()):
        raise KeysUnavailable("a key in the secret store is not 32 bytes of base64url")
    return keys


def derive(root: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"omnify-auth {purpose}".encode()).derive(root)


class Vault:
    """AES-256-GCM under the newest version of the key-encryption key; old versions still open.

    The record's name is the associated data, so a sealed value can't be moved to another record.
    """

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    async def peppers(self) -> dict[int, bytes]:
        """All versions of the password pepper; the highest is current."""
        return versions(await self._secrets.get(PEPPER))

    async def seal(self, plain: bytes, record: str) -> Sealed:
        """Encrypts `plain` for `record`."""
        keys = versions(await self._secrets.get(KEY_ENCRYPTION_KEY))
        version, nonce = max(keys), os.urandom(12)
        data = AESGCM(keys[version]).encrypt(nonce, plain, record.encode())
        return Sealed(key=version, nonce=encode(nonce), data=encode(data))

    async def open(self, sealed: Sealed, record: str) -> bytes:
        """Decrypts. Raises KeysUnavailable when the key is gone or is another one than the value was sealed with."""
        keys = versions(await self._secrets.get(KEY_ENCRYPTION_KEY))
        try:
            cipher = AESGCM(keys[sealed.key])
            return cipher.decrypt(decode(sealed.nonce), decode(sealed.data), record.encode())
        except (KeyError, InvalidTag, ValueError) as error:
            raise KeysUnavailable(f"{record} was sealed with another {KEY_ENCRYPTION_KEY}") from error


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
        made = RootKey(sealed=await self._vault.seal(os.urandom(_KEY_BYTES), f"root/{self.RECORD}"))
        try:
            return (await self._documents.create(self.RECORD, value=made)).value
        except AlreadyExists:
            stored = await self._documents.get(self.RECORD)
            if stored is None:
                raise KeysUnavailable("the root key vanished") from None
            return stored
