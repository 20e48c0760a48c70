"""Bodies of `/api/oauth` and `/api/api-keys`."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from omnify_auth.clients import GrantType
from omnify_auth.schemas.types import Input, Name, Output

_Uri = Annotated[str, Field(min_length=1, max_length=512)]
Uris = Annotated[tuple[_Uri, ...], Field(max_length=10)]
Scope = Literal[
    "openid", "profile", "email", "offline_access",
    "campaign:view", "campaign:create", "campaign:edit", "campaign:delete", "campaign:publish",
    "creative:view", "creative:create", "creative:edit", "creative:delete",
    "analytics:view", "analytics:export", "analytics:admin",
    "integration:view", "integration:connect", "integration:disconnect", "integration:manage",
    "user:view", "user:invite", "user:edit", "user:delete",
    "org:view", "org:edit", "org:billing", "org:admin",
    "agent:view", "agent:create", "agent:edit", "agent:execute", "agent:delete",
    "settings:view", "settings:edit",
]  # fmt: skip
Scopes = Annotated[
    tuple[Scope, ...], Field(max_length=40, description="Permissions, and openid, profile, email, offline_access.")
]
GrantTypes = Annotated[tuple[GrantType, ...], Field(min_length=1, max_length=3)]


class ClientIn(Input):
    name: Name
    redirect_uris: Uris = ()
    post_logout_redirect_uris: Uris = ()
    grant_types: GrantTypes = ("authorization_code", "refresh_token")
    scopes: Scopes = ("openid", "profile", "email")
    public: Annotated[bool, Field(description="It runs where it can keep no secret: PKCE stands in for one.")] = False


class ClientChangeIn(Input):
    name: Name | None = None
    redirect_uris: Uris | None = None
    post_logout_redirect_uris: Uris | None = None
    grant_types: GrantTypes | None = None
    scopes: Scopes | None = None


class ClientOut(Output):
    client_id: str
    name: str
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...]
    grant_types: tuple[str, ...]
    scopes: tuple[str, ...]
    public: bool
    created_at: datetime


class NewClientOut(ClientOut):
    client_secret: str | None = Field(description="Shown this once; null for a public client.")


class ClientsOut(Output):
    clients: tuple[ClientOut, ...]


class RotateIn(Input):
    overlap: Annotated[bool, Field(description="Whether the present secret counts for another 24 h.")] = True


class ApiKeyIn(Input):
    name: Name
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=40, description="Of your own permissions.")]
    expires_at: AwareDatetime


class ApiKeyOut(Output):
    key_id: str
    name: str
    prefix: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None = Field(description="To the hour.")


class NewApiKeyOut(ApiKeyOut):
    api_key: str = Field(description="Shown this once.")


class ApiKeysOut(Output):
    api_keys: tuple[ApiKeyOut, ...]


class ExchangeIn(Input):
    api_key: Annotated[str, Field(min_length=1, max_length=256)]


class ExchangedOut(Output):
    access_token: str
    expires_in: int


class AppTokenOut(Output):
    """RFC 6749 §5.1."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds until the access token expires.")
    scope: str = Field(description="What it may do: permissions, and what the user lets the app know, space-separated.")
    refresh_token: str | None = Field(default=None, description="Of a user's grant; the newest one alone counts.")
    id_token: str | None = Field(default=None, description="Who signed in (OpenID Connect), with the scope openid.")


class NothingOut(Output):
    """RFC 7009 §2.2: an answer says nothing of the token."""


class IntrospectionOut(Output):
    """RFC 7662 §2.2. Of a token that is not active nothing else is said, of a refresh token no iss, aud and iat."""

    active: bool
    client_id: str | None = None
    sub: str | None = Field(default=None, description="The user, or the app where the token is its own.")
    scope: str | None = Field(default=None, description="Space-separated.")
    token_type: Literal["Bearer"] | None = None
    iss: str | None = None
    aud: str | None = None
    iat: int | None = Field(default=None, description="Seconds since 1970.")
    exp: int | None = Field(default=None, description="Seconds since 1970.")


class UserInfoOut(Output):
    """OpenID Connect Core §5.3.2; what the scopes do not cover is left out."""

    sub: str
    name: str | None = Field(default=None, description="With the scope profile.")
    locale: str | None = Field(default=None, description="With the scope profile; a tag of RFC 5646.")
    email: str | None = Field(default=None, description="With the scope email.")
    email_verified: bool | None = Field(default=None, description="With the scope email.")


class AppGrantOut(Output):
    client_id: str
    name: str
    organization_id: str
    scopes: tuple[str, ...]
    given_at: datetime


class AppGrantsOut(Output):
    grants: tuple[AppGrantOut, ...]
