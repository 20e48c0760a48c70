"""One-time passwords by time (RFC 6238): SHA-1, six digits, steps of 30 s. Pure rules; what was spent is a document."""

import hmac
from datetime import datetime

import pyotp

ISSUER = "Omnify"
STEP = 30  # seconds
NEVER = -1  # the last step of a generator that was not used yet


def new_secret() -> str:
    """160 random bits as base32, as RFC 4226 §4 recommends."""
    return pyotp.random_base32()


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """The time step whose code this is: the current one or the one before, for slow fingers and clocks. None: neither.

    NIST and ASVS 6.5.5 want 30 s of life; one step more is a known deviation, made good by spending each step once.
    """
    generator, current = pyotp.TOTP(secret, interval=STEP), int(now.timestamp()) // STEP
    steps = [step for step in (current, current - 1) if step >= 0]
    matches = [step for step in steps if hmac.compare_digest(generator.generate_otp(step), code)]
    return matches[0] if matches else None


def key_uri(secret: str, account: str) -> str:
    """The `otpauth://` address that authenticator apps read."""
    return pyotp.TOTP(secret, name=account, issuer=ISSUER, interval=STEP).provisioning_uri()


def qr_code(uri: str) -> str:
    """The address as a QR code: an SVG image in a data URI."""
    import segno

    return segno.make(uri, error="m", micro=False).svg_data_uri(scale=5)
