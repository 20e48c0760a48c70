"""Endpoints of organisations: made, changed, disabled, taken away; and their secrets."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from omnify_shared import clock
from omnify_shared.documents import Emit
from omnify_shared.idempotency import KEEP, KeyReused
from omnify_shared.ids import new_id
from omnify_webhooks import signing
from omnify_webhooks.addresses import Guard
from omnify_webhooks.errors import TooMany, UnknownEndpoint, UnknownEventType
from omnify_webhooks.events import EndpointDisabled
from omnify_webhooks.public_events import PUBLIC
from omnify_webhooks.records import Endpoint, Endpoints, Once
from omnify_webhooks.service.secrets import SecretKeeper, rotated
from omnify_webhooks.settings import WebhooksSettings
from omnify_webhooks.store import WebhooksStore

Reason = Literal["gone", "failing"]


class EndpointBook:
    """The endpoints. Methods raise UnknownEndpoint for an id that is not the organisation's."""

    def __init__(self, settings: WebhooksSettings, store: WebhooksStore, keeper: SecretKeeper, guard: Guard) -> None:
        self._settings = settings
        self._store = store
        self._keeper = keeper
        self._guard = guard

    async def create(
        self, organization_id: str, user_id: str, values: Mapping[str, Any], key: str | None = None
    ) -> tuple[Endpoint, str]:
        """A new endpoint and its secret; the same ones again for a repeated `key` (Idempotency-Key, 24 h).

        Raises UnsafeTarget, UnknownEventType, TooMany, KeyReused.
        """
        self._check(values)
        once = _once(key, values)
        endpoint_id, now = new_id(), clock.now()
        secret = await self._keeper.seal(signing.new_secret(), record_of(organization_id, endpoint_id))
        fresh = Endpoint(
            endpoint_id=endpoint_id,
            enabled=True,
            disabled_reason=None,
            secrets=(secret,),
            created_by=user_id,
            created_at=now,
            updated_at=now,
            once=once,
            **values,
        )
        made = [fresh]

        def add(book: Endpoints, _: Emit) -> Endpoints:
            if before := _made_before(book, once):
                made[0] = before
                return book
            if len(book.endpoints) >= self._settings.endpoints_per_organization:
                raise TooMany(f"an organisation may have {self._settings.endpoints_per_organization} endpoints")
            made[0] = fresh
            return Endpoints(endpoints=(*book.endpoints, fresh))

        await self._store.note_maker(user_id, organization_id)
        await self._store.change_endpoints(organization_id, add)
        return made[0], await self.secret(organization_id, made[0])

    async def all(self, organization_id: str) -> Sequence[Endpoint]:
        """All of an organisation's, oldest first."""
        return (await self._store.endpoints(organization_id)).endpoints

    async def one(self, organization_id: str, endpoint_id: str) -> Endpoint:
        """One endpoint."""
        return _found(await self._store.endpoint(organization_id, endpoint_id))

    async def secret(self, organization_id: str, endpoint: Endpoint) -> str:
        """The newest secret, as it is handed out."""
        record = record_of(organization_id, endpoint.endpoint_id)
        return signing.shown((await self._keeper.open(endpoint.secrets, record))[0])

    async def secrets(self, organization_id: str, endpoint: Endpoint) -> list[bytes]:
        """What to sign with: during a rotation two."""
        return await self._keeper.open(endpoint.secrets, record_of(organization_id, endpoint.endpoint_id))

    async def change(self, organization_id: str, endpoint_id: str, values: Mapping[str, Any]) -> Endpoint:
        """Changes what is given; enabling starts the record of failures anew. Raises UnsafeTarget, UnknownEventType."""
        self._check(values)
        enables = values.get("enabled")
        more: dict[str, Any] = {} if enables is None else {"disabled_reason": None if enables else "switched off"}
        if enables:
            await self._store.forget_health(organization_id, endpoint_id)
        return await self._update(
            organization_id, endpoint_id, lambda one, _: one.model_copy(update={**values, **more})
        )

    async def rotate(self, organization_id: str, endpoint_id: str, *, overlap: bool) -> tuple[Endpoint, str]:
        """A new secret; the present one signs beside it for a day, or no more."""
        fresh = await self._keeper.seal(signing.new_secret(), record_of(organization_id, endpoint_id))
        seconds = self._settings.rotation_overlap if overlap else 0

        def turn(endpoint: Endpoint, _: Emit) -> Endpoint:
            return endpoint.model_copy(update={"secrets": rotated(fresh, endpoint.secrets, seconds)})

        endpoint = await self._update(organization_id, endpoint_id, turn)
        return endpoint, await self.secret(organization_id, endpoint)

    async def disable(self, organization_id: str, endpoint_id: str, reason: Reason) -> None:
        """Disables an endpoint that answers no more, and says so in an event; one that is disabled stays as it is."""

        def end(endpoint: Endpoint, emit: Emit) -> Endpoint:
            if not endpoint.enabled:
                return endpoint
            emit(
                EndpointDisabled(
                    organization_id=organization_id,
                    endpoint_id=endpoint_id,
                    user_id=endpoint.created_by,
                    reason=reason,
                    host=urlsplit(endpoint.url).hostname or "",
                )
            )
            return endpoint.model_copy(update={"enabled": False, "disabled_reason": reason})

        await self._update(organization_id, endpoint_id, end)

    async def delete(self, organization_id: str, endpoint_id: str) -> None:
        """Takes an endpoint away; what is on its way to it is dropped."""

        def without(book: Endpoints, _: Emit) -> Endpoints:
            kept = tuple(one for one in book.endpoints if one.endpoint_id != endpoint_id)
            if len(kept) == len(book.endpoints):
                raise UnknownEndpoint("the organisation has no such endpoint")
            return Endpoints(endpoints=kept)

        await self._store.change_endpoints(organization_id, without)
        await self._store.forget_health(organization_id, endpoint_id)

    async def _update(
        self, organization_id: str, endpoint_id: str, change: Callable[[Endpoint, Emit], Endpoint]
    ) -> Endpoint:
        changed: list[Endpoint | None] = [None]

        def within(book: Endpoints, emit: Emit) -> Endpoints:
            before = _found(next((one for one in book.endpoints if one.endpoint_id == endpoint_id), None))
            after = change(before, emit)
            if after is not before:
                after = after.model_copy(update={"updated_at": clock.now()})
            changed[0] = after
            return Endpoints(endpoints=tuple(after if one is before else one for one in book.endpoints))

        await self._store.change_endpoints(organization_id, within)
        return _found(changed[0])

    def _check(self, values: Mapping[str, Any]) -> None:
        if "url" in values:
            self._guard.check_url(values["url"])
        for name in values.get("event_types", ()):
            if name not in PUBLIC:
                raise UnknownEventType(f"{name!r}: see GET /api/webhooks/event-types")


def record_of(organization_id: str, endpoint_id: str) -> str:
    """What a secret is bound to."""
    return f"endpoint/{organization_id}/{endpoint_id}"


def _found(endpoint: Endpoint | None) -> Endpoint:
    if endpoint is None:
        raise UnknownEndpoint("the organisation has no such endpoint")
    return endpoint


def _once(key: str | None, values: Mapping[str, Any]) -> Once | None:
    if key is None:
        return None
    request = repr(sorted(values.items()))
    digests = [hashlib.sha256(text.encode()).hexdigest() for text in (key, request)]
    return Once(key=digests[0], request=digests[1], at=clock.now())


def _made_before(book: Endpoints, once: Once | None) -> Endpoint | None:
    """The endpoint that an earlier request with the same key made."""
    for endpoint in book.endpoints if once else ():
        before = endpoint.once
        if once and before and before.key == once.key and clock.now() - before.at < KEEP:
            if before.request != once.request:
                raise KeyReused("Idempotency-Key was used before with another request")
            return endpoint
    return None
