"""Key pairs for DKIM (RFC 6376, RFC 8301: RSA of 2048 bits, which every receiver knows)."""

import asyncio
from base64 import b64encode

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


async def new_key_pair() -> tuple[bytes, str]:
    """The private key in PEM, and the public one as it stands in the DNS; off the loop, as it takes a while."""
    return await asyncio.to_thread(_make)


def _make() -> tuple[bytes, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return private, b64encode(public).decode()
