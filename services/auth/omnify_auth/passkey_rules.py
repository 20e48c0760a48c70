"""What a passkey says of itself, without the libraries that check its signature: they take long to import."""

from typing import Any
from uuid import UUID

from omnify_auth.errors import InvalidPasskey
from omnify_auth.records import Passkey
from omnify_auth.vault import decode

Credential = dict[str, Any]


def owner_of(credential: Credential) -> str:
    """The user id that a passkey carries, as its authenticator tells. Raises InvalidPasskey."""
    try:
        return str(UUID(bytes=decode(credential["response"]["userHandle"])))
    except (LookupError, TypeError, ValueError, AttributeError):
        raise InvalidPasskey from None


def went_back(before: Passkey, after: Passkey) -> bool:
    """Whether a counter did not grow, as a copy's would not (WebAuthn §6.1.1). Many authenticators have none: 0."""
    return max(before.sign_count, after.sign_count) > 0 and after.sign_count <= before.sign_count
