"""What a user's second factors amount to: pure rules over the document."""

from omnify_auth.records import Factors

TOTP = "totp"
PASSKEY = "passkey"
RECOVERY_CODE = "recovery_code"
OTP_PROVEN = ("otp", "mfa")
"""What a one-time or recovery code adds to the methods of a sign-in (RFC 8176)."""
PASSKEY_PROVEN = ("pop", "user", "mfa")
"""What a passkey adds: it is something one has, and is only unlocked by its user."""


def enrolled(factors: Factors | None) -> tuple[str, ...]:
    """The factors that are set up; recovery codes are none, they only stand in for one."""
    if factors is None:
        return ()
    return (*((TOTP,) if factors.totp else ()), *((PASSKEY,) if factors.passkeys else ()))


def methods_of(factors: Factors | None) -> tuple[str, ...]:
    """By what the second step of a sign-in can be taken; nothing when it is not wanted."""
    found = enrolled(factors)
    return (*found, RECOVERY_CODE) if factors and found and factors.recovery_codes else found


def nothing_of(user_id: str) -> Factors:
    """The factors of a user who has none."""
    return Factors(user_id=user_id, totp=None, pending_totp=None, recovery_codes=(), recovery_codes_made_at=None)
