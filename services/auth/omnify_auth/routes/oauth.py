"""`/oauth`: what apps ask for themselves. Errors are those of RFC 6749 §5.2, as their libraries expect."""

from typing import Any

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import InvalidClientError, InvalidRequestError, UnsupportedGrantTypeError
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from omnify_auth.clients import OAuthClient
from omnify_auth.deps import NO_STORE, ServiceDep
from omnify_auth.oauth_forms import Form, credentials, form_of
from omnify_auth.schemas.oauth import AppTokenOut
from omnify_auth.service import AuthService

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
        grant_type="client_credentials",
        scope="Space-separated; all that the client may have without it.",
        client_id="With client_secret, where HTTP Basic is not used; alone from a public client.",
        client_secret="The client's secret.",  # noqa: S106 - a text
    ),
)
async def token(request: Request, service: ServiceDep) -> JSONResponse:
    """Gives an app its tokens (RFC 6749 §3.2). The client authenticates by HTTP Basic or in the form."""
    form = await form_of(request)
    client = await authenticated(request, form, service)
    match form.get("grant_type"):
        case "client_credentials":
            access, scope = await service.app_tokens.issue(client, form.get("scope"))
            body: dict[str, Any] = {"access_token": access.text, "expires_in": access.expires_in}
        case None:
            raise InvalidRequestError("grant_type is missing")
        case other:
            raise UnsupportedGrantTypeError(other[:40])
    return answered(body | {"token_type": "Bearer", "scope": " ".join(scope)})


_TOKEN_FORM = form_body(
    "token",
    **{"token": "An access token.", "client_id": "As for a token.", "client_secret": "As for a token."},
)


@router.post("/oauth/revoke", openapi_extra=_TOKEN_FORM)
async def revoke(request: Request, service: ServiceDep) -> JSONResponse:
    """Ends a token of the client's own (RFC 7009); 200 for any other one, too, which is left alone."""
    form = await form_of(request)
    client = await authenticated(request, form, service)
    await service.app_tokens.revoke(client, _token(form))
    return answered({})


@router.post("/oauth/introspect", openapi_extra=_TOKEN_FORM)
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
