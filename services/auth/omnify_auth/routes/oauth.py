"""`/oauth`: what apps ask for themselves. Errors are those of RFC 6749 §5.2, as their libraries expect."""

from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError, UnsupportedGrantTypeError
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from omnify_auth.clients import OAuthClient
from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.oauth_forms import Form, credentials, form_of
from omnify_auth.schemas.oauth import AppTokenOut, IntrospectionOut, NothingOut
from omnify_auth.service import AuthService
from omnify_auth.service.app_sessions import Granted

router = APIRouter(tags=["oauth"])


def form_body(*required: str, **fields: str) -> dict[str, Any]:
    """What OpenAPI says of a route's form."""
    properties = {name: {"type": "string", "description": text} for name, text in fields.items()}
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"requestBody": {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": schema}}}}


@router.post(
    "/oauth/token",
    response_model=AppTokenOut,
    openapi_extra=form_body(
        "grant_type",
        grant_type="authorization_code, refresh_token or client_credentials.",
        scope="Space-separated; all that the client may have without it.",
        code="With authorization_code: the code that the user's browser brought.",
        redirect_uri="With authorization_code: the one of the authorization request.",
        code_verifier="With authorization_code: what its code_challenge was made of (RFC 7636).",
        refresh_token="With refresh_token: the newest one.",  # noqa: S106 - a text
        client_id="With client_secret, where HTTP Basic is not used; alone from a public client.",
        client_secret="The client's secret.",  # noqa: S106 - a text
    ),
)
async def token(request: Request, service: ServiceDep) -> JSONResponse:
    """Gives an app its tokens (RFC 6749 §3.2). The client authenticates by HTTP Basic or in the form."""
    form = await form_of(request)
    client = await authenticated(request, form, service)
    match form.get("grant_type"):
        case "authorization_code":
            return answered(granted(await service.app_sessions.begin(client, form)))
        case "refresh_token":
            return answered(granted(await service.app_sessions.refresh(client, form)))
        case "client_credentials":
            access, scope = await service.app_tokens.issue(client, form.get("scope"))
            body: dict[str, Any] = {"access_token": access.text, "expires_in": access.expires_in}
        case None:
            raise InvalidRequestError("grant_type is missing")
        case other:
            raise UnsupportedGrantTypeError(other[:40])
    return answered(body | {"token_type": "Bearer", "scope": " ".join(scope)})


def granted(made: Granted) -> dict[str, Any]:
    """What an app gets in a user's name (RFC 6749 §5.1, OpenID Connect Core §3.1.3.3)."""
    body = {"access_token": made.access.text, "token_type": "Bearer", "expires_in": made.access.expires_in}
    more = {"refresh_token": made.refresh_token, "id_token": made.id_token}
    return body | {"scope": " ".join(made.scope)} | {name: text for name, text in more.items() if text}


_TOKEN_FORM = form_body(
    "token",
    **{"token": "An access or refresh token.", "client_id": "As for a token.", "client_secret": "As for a token."},
)


@router.post("/oauth/revoke", response_model=NothingOut, openapi_extra=_TOKEN_FORM)
async def revoke(request: Request, service: ServiceDep) -> JSONResponse:
    """Ends a token of the client's own (RFC 7009); 200 for any other one, too, which is left alone."""
    form = await form_of(request)
    client = await authenticated(request, form, service)
    await service.app_tokens.revoke(client, _token(form))
    return answered({})


@router.post("/oauth/introspect", response_model=IntrospectionOut, openapi_extra=_TOKEN_FORM)
async def introspect(request: Request, service: ServiceDep) -> JSONResponse:
    """What a token of the client's own is worth now (RFC 7662); any other one is not active."""
    form = await form_of(request)
    client = await authenticated(request, form, service)
    if client.public:
        raise InvalidClientError(status_code=401, description="a public client can't be told from others")
    return answered(await service.app_tokens.introspect(client, _token(form)))


def _token(form: Form) -> str:
    if "token" not in form:
        raise InvalidRequestError("token is missing")
    return form["token"]


async def authenticated(request: Request, form: Form, service: AuthService) -> OAuthClient:
    """The client that asks. Raises InvalidClientError."""
    client_id, secret = credentials(request, form)
    if client_id is None:
        raise InvalidClientError(status_code=401, description="the client did not say who it is")
    return await service.clients.authenticated(client_id, secret)


def answered(body: dict[str, Any]) -> JSONResponse:
    """An answer that nobody may keep."""
    return JSONResponse(body, headers=NO_STORE | {"Pragma": "no-cache"})


async def refused(request: Request, error: Exception) -> JSONResponse:
    """The answer to an OAuth error."""
    assert isinstance(error, OAuth2Error)  # noqa: S101 - narrows the handler's type
    status = 401 if isinstance(error, InvalidClientError) else error.status_code
    headers = {"WWW-Authenticate": 'Basic realm="omnify"'} if status == 401 else {}
    body = {"error": error.error, "error_description": error.description or error.get_error_description()}
    return JSONResponse(body, status, headers=headers | NO_STORE)
