"""API keys: a program acts as its user, within scopes. The gateway exchanges a key for an access token."""

import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from omnify_auth.api_keys import API_KEY_MOST, ApiKey, ApiKeyList
from omnify_auth.events import ApiKeyCreated
from omnify_auth.records import User
from omnify_auth.service.clients import may_yet_live
from omnify_auth.service.directory import roles_in
from omnify_auth.service.endings import key_ended
from omnify_auth.service.roles import Roles
from omnify_auth.store import Store
from omnify_auth.tokens import AccessToken, AccessTokens, App
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.identity import Principal
from omnify_shared.ids import new_id
from omnify_shared.problems import Conflict, Forbidden, NotFound, Unauthorized, Unprocessable
from omnify_shared.revocations import Revocations

MOST = 50  # keys of a user in an organisation
PREFIX = "omn_"
_COARSE = timedelta(hours=1)


class ApiKeys:
    """`omn_<id, 32 hex digits>_<256 random bits>`. The key's id is its tokens' session, so revoking ends those."""

    def __init__(self, store: Store, access_tokens: AccessTokens, revocations: Revocations) -> None:
        self._store = store
        self._access_tokens = access_tokens
        self._revocations = revocations
        self._roles = Roles(store)

    async def create(
        self, actor: Principal, name: str, scopes: Iterable[str], expires_at: datetime
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which is shown this once. Raises Forbidden, Unprocessable, Conflict."""
        now, wanted = clock.now(), tuple(dict.fromkeys(scopes))
        if lacking := set(wanted) - actor.permissions:
            raise Forbidden(f"you lack {', '.join(sorted(lacking))}, so you can't give it")
        if not now < expires_at <= now + API_KEY_MOST:
            raise Unprocessable("expires_at: must lie ahead, at most a year")
        key_id, secret = new_id(), secrets.token_urlsafe(32)
        whose = {"user_id": actor.user_id, "organization_id": actor.organization_id}
        key = ApiKey(
            key_id=key_id,
            name=name,
            digest=_digest(secret),
            scopes=wanted,
            created_at=now,
            expires_at=expires_at,
            last_used_at=None,
            revoked_at=None,
            **whose,
        )
        await self._list(actor, key_id)
        await self._store.api_keys.create(
            key_id, value=key, events=(ApiKeyCreated(key_id=key_id, **whose),), fresh=True
        )
        return key, f"{prefix(key)}_{secret}"

    async def of(self, actor: Principal) -> tuple[ApiKey, ...]:
        """The keys of a user in an organisation that count, newest first."""
        listed = await self._store.api_key_lists.get(actor.organization_id, actor.user_id)
        ids = listed.key_ids if listed else ()
        found = await self._store.api_keys.get_many((key_id,) for key_id in ids)
        keys = (found.get((key_id,)) for key_id in reversed(ids))
        return tuple(key for key in keys if key and _counts(key))

    async def revoke(self, actor: Principal, key_id: str) -> None:
        """Ends a key; every service refuses its tokens within seconds. Raises NotFound."""

        def change(key: ApiKey, emit: Emit) -> ApiKey:
            if (key.user_id, key.organization_id) != (actor.user_id, actor.organization_id) or key.revoked_at:
                raise NotFound("no such API key")
            return key_ended(key, emit)

        try:
            await self._store.api_keys.update(key_id, change=change)
        except Missing:
            raise NotFound("no such API key") from None
        await self._revocations.add(key_id)

    async def exchange(self, text: str) -> AccessToken:
        """An access token for a key: its user's permissions of now, within its scopes. Raises Unauthorized."""
        key_id, secret = _parts(text)
        key = await self._store.api_keys.get(key_id)
        if key is None or not hmac.compare_digest(key.digest, _digest(secret)) or not _counts(key):
            raise Unauthorized("the API key is unknown, has expired or was revoked")
        user = await self._store.users.get(key.user_id)
        roles = roles_in(user, key.organization_id) if user else ()
        if user is None or not roles:
            raise Unauthorized("the user of the API key is no member of its organisation now")
        await self._note_use(key)
        own = (await self._roles.book_of(key.organization_id, roles)).own_permissions(roles)
        return await self._access_tokens.issue_to(_app(key, user, roles, own), clock.now())

    async def _note_use(self, key: ApiKey) -> None:
        now = clock.now()
        if key.last_used_at and now - key.last_used_at < _COARSE:
            return

        def change(key: ApiKey, emit: Emit) -> ApiKey:
            return key.model_copy(update={"last_used_at": now})

        await self._store.api_keys.update(key.key_id, change=change)

    async def _list(self, actor: Principal, key_id: str) -> None:
        living = {key.key_id for key in await self.of(actor)}

        def change(listed: ApiKeyList, emit: Emit) -> ApiKeyList:
            kept = [known for known in listed.key_ids if known in living or may_yet_live(known)]
            if len(kept) >= MOST:
                raise Conflict(f"a user may have {MOST} API keys in an organisation")
            return ApiKeyList(key_ids=(*kept, key_id))

        none = ApiKeyList(key_ids=())
        scope = (actor.organization_id, actor.user_id)
        await self._store.api_key_lists.upsert(*scope, initial=lambda: none, change=change)


def prefix(key: ApiKey) -> str:
    """The part of a key that may be shown."""
    return PREFIX + UUID(key.key_id).hex


def _app(key: ApiKey, user: User, roles: tuple[str, ...], own: frozenset[str]) -> App:
    return App(
        subject=key.user_id,
        client_id=f"api-key:{key.key_id}",
        organization_id=key.organization_id,
        session_id=key.key_id,
        roles=roles,
        scope=key.scopes,
        changed_at=user.access_changed_at,
        permissions=own,
    )


def _counts(key: ApiKey) -> bool:
    return key.revoked_at is None and clock.now() < key.expires_at


def _parts(text: str) -> tuple[str, str]:
    key_id, _, secret = text.removeprefix(PREFIX).partition("_")
    try:
        return str(UUID(key_id)), secret
    except ValueError:
        raise Unauthorized("not an API key") from None


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
