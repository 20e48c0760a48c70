"""Keys from the secret store, and sealing what may not lie readable in a document."""

import asyncio
import hmac
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from omnify_email.errors import KeysUnavailable
from omnify_email.records import Root, Sealed
from omnify_shared.dapr.errors import AlreadyExists
from omnify_shared.documents import Documents
from omnify_shared.secrets import Secrets

KEY_ENCRYPTION_KEY = "email-key-encryption-key"
_KEY_BYTES = 32
_VERSIONED = re.compile(r"(?:(\d+):)?([A-Za-z0-9_-]+=*)")
_ROOT = "main"


def encode(raw: bytes) -> str:
    """Base64url without padding (RFC 4648 §5)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The bytes of base64url text, padded or not. Raises ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Vault:
    """AES-256-GCM under the newest version of the key-encryption key; old versions still open.

    The record's name is the associated data, so a sealed value can't be moved to another record. Keys for other
    purposes come from one random root, made once for all replicas and kept sealed in a document.
    """

    def __init__(self, secrets: Secrets, roots: Documents[Root]) -> None:
        self._secrets = secrets
        self._roots = roots
        self._lock = asyncio.Lock()
        self._root: bytes | None = None

    async def seal(self, plain: bytes, record: str) -> Sealed:
        """Encrypts `plain` for `record`. Raises KeysUnavailable, SidecarUnavailable."""
        keys = await self._keys()
        version, nonce = max(keys), os.urandom(12)
        data = AESGCM(keys[version]).encrypt(nonce, plain, record.encode())
        return Sealed(key=version, nonce=encode(nonce), data=encode(data))

    async def open(self, sealed: Sealed, record: str) -> bytes:
        """Decrypts. Raises KeysUnavailable when the key is gone or another one than the value was sealed with."""
        keys = await self._keys()
        try:
            return AESGCM(keys[sealed.key]).decrypt(decode(sealed.nonce), decode(sealed.data), record.encode())
        except (KeyError, InvalidTag, ValueError) as error:
            raise KeysUnavailable(f"{record} was sealed with another {KEY_ENCRYPTION_KEY}") from error

    async def mac(self, purpose: str, text: str) -> bytes:
        """The HMAC-SHA256 of a text under the key for a purpose, the same in every replica."""
        if self._root is None:
            async with self._lock:
                self._root = self._root or await self._load_or_make()
        key = HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"omnify-email {purpose}".encode()).derive(self._root)
        return hmac.new(key, text.encode(), sha256).digest()

    async def _keys(self) -> dict[int, bytes]:
        """The keys in the secret: `<key>` alone is version 1; to rotate, `2:<new> 1:<old>`."""
        found = [_VERSIONED.fullmatch(part) for part in (await self._secrets.get(KEY_ENCRYPTION_KEY)).split()]
        try:
            keys = {int(match[1] or 1): decode(match[2]) for match in found if match}
        except ValueError as error:
            raise KeysUnavailable("a key in the secret store is malformed") from error
        if not keys or len(keys) != len(found) or any(len(key) != _KEY_BYTES for key in keys.values()):
            raise KeysUnavailable("a key in the secret store is not 32 bytes of base64url")
        return keys

    async def _load_or_make(self) -> bytes:
        stored = await self._roots.get(_ROOT)
        if stored is None:
            made = Root(sealed=await self.seal(os.urandom(_KEY_BYTES), f"root/{_ROOT}"))
            try:
                stored = (await self._roots.create(_ROOT, value=made)).value
            except AlreadyExists:
                stored = await self._roots.get(_ROOT)
        if stored is None:
            raise KeysUnavailable("the root key vanished")
        return await self.open(stored.sealed, f"root/{_ROOT}")
