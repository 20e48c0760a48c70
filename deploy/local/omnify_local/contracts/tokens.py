"""The JSON Schema of an access token's claims, for programs that check tokens themselves."""

from typing import Any

from omnify_local.contracts.events import DIALECT
from omnify_shared.identity import AUDIENCE, ISSUER, OWN_CLIENT, REQUIRED

_ID = {"type": "string", "minLength": 1}
_TIME = {"type": "integer", "minimum": 0, "description": "Seconds since 1970-01-01T00:00:00Z."}


def schema() -> dict[str, Any]:
    """Claims may be added; those listed as required are always there."""
    properties: dict[str, Any] = {
        "iss": {"const": ISSUER},
        "aud": {"const": AUDIENCE},
        "sub": _ID | {"description": "The user's id, or that of an app in its own name."},
        "org": _ID | {"description": "The organisation whose data the token opens."},
        "sid": _ID | {"description": "The session's id, `subject` of the event omnify.auth.session.revoked.v1."},
        "client_id": _ID | {"description": f"`{OWN_CLIENT}`, or an app or API key: see `scope`."},
        "scope": {
            "type": "string",
            "description": "Permissions, space-separated: all that the token may do. Absent for people themselves.",
        },
        "roles": {"type": "array", "items": {"type": "string"}, "description": "The user's roles in the organisation."},
        "iat": _TIME,
        "exp": _TIME,
        "auth_time": _TIME | {"description": "When the user last signed in or stepped up; a refresh keeps it."},
        "amr": {"type": "array", "items": {"type": "string"}, "description": "By what the user did (RFC 8176)."},
        "mfa_enrolment_required": {
            "type": "boolean",
            "description": "True: refuse the token; its user has to set up a second factor first. Absent otherwise.",
        },
        "jti": _ID | {"description": "The token's own id."},
    }
    return {
        "$schema": DIALECT,
        "$id": "https://omnify.dev/contracts/access-token.schema.json",
        "title": "AccessToken",
        "description": "Claims of an access token (RFC 9068); how to check one is said in openapi/auth.json.",
        "type": "object",
        "required": sorted(REQUIRED),
        "properties": properties,
    }
