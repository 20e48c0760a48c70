"""What an app asks of the authorization endpoint (OAuth 2.1 §4.1.1, OpenID Connect Core §3.1.2.1): pure rules."""

from dataclasses import dataclass
from datetime import timedelta

from authlib.oauth2.rfc6749.errors import (
    InvalidRequestError,
    UnauthorizedClientError,
    UnsupportedResponseTypeError,
)
from authlib.oidc.core.errors import (
    RegistrationNotSupportedError,
    RequestNotSupportedError,
    RequestURINotSupportedError,
)

from omnify_auth.clients import OAuthClient
from omnify_auth.codes import is_challenge
from omnify_auth.oauth_forms import Form, within
from omnify_auth.redirects import is_loopback

OPENID, OFFLINE = "openid", "offline_access"
PROMPTS = frozenset({"none", "login", "consent"})
LONGEST = 2048  # characters of state and nonce, which we carry
_UNSUPPORTED = {
    "request": RequestNotSupportedError,
    "request_uri": RequestURINotSupportedError,
    "registration": RegistrationNotSupportedError,
}


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that may be answered: its client and redirect are proven, its parameters are good."""

    client: OAuthClient
    redirect_uri: str
    scope: tuple[str, ...]
    code_challenge: str
    nonce: str | None
    prompt: frozenset[str]
    max_age: timedelta | None
    id_token_hint: str | None

    @property
    def is_assured(self) -> bool:
        """Whether the client can be told from others: any program on a device may pose as one that lives there."""
        return not (self.client.public and is_loopback(self.redirect_uri))


def read(form: Form, client: OAuthClient, redirect_uri: str) -> AuthorizationRequest:
    """The request of a form. Raises OAuth2Error, which the client is to be told."""
    for name, error in _UNSUPPORTED.items():
        if name in form:
            raise error(f"{name} is not supported")
    if "response_type" not in form:
        raise InvalidRequestError("response_type is missing")
    if form["response_type"] != "code":
        raise UnsupportedResponseTypeError("only response_type=code is supported")
    if "authorization_code" not in client.grant_types:
        raise UnauthorizedClientError("the client may not use authorization_code")
    if form.get("response_mode", "query") != "query":
        raise InvalidRequestError("only response_mode=query is supported")
    if any(len(form.get(name, "")) > LONGEST for name in ("state", "nonce")):
        raise InvalidRequestError(f"state and nonce may have at most {LONGEST} characters")
    return AuthorizationRequest(
        client=client,
        redirect_uri=redirect_uri,
        scope=within(form.get("scope", ""), client.scopes),
        code_challenge=_challenge(form),
        nonce=form.get("nonce"),
        prompt=_prompt(form),
        max_age=_max_age(form),
        id_token_hint=form.get("id_token_hint"),
    )


def _challenge(form: Form) -> str:
    if form.get("code_challenge_method") != "S256":
        raise InvalidRequestError("PKCE is required: code_challenge_method=S256")
    if not is_challenge(form.get("code_challenge", "")):
        raise InvalidRequestError("code_challenge must be the SHA-256 of the verifier in base64url")
    return form["code_challenge"]


def _prompt(form: Form) -> frozenset[str]:
    prompt = frozenset(form.get("prompt", "").split())
    if not prompt <= PROMPTS or ("none" in prompt and len(prompt) > 1):
        raise InvalidRequestError("prompt is none, or any of login and consent")
    return prompt


def _max_age(form: Form) -> timedelta | None:
    text = form.get("max_age")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise InvalidRequestError("max_age is a number of seconds")
    return timedelta(seconds=int(text))
