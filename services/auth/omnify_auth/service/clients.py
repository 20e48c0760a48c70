"""Apps of an organisation: registering, changing and taking them away, and their secrets."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from math import ceil
from typing import Any
from uuid import UUID

from authlib.oauth2.rfc6749.errors import InvalidClientError

from omnify_auth.clients import ClientList, ClientSecret, OAuthClient
from omnify_auth.events import AccessChanged, ClientChanged, ClientCreated, ClientDeleted, ClientSecretRotated
from omnify_auth.redirects import fault
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.identity import Principal
from omnify_shared.ids import made_at, new_id
from omnify_shared.permissions import PERMISSIONS
from omnify_shared.problems import Conflict, Forbidden, NotFound, Unprocessable
from omnify_shared.revocations import Cut, Revocations

MOST = 100  # clients of an organisation
OVERLAP = timedelta(hours=24)
_PREFIX = "oms_"
_WRITTEN_BY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Made:
    """A client, and its secret where it just got one: it is stored only as a digest."""

    client: OAuthClient
    secret: str | None


class Clients:
    """One document per client; it is listed before it is written, and whether it lives, its own document says."""

    def __init__(self, store: Store, revocations: Revocations) -> None:
        self._store = store
        self._revocations = revocations

    async def create(self, actor: Principal, wanted: dict[str, Any]) -> Made:
        """Registers a client. Raises Unprocessable, Forbidden for scopes that the actor lacks, Conflict when full."""
        now, secret = clock.now(), None if wanted["public"] else _new_secret()
        client = OAuthClient(
            client_id=new_id(),
            organization_id=actor.organization_id,
            secrets=(_kept(secret),) if secret else (),
            created_at=now,
            created_by=actor.user_id,
            access_changed_at=None,
            deleted_at=None,
            **wanted,
        )
        _check(client, actor)
        await self._list(client)
        created = ClientCreated(
            client_id=client.client_id, organization_id=actor.organization_id, actor_id=actor.user_id
        )
        await self._store.clients.create(client.client_id, value=client, events=(created,), fresh=True)
        return Made(client, secret)

    async def of(self, organization_id: str) -> tuple[OAuthClient, ...]:
        """The clients of an organisation, newest first."""
        listed = await self._store.client_lists.get(organization_id)
        ids = listed.client_ids if listed else ()
        found = await self._store.clients.get_many((client_id,) for client_id in ids)
        clients = (found.get((client_id,)) for client_id in reversed(ids))
        return tuple(client for client in clients if client and not client.deleted_at)

    async def one(self, organization_id: str, client_id: str) -> OAuthClient:
        """A client of that organisation. Raises NotFound."""
        client = await self.living(client_id)
        if client is None or client.organization_id != organization_id:
            raise NotFound("no such client")
        return client

    async def change(self, actor: Principal, client_id: str, wanted: dict[str, Any]) -> OAuthClient:
        """Changes what is given. Where the client may do less then, its tokens of before are refused."""

        def change(client: OAuthClient, emit: Emit) -> OAuthClient:
            changed = client.model_copy(update=wanted)
            _check(changed, actor)
            if changed == client:
                return client
            emit(ClientChanged(client_id=client_id, organization_id=client.organization_id, actor_id=actor.user_id))
            less = set(client.scopes) - set(changed.scopes) or set(client.grant_types) - set(changed.grant_types)
            return _cut(changed, emit) if less else changed

        return await self._changed(actor.organization_id, client_id, change)

    async def rotate(self, actor: Principal, client_id: str, *, overlap: bool) -> Made:
        """Gives a client a new secret; the one before counts a day longer, or with `overlap=False` no more."""
        secret = _new_secret()

        def change(client: OAuthClient, emit: Emit) -> OAuthClient:
            if client.public:
                raise Conflict("a public client has no secret")
            now, kept = clock.now(), _kept(secret)
            until = now + OVERLAP
            before = client.secrets[:1] if overlap else ()
            older = tuple(one.model_copy(update={"expires_at": min(until, one.expires_at or until)}) for one in before)
            whose = {"client_id": client_id, "organization_id": client.organization_id}
            emit(ClientSecretRotated(**whose, actor_id=actor.user_id))
            changed = client.model_copy(update={"secrets": (kept, *older)})
            return changed if overlap else _cut(changed, emit)

        return Made(await self._changed(actor.organization_id, client_id, change), secret)

    async def delete(self, actor: Principal, client_id: str) -> None:
        """Takes a client away; every service refuses its tokens within seconds."""
        await self._delete(client_id, actor.organization_id, actor.user_id)

    async def delete_all(self, organization_id: str, actor_id: str) -> None:
        """Takes all clients of an organisation away; once more changes nothing."""
        for client in await self.of(organization_id):
            await self._delete(client.client_id, organization_id, actor_id)

    async def living(self, client_id: str) -> OAuthClient | None:
        """A client by the id that somebody sent; None for an unknown or deleted one."""
        try:
            client = await self._store.clients.get(str(UUID(client_id)))
        except ValueError:
            return None
        return None if client is None or client.deleted_at else client

    async def authenticated(self, client_id: str, secret: str | None) -> OAuthClient:
        """The client that shows its secret; a public one shows none. Raises InvalidClientError for all else."""
        client = await self.living(client_id)
        if client is None or not _matches(client, secret):
            raise InvalidClientError(status_code=401, description="unknown client, or wrong secret")
        return client

    async def _delete(self, client_id: str, organization_id: str, actor_id: str) -> None:
        def change(client: OAuthClient, emit: Emit) -> OAuthClient:
            emit(ClientDeleted(client_id=client_id, organization_id=organization_id, actor_id=actor_id))
            return _cut(client, emit).model_copy(update={"deleted_at": clock.now(), "secrets": ()})

        await self._changed(organization_id, client_id, change)

    async def _changed(self, organization_id: str, client_id: str, change: Any) -> OAuthClient:
        def own(client: OAuthClient, emit: Emit) -> OAuthClient:
            if client.organization_id != organization_id or client.deleted_at:
                raise NotFound("no such client")
            changed: OAuthClient = change(client, emit)
            return changed

        try:
            client = (await self._store.clients.update(client_id, change=own)).value
        except Missing:
            raise NotFound("no such client") from None
        if client.access_changed_at:
            await self._revocations.cut(client_id, Cut(before=client.access_changed_at))
        return client

    async def _list(self, client: OAuthClient) -> None:
        living = {one.client_id for one in await self.of(client.organization_id)}

        def change(listed: ClientList, emit: Emit) -> ClientList:
            counted = [known for known in listed.client_ids if known in living or may_yet_live(known)]
            if len(counted) >= MOST:
                raise Conflict(f"an organisation may have {MOST} clients")
            kept = listed.client_ids if len(listed.client_ids) < 3 * MOST else counted
            return ClientList(client_ids=(*kept, client.client_id))

        none = ClientList(client_ids=())
        await self._store.client_lists.upsert(client.organization_id, initial=lambda: none, change=change)


def may_yet_live(listed: str) -> bool:
    """Whether what was listed under an id may not be written yet: many at once must not pass the limit by that."""
    return clock.now() - made_at(listed) < _WRITTEN_BY


def _cut(client: OAuthClient, emit: Emit) -> OAuthClient:
    # Whole seconds, as tokens know no smaller unit; a token of the change before is of a time before this one.
    now, last = clock.now(), client.access_changed_at
    whole = now.replace(microsecond=0) + timedelta(seconds=ceil(now.microsecond / 1e6))
    before = max(whole, last + timedelta(seconds=1)) if last else whole
    whose = {"user_id": client.client_id, "organization_id": client.organization_id}
    emit(AccessChanged(**whose, before=before, kept_session_id=None))
    return client.model_copy(update={"access_changed_at": before})


def _check(client: OAuthClient, actor: Principal) -> None:
    lacking = set(client.scopes) & PERMISSIONS - actor.permissions
    if lacking:
        raise Forbidden(f"you lack {', '.join(sorted(lacking))}, so you can't give it")
    for uri in (*client.redirect_uris, *client.post_logout_redirect_uris):
        if reason := fault(uri):
            raise Unprocessable(f"{uri[:80]}: {reason}")
    grants = set(client.grant_types)
    if "authorization_code" in grants and not client.redirect_uris:
        raise Unprocessable("redirect_uris: authorization_code needs one")
    if "refresh_token" in grants and "authorization_code" not in grants:
        raise Unprocessable("grant_types: refresh_token comes with authorization_code")
    if client.public and "client_credentials" in grants:
        raise Unprocessable("grant_types: a public client has no secret, so no client_credentials")


def _new_secret() -> str:
    return _PREFIX + secrets.token_urlsafe(32)


def _kept(secret: str) -> ClientSecret:
    return ClientSecret(digest=_digest(secret), made_at=clock.now(), expires_at=None)


def _matches(client: OAuthClient, secret: str | None) -> bool:
    if client.public or secret is None:
        return client.public and not secret
    now, digest = clock.now(), _digest(secret)
    matching = [hmac.compare_digest(one.digest, digest) for one in client.secrets if _counts(one, now)]
    return any(matching)


def _counts(secret: ClientSecret, now: Any) -> bool:
    return secret.expires_at is None or now < secret.expires_at


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
