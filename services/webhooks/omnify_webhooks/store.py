"""All state of the webhooks service. Keys name the organisation first, or a connection when its id is all there is."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from omnify_shared import clock
from omnify_shared.batches import Batches
from omnify_shared.dapr.errors import AlreadyExists, Missing
from omnify_shared.documents import Documents, Emit
from omnify_shared.events.model import EventData
from omnify_shared.events.outbox import Outbox
from omnify_shared.indexes import Entry, Index, Page
from omnify_shared.state import StateStore
from omnify_webhooks.records import (
    Connection,
    Connections,
    Delivery,
    Due,
    DueCursor,
    Endpoint,
    Endpoints,
    Health,
    Message,
    Parked,
    Receipt,
    Trigger,
)

DUE_LIFE = timedelta(days=60)  # what nobody took in so long is about messages that are gone
LIST_PAGE = 50  # entries, all of which are read and written again with every one that is added
FRESH = 1.0  # seconds for which what was read of an endpoint may be used again
REMEMBERED = 10_000
FORMER = 1000  # connections taken away that are remembered for what they received

Made = TypeVar("Made", Endpoint, Connection)


class WebhooksStore:
    """Endpoints, messages and deliveries. Every method raises SidecarUnavailable while the store is down."""

    def __init__(self, state: StateStore, outbox: Outbox, retention: float) -> None:
        kept = timedelta(seconds=retention)
        self._endpoints = Documents(state, "endpoints", Endpoints, outbox=outbox)
        self._health = Documents(state, "health", Health)
        self._messages = Documents(state, "message", Message, ttl=kept)
        self._deliveries = Documents(state, "delivery", Delivery, ttl=kept)
        self._sent = Index(state, "messages", LIST_PAGE, rolling=kept)
        self._listing: Batches[Entry] = Batches(self._sent.add_many)
        self.due = Documents(state, "due", Due, ttl=DUE_LIFE)
        self.cursors = Documents(state, "due-cursor", DueCursor)
        self.parked = Documents(state, "parked", Parked, ttl=kept)
        self.wakings = Documents(state, "waking", Due, ttl=DUE_LIFE)
        self.waking_cursors = Documents(state, "waking-cursor", DueCursor)
        self._connections = Documents(state, "connection", Connection)
        self._connection_lists = Documents(state, "connections", Connections)
        self._receipts = Documents(state, "receipt", Receipt, outbox=outbox, ttl=kept)
        self._received = Index(state, "received", LIST_PAGE, rolling=kept)
        self._receiving: Batches[Entry] = Batches(self._received.add_many)
        self._makers = Index(state, "made-by")
        self._seen_connections: dict[str, tuple[float, Connection]] = {}
        self._seen: dict[str, tuple[float, Endpoints]] = {}
        self._seen_health: dict[tuple[str, str], tuple[float, Health]] = {}

    async def endpoints(self, organization_id: str, *, recent: bool = False) -> Endpoints:
        """An organisation's endpoints; `recent`: as they were a second ago is good enough."""
        now = asyncio.get_running_loop().time()
        seen = self._seen.get(organization_id)
        if recent and seen and now - seen[0] < FRESH:
            return seen[1]
        found = await self._endpoints.get(organization_id) or Endpoints()
        _remember(self._seen, organization_id, (now, found))
        return found

    async def endpoint(self, organization_id: str, endpoint_id: str, *, recent: bool = False) -> Endpoint | None:
        """One endpoint."""
        found = await self.endpoints(organization_id, recent=recent)
        return next((one for one in found.endpoints if one.endpoint_id == endpoint_id), None)

    async def change_endpoints(self, organization_id: str, change: Callable[[Endpoints, Emit], Endpoints]) -> Endpoints:
        """Changes an organisation's endpoints in one conditional write. Raises what `change` raises."""
        stored = await self._endpoints.upsert(organization_id, initial=Endpoints, change=change)
        self._seen.pop(organization_id, None)
        return stored.value

    async def health(self, organization_id: str, endpoint_id: str) -> Health:
        """How an endpoint answers, as it was known a second ago."""
        key, now = (organization_id, endpoint_id), asyncio.get_running_loop().time()
        seen = self._seen_health.get(key)
        if seen and now - seen[0] < FRESH:
            return seen[1]
        found = await self._health.get(*key) or Health()
        _remember(self._seen_health, key, (now, found))
        return found

    async def change_health(
        self, organization_id: str, endpoint_id: str, change: Callable[[Health, Emit], Health]
    ) -> Health:
        """Notes how an endpoint answers."""
        key = (organization_id, endpoint_id)
        stored = await self._health.upsert(*key, initial=Health, change=change)
        _remember(self._seen_health, key, (asyncio.get_running_loop().time(), stored.value))
        return stored.value

    async def forget_health(self, organization_id: str, endpoint_id: str) -> None:
        """Starts an endpoint's record anew."""
        self._seen_health.pop((organization_id, endpoint_id), None)
        await self._health.delete(organization_id, endpoint_id)

    async def create_message(self, message: Message) -> bool:
        """Keeps a message; False when it is there already."""
        try:
            await self._messages.create(message.organization_id, message.message_id, value=message)
        except AlreadyExists:
            return False
        return True

    async def messages(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, ...], Message]:
        """Messages by organisation and id."""
        return await self._messages.get_many(keys)

    async def message(self, organization_id: str, message_id: str) -> Message | None:
        """One message."""
        return await self._messages.get(organization_id, message_id)

    async def list_message(self, message: Message, endpoint_ids: Iterable[str]) -> None:
        """Puts a message on its organisation's list, with whom it is for."""
        summary = {"type": message.event_type, "at": message.created_at.timestamp(), "to": list(endpoint_ids)}
        await self._listing.add(message.organization_id, Entry(id=message.message_id, summary=summary))

    async def listed(self, organization_id: str, cursor: str | None, limit: int) -> Page:
        """An organisation's messages, newest first. Raises BadRequest for a bad cursor."""
        return await self._sent.list(organization_id, cursor=cursor, limit=limit)

    async def delivery(self, organization_id: str, endpoint_id: str, message_id: str) -> Delivery | None:
        """One delivery; None before its first attempt."""
        return await self._deliveries.get(organization_id, endpoint_id, message_id)

    async def deliveries(self, keys: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], Delivery]:
        """Deliveries by organisation, endpoint and message."""
        return await self._deliveries.get_many(keys)

    async def change_delivery(
        self,
        key: tuple[str, str, str],
        trigger: Trigger,
        change: Callable[[Delivery], Delivery],
        *,
        fresh: bool = False,
    ) -> Delivery:
        """Changes a delivery (organisation, endpoint, message), which begins as waiting. `fresh`: there is none yet, as
        far as the caller knows."""
        now = clock.now()

        def initial() -> Delivery:
            return Delivery(
                status="waiting",
                trigger=trigger,
                step=0,
                attempts=(),
                total=0,
                next_at=None,
                reason=None,
                created_at=now,
                updated_at=now,
            )

        def changed(delivery: Delivery, _: Emit) -> Delivery:
            return change(delivery).model_copy(update={"updated_at": clock.now()})

        if fresh:
            with suppress(AlreadyExists):
                return (await self._deliveries.create(*key, value=change(initial()))).value
        return (await self._deliveries.upsert(*key, initial=initial, change=changed)).value

    async def connection(self, connection_id: str, *, recent: bool = False) -> Connection | None:
        """One connection, by its id alone; `recent`: as it was a second ago is good enough."""
        now = asyncio.get_running_loop().time()
        seen = self._seen_connections.get(connection_id)
        if recent and seen and now - seen[0] < FRESH:
            return seen[1]
        found = await self._connections.get(connection_id)
        if found:
            _remember(self._seen_connections, connection_id, (now, found))
        return found

    async def connections(self, organization_id: str) -> list[Connection]:
        """An organisation's connections, in the order in which they were made."""
        listed = await self._connection_lists.get(organization_id) or Connections()
        found = await self._connections.get_many((one,) for one in listed.connection_ids)
        return [found[(one,)] for one in listed.connection_ids if (one,) in found]

    async def list_connection(self, organization_id: str, connection_id: str, most: int) -> bool:
        """Puts a connection on its organisation's list; False when that is full."""

        def add(known: Connections, _: Emit) -> Connections:
            if len(known.connection_ids) >= most:
                return known
            return known.model_copy(update={"connection_ids": (*known.connection_ids, connection_id)})

        stored = await self._connection_lists.upsert(organization_id, initial=Connections, change=add)
        return connection_id in stored.value.connection_ids

    async def create_connection(self, connection: Connection) -> None:
        """Keeps a new connection."""
        await self._connections.create(connection.connection_id, value=connection)

    async def change_connection(self, connection_id: str, change: Callable[[Connection], Connection]) -> Connection:
        """Changes a connection. Raises Missing, and what `change` raises."""
        self._seen_connections.pop(connection_id, None)
        changed = (await self._connections.update(connection_id, change=lambda one, _: change(one))).value
        self._seen_connections.pop(connection_id, None)
        return changed

    async def delete_connection(self, organization_id: str, connection_id: str) -> None:
        """Deletes a connection, then takes it off the list."""
        await self._connections.delete(connection_id)
        self._seen_connections.pop(connection_id, None)

        def without(known: Connections, _: Emit) -> Connections:
            kept = tuple(one for one in known.connection_ids if one != connection_id)
            former = tuple(dict.fromkeys((*known.former_ids, connection_id)))[-FORMER:]
            return Connections(connection_ids=kept, former_ids=former)

        await self._connection_lists.upsert(organization_id, initial=Connections, change=without)

    async def create_receipt(self, receipt: Receipt, event: EventData) -> bool:
        """Keeps a request and its event in one write; False when it is there already."""
        try:
            await self._receipts.create(receipt.connection_id, receipt.receipt_id, value=receipt, events=[event])
        except AlreadyExists:
            return False
        return True

    async def list_receipt(self, receipt: Receipt) -> None:
        """Puts a request on its connection's list."""
        summary = {"type": receipt.event_type, "at": receipt.received_at.timestamp(), "size": receipt.size}
        await self._receiving.add(receipt.connection_id, Entry(id=receipt.receipt_id, summary=summary))

    async def receipts_listed(self, connection_id: str, cursor: str | None, limit: int) -> Page:
        """A connection's requests, newest first. Raises BadRequest for a bad cursor."""
        return await self._received.list(connection_id, cursor=cursor, limit=limit)

    async def receipt(self, connection_id: str, receipt_id: str) -> Receipt | None:
        """One request."""
        return await self._receipts.get(connection_id, receipt_id)

    async def replay_receipt(
        self, connection_id: str, receipt_id: str, event_of: Callable[[Receipt], EventData]
    ) -> Receipt:
        """Counts a replay and emits its event in one write. Raises Missing."""

        def again(receipt: Receipt, emit: Emit) -> Receipt:
            counted = receipt.model_copy(update={"replays": receipt.replays + 1})
            emit(event_of(counted))
            return counted

        return (await self._receipts.update(connection_id, receipt_id, change=again)).value

    async def _erase_connections(self, organization_id: str) -> dict[str, int]:
        """A page of what one connection received, or when there is none left, the connections."""

        known = await self._connection_lists.get(organization_id) or Connections()
        for connection_id in (*known.connection_ids, *known.former_ids):

            async def drop(entry: Entry, scope: str = connection_id) -> None:
                await self._receipts.delete(scope, entry.id)

            if receipts := await self._received.erase(connection_id, drop):
                return {"receipts": receipts}
        for connection_id in known.connection_ids:
            await self._connections.delete(connection_id)
        await self._connection_lists.delete(organization_id)
        return {"connections": len(known.connection_ids)}

    async def note_maker(self, user_id: str, organization_id: str) -> None:
        """Lists an organisation under a user, before they make an endpoint or a connection in it."""
        await self._makers.add(user_id, organization_id)

    async def made_by(self, user_id: str, most: int) -> tuple[list[tuple[str, Endpoint]], list[Connection]]:
        """What a user made, in whatever organisation, `most` of either; an endpoint with its organisation's id."""
        endpoints, connections, cursor = list[tuple[str, Endpoint]](), list[Connection](), None
        while True:
            page = await self._makers.list(user_id, cursor=cursor, limit=200)
            for entry in page.items:
                found = (await self.endpoints(entry.id)).endpoints
                endpoints += [(entry.id, one) for one in found if one.created_by == user_id]
                connections += [one for one in await self.connections(entry.id) if one.created_by == user_id]
            cursor = page.next_cursor
            if cursor is None or max(len(endpoints), len(connections)) >= most:
                return endpoints[:most], connections[:most]

    async def forget_maker(self, user_id: str) -> int:
        """Takes a user out of what they made in some of their organisations; how many those were, 0 when none is
        left."""

        def by_nobody(book: Endpoints, _: Emit) -> Endpoints:
            return Endpoints(endpoints=tuple(_by_nobody(one, user_id) for one in book.endpoints))

        async def drop(entry: Entry) -> None:
            if any(one.created_by == user_id for one in (await self.endpoints(entry.id)).endpoints):
                await self.change_endpoints(entry.id, by_nobody)
            for one in await self.connections(entry.id):
                if one.created_by == user_id:
                    with suppress(Missing):
                        await self.change_connection(one.connection_id, lambda found: _by_nobody(found, user_id))

        return await self._makers.erase(user_id, drop)

    async def erase(self, organization_id: str) -> dict[str, int]:
        """Deletes a part of what is held for an organisation: a page of its messages, or when there is none, its
        endpoints; then again what was sent in between."""
        endpoints = (await self.endpoints(organization_id)).endpoints

        async def drop(entry: Entry) -> None:
            for endpoint_id in {*_texts(entry.summary.get("to")), *(one.endpoint_id for one in endpoints)}:
                await self._deliveries.delete(organization_id, endpoint_id, entry.id)
            await self._messages.delete(organization_id, entry.id)

        if messages := await self._sent.erase(organization_id, drop):
            return {"messages": messages}
        for one in endpoints:
            await self.forget_health(organization_id, one.endpoint_id)
        if endpoints:
            await self.change_endpoints(organization_id, lambda _, __: Endpoints())
            return {"endpoints": len(endpoints)}
        return await self._erase_connections(organization_id)


def _by_nobody(made: Made, user_id: str) -> Made:
    return made.model_copy(update={"created_by": ""}) if made.created_by == user_id else made


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _remember(memory: dict, key: object, value: object) -> None:  # type: ignore[type-arg]
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = value
