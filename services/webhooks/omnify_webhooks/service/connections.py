"""Connections: where other platforms send their events for an organisation, and the secrets they sign with."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from omnify_shared import clock
from omnify_shared.ids import new_id
from omnify_webhooks.errors import TooMany, UnknownConnection, UnusableSecret
from omnify_webhooks.records import Connection, Secret
from omnify_webhooks.service.secrets import SecretKeeper, rotated
from omnify_webhooks.settings import WebhooksSettings
from omnify_webhooks.store import WebhooksStore
from omnify_webhooks.verifiers import VERIFIERS

SHAKES_HANDS = "meta"


class ConnectionBook:
    """The connections. Methods raise UnknownConnection for an id that is not the organisation's."""

    def __init__(self, settings: WebhooksSettings, store: WebhooksStore, keeper: SecretKeeper) -> None:
        self._settings = settings
        self._store = store
        self._keeper = keeper

    async def create(
        self, organization_id: str, user_id: str, *, provider: str, secret: str, description: str,
        options: Mapping[str, str], verify_token: str | None,
    ) -> Connection:  # fmt: skip
        """A new connection. Raises UnusableSecret, TooMany."""
        _check(provider, secret, options)
        if verify_token is not None and provider != SHAKES_HANDS:
            raise UnusableSecret(f"only {SHAKES_HANDS} has a verify token")
        connection_id, now = new_id(), clock.now()
        made = Connection(
            connection_id=connection_id,
            organization_id=organization_id,
            provider=provider,
            description=description,
            options=dict(options),
            enabled=True,
            secrets=(await self._seal(connection_id, secret),),
            verify_token=await self._seal(connection_id, verify_token) if verify_token else None,
            created_by=user_id,
            created_at=now,
            updated_at=now,
        )
        await self._store.note_maker(user_id, organization_id)
        # Listed first: a crash in between leaves an id that leads to nothing, never a connection that nobody sees.
        if not await self._store.list_connection(
            organization_id, connection_id, self._settings.connections_per_organization
        ):
            raise TooMany(f"an organisation may have {self._settings.connections_per_organization} connections")
        await self._store.create_connection(made)
        return made

    async def all(self, organization_id: str) -> Sequence[Connection]:
        """All of an organisation's, oldest first."""
        return await self._store.connections(organization_id)

    async def one(self, organization_id: str, connection_id: str) -> Connection:
        """One connection."""
        found = await self._store.connection(connection_id)
        if found is None or found.organization_id != organization_id:
            raise UnknownConnection("the organisation has no such connection")
        return found

    async def change(self, organization_id: str, connection_id: str, values: Mapping[str, Any]) -> Connection:
        """Changes what is given. Raises UnusableSecret."""
        found = await self.one(organization_id, connection_id)
        _check(found.provider, None, values.get("options", {}))
        return await self._update(connection_id, lambda one: one.model_copy(update=dict(values)))

    async def add_secret(self, organization_id: str, connection_id: str, secret: str, *, overlap: bool) -> Connection:
        """Another secret; the one before counts for a day more, or no more. Raises UnusableSecret."""
        found = await self.one(organization_id, connection_id)
        _check(found.provider, secret, {})
        fresh = await self._seal(connection_id, secret)
        seconds = self._settings.rotation_overlap if overlap else 0

        def turn(connection: Connection) -> Connection:
            return connection.model_copy(update={"secrets": rotated(fresh, connection.secrets, seconds)})

        return await self._update(connection_id, turn)

    async def secrets(self, connection: Connection) -> list[str]:
        """The secrets that count now, newest first."""
        opened = await self._keeper.open(connection.secrets, record_of(connection.connection_id))
        return [secret.decode() for secret in opened]

    async def verify_token(self, connection: Connection) -> str | None:
        """What a handshake has to show; None for a connection without one."""
        if connection.verify_token is None:
            return None
        [token] = await self._keeper.open((connection.verify_token,), record_of(connection.connection_id))
        return token.decode()

    async def delete(self, organization_id: str, connection_id: str) -> None:
        """Takes a connection away: what comes to it from now on is refused. What came is kept its 30 days."""
        await self.one(organization_id, connection_id)
        await self._store.delete_connection(organization_id, connection_id)

    async def _seal(self, connection_id: str, secret: str) -> Secret:
        return await self._keeper.seal(secret.encode(), record_of(connection_id))

    async def _update(self, connection_id: str, change: Callable[[Connection], Connection]) -> Connection:
        return await self._store.change_connection(
            connection_id, lambda one: change(one).model_copy(update={"updated_at": clock.now()})
        )


def record_of(connection_id: str) -> str:
    """What a secret is bound to."""
    return f"connection/{connection_id}"


def _check(provider: str, secret: str | None, options: Mapping[str, str]) -> None:
    verifier = VERIFIERS[provider]
    try:
        if secret is not None:
            verifier.usable(secret)
    except ValueError as error:
        raise UnusableSecret(f"{provider}: {error}") from None
    for name, value in options.items():
        allowed = verifier.options.get(name)
        if allowed is None:
            known = ", ".join(verifier.options) or "none"
            raise UnusableSecret(f"{provider} has no option {name!r}; it has: {known}")
        if allowed and value not in allowed:
            raise UnusableSecret(f"{name} must be one of {', '.join(allowed)}")
