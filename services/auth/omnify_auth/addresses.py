"""E-mail addresses: what is accepted, and the name under which one is claimed."""

import hmac
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError


def _checked(value: str) -> str:
    try:
        found = validate_email(value, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        raise PydanticCustomError("email", "{reason}", {"reason": str(error)}) from error
    return found.normalized


EmailAddress = Annotated[str, Field(max_length=254), AfterValidator(_checked)]
"""A syntactically valid address (RFC 5321 with RFC 6531), its domain in lower case. DNS is not asked."""


def digest(address: str, key: bytes) -> str:
    """HMAC-SHA256 (hex) of the address without case: the same mailbox in practice, so the same account."""
    return hmac.digest(key, address.casefold().encode(), "sha256").hex()
