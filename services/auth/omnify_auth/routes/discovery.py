"""`/.well-known`: what an app's library reads first (OpenID Connect Discovery 1.0, RFC 8414)."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from omnify_auth.authorization_request import PROMPTS
from omnify_auth.clients import GRANT_TYPES, SCOPES
from omnify_auth.deps import ServiceDep
from omnify_auth.schemas.discovery import MetadataOut

router = APIRouter(prefix="/.well-known", tags=["oauth"])
_HEADERS = {"Cache-Control": "public, max-age=300"}


@router.get("/openid-configuration", response_model=MetadataOut)
async def openid_configuration(service: ServiceDep) -> JSONResponse:
    """The provider's metadata: addresses, and what it can."""
    return JSONResponse(metadata(service.issuer), headers=_HEADERS)


@router.get("/oauth-authorization-server", response_model=MetadataOut)
async def authorization_server(service: ServiceDep) -> JSONResponse:
    """The same, for apps that speak OAuth alone."""
    return JSONResponse(metadata(service.issuer), headers=_HEADERS)


def metadata(issuer: str) -> dict[str, Any]:
    """What both documents say."""
    methods = ["client_secret_basic", "client_secret_post"]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "end_session_endpoint": f"{issuer}/oauth/logout",
        "scopes_supported": sorted(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": [*methods, "none"],
        "revocation_endpoint_auth_methods_supported": [*methods, "none"],
        "introspection_endpoint_auth_methods_supported": methods,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": sorted(PROMPTS),
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "amr", "at_hash", "sid",
            "name", "email", "email_verified",
        ],
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }  # fmt: skip
