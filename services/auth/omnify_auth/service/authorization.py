"""The authorization endpoint's decisions: may this request be answered, and what has to be asked first."""

from datetime import datetime
from typing import Any, Literal

import jwt
from authlib.oauth2.rfc6749.errors import AccessDeniedError
from authlib.oidc.core.errors import ConsentRequiredError, InteractionRequiredError, LoginRequiredError

from omnify_auth.authorization_request import AuthorizationRequest
from omnify_auth.clients import OAuthClient
from omnify_auth.codes import AuthorizationCode, digest, new_code
from omnify_auth.errors import UnprovenRequest
from omnify_auth.keyring import KeyRing
from omnify_auth.oauth_forms import Form
from omnify_auth.redirects import is_registered
from omnify_auth.service.app_grants import AppGrants
from omnify_auth.service.browsers import Visitor
from omnify_auth.service.clients import Clients
from omnify_auth.service.directory import is_active, roles_in
from omnify_auth.service.policy import MfaPolicies
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.ids import new_id

Step = Literal["sign_in", "not_member", "enrol", "consent"]


class Authorization:
    """Nothing is sent to an address before that is proven to be the client's."""

    def __init__(
        self,
        store: Store,
        clients: Clients,
        grants: AppGrants,
        policies: MfaPolicies,
        keyring: KeyRing,
        settings: AuthSettings,
    ) -> None:
        self._store = store
        self._clients = clients
        self._grants = grants
        self._policies = policies
        self._keyring = keyring
        self._code_ttl = settings.code_ttl
        self._issuer = settings.issuer

    async def target(self, form: Form) -> tuple[OAuthClient, str]:
        """The client of a request and where it may be answered. Raises UnprovenRequest: tell nobody but the person."""
        client = await self._clients.living(form.get("client_id", ""))
        if client is None:
            raise UnprovenRequest("The app is not known here.")
        redirect_uri = form.get("redirect_uri", "")
        if not is_registered(redirect_uri, client.redirect_uris):
            raise UnprovenRequest("The app asks to be answered at an address that is not registered for it.")
        return client, redirect_uri

    async def next_step(
        self, request: AuthorizationRequest, visitor: Visitor | None, began: datetime, *, consented: bool = False
    ) -> Step | None:
        """What is still to be done before the request may be granted; None when nothing is.

        Raises OAuth2Error where something is, and the app wants nobody to be asked.
        """
        silent = "none" in request.prompt
        if visitor is None or await self._must_sign_in(request, visitor, began):
            return _asked("sign_in", LoginRequiredError, silent)
        user, organization_id = visitor.user, request.client.organization_id
        if not is_active(user, organization_id):
            return _asked("not_member", AccessDeniedError, silent)
        there = visitor.session.model_copy(update={"organization_id": organization_id})
        if await self._policies.wants_enrolment(there, user, roles_in(user, organization_id)):
            return _asked("enrol", InteractionRequiredError, silent)
        if not consented and await self._must_consent(request, user.user_id):
            return _asked("consent", ConsentRequiredError, silent)
        return None

    async def code(self, request: AuthorizationRequest, visitor: Visitor) -> str:
        """A code for the app, for what was asked and allowed."""
        code = new_code()
        record = AuthorizationCode(
            client_id=request.client.client_id,
            user_id=visitor.user.user_id,
            redirect_uri=request.redirect_uri,
            code_challenge=request.code_challenge,
            nonce=request.nonce,
            scope=request.scope,
            parent_id=visitor.session.session_id,
            session_id=new_id(),
            expires_at=clock.now() + self._code_ttl,
            used_at=None,
            replayed_at=None,
        )
        await self._store.codes.create(digest(code), value=record, fresh=True)
        return code

    async def hinted(self, id_token: str) -> dict[str, Any] | None:
        """The claims of an ID token of ours, expired or not; None for anything else, or once its key is gone."""
        try:
            kid = jwt.get_unverified_header(id_token).get("kid")
            keys = {key["kid"]: key for key in (await self._keyring.jwks())["keys"]}
            if kid not in keys:
                return None
            options: Any = {"verify_exp": False, "verify_aud": False, "require": ["iss", "sub", "aud", "exp"]}
            return jwt.decode(
                id_token, jwt.PyJWK(keys[kid]), algorithms=["ES256"], issuer=self._issuer, options=options
            )
        except (jwt.InvalidTokenError, TypeError):
            return None

    async def _must_sign_in(self, request: AuthorizationRequest, visitor: Visitor, began: datetime) -> bool:
        """Whether the visitor has to prove (again) who they are; doing so since the request began is enough."""
        if request.id_token_hint:
            hint = await self.hinted(request.id_token_hint)
            if hint is None or hint["sub"] != visitor.user.user_id:
                return True
        if visitor.proven_at >= began:
            return False
        too_old = request.max_age is not None and clock.now() - visitor.proven_at > request.max_age
        return too_old or "login" in request.prompt

    async def _must_consent(self, request: AuthorizationRequest, user_id: str) -> bool:
        if "consent" in request.prompt or not request.is_assured:
            return True
        return not await self._grants.covers(user_id, request.client.client_id, request.scope)


def _asked(step: Step, error: type[Exception], silent: bool) -> Step:
    if silent:
        raise error
    return step
