"""Refusing weak passwords, wherever one is set."""

from collections.abc import Iterable

from pydantic import JsonValue

from omnify_auth.passwords import weakness
from omnify_auth.settings import AuthSettings
from omnify_shared.problems import Unprocessable


def refuse_weak(password: str, field: str, context: Iterable[str], settings: AuthSettings) -> None:
    """Raises Unprocessable with the reason at `field` of the body when the password is a weak one."""
    reason = weakness(
        password, frozenset(context), shortest=settings.password_min_length, longest=settings.password_max_length
    )
    if reason:
        errors: list[JsonValue] = [{"in": "body", "field": field, "reason": reason}]
        raise Unprocessable(f"{field}: {reason}", errors=errors)
