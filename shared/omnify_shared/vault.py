"""Sealing what may not lie readable in a document, under a versioned key of the secret store."""

import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel, ConfigDict

from omnify_shared.problems import Unavailable
from omnify_shared.secrets import Secrets

KEY_BYTES = 32
_VERSIONED = re.compile(r"^(?:(\d+):)?([A-Za-z0-9_-]+=*)$")


class KeysUnavailable(Unavailable):
    """A key in the secret store is malformed, gone, or another one than a value was sealed with."""

    type, title = "keys-unavailable", "The keys can't be read"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, retry_after=5)


class Sealed(BaseModel):
    """Bytes encrypted with AES-256-GCM under version `key` of the key-encryption key; base64url fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: int
    nonce: str
    data: str


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
    if not keys or any(len(key) != KEY_BYTES for key in keys.values()):
        raise KeysUnavailable("a key in the secret store is not 32 bytes of base64url")
    return keys


class Vault:
    """AES-256-GCM under the newest version of the key `name`; old versions still open.

    The record's name is the associated data, so a sealed value can't be moved to another record.
    """

    def __init__(self, secrets: Secrets, name: str) -> None:
        self._secrets = secrets
        self._name = name

    async def seal(self, plain: bytes, record: str) -> Sealed:
        """Encrypts `plain` for `record`."""
        keys = versions(await self._secrets.get(self._name))
        version, nonce = max(keys), os.urandom(12)
        data = AESGCM(keys[version]).encrypt(nonce, plain, record.encode())
        return Sealed(key=version, nonce=encode(nonce), data=encode(data))

    async def open(self, sealed: Sealed, record: str) -> bytes:
        """Decrypts. Raises KeysUnavailable when the key is gone or is another one than the value was sealed with."""
        keys = versions(await self._secrets.get(self._name))
        try:
            cipher = AESGCM(keys[sealed.key])
            return cipher.decrypt(decode(sealed.nonce), decode(sealed.data), record.encode())
        except (KeyError, InvalidTag, ValueError) as error:
            raise KeysUnavailable(f"{record} was sealed with another {self._name}") from error
