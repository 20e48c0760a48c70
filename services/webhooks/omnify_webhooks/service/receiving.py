"""Events of other platforms: verified on the bytes as they came, kept with the event they make, then acknowledged."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal

from omnify_shared import clock
from omnify_shared.faults import point, reach
from omnify_shared.indexes import Page
from omnify_shared.problems import TooManyRequests
from omnify_webhooks.errors import SignatureRefused, UnknownReceipt
from omnify_webhooks.events import EventReceived
from omnify_webhooks.metrics import WebhookMetrics
from omnify_webhooks.records import Connection, Receipt
from omnify_webhooks.service.connections import ConnectionBook
from omnify_webhooks.settings import WebhooksSettings
from omnify_webhooks.store import WebhooksStore
from omnify_webhooks.verifiers import VERIFIERS, Facts, Incoming, Refused

STORED = point("webhooks.receive.stored")
LISTED = point("webhooks.receive.listed")

MINUTE = 60.0
NOT_KEPT = ("authorization", "cookie", "dapr-", "x-forwarded-", "forwarded", "traceparent", "x-request-id", "host")
NOBODY = "nobody's secret"  # that a request to an unknown connection is held against
MOST = 1000  # made events again by one request
Answer = Literal["accepted", "repeated"]


class Pace:
    """How many requests of each connection this replica takes in a minute. Only those that were verified count, so
    that nobody can shut out the real sender."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._began = 0.0
        self._counts: dict[str, int] = {}

    def count(self, connection_id: str) -> None:
        """Raises TooManyRequests."""
        now = asyncio.get_running_loop().time()
        if now - self._began >= MINUTE:
            self._began, self._counts = now, {}
        self._counts[connection_id] = self._counts.get(connection_id, 0) + 1
        if self._counts[connection_id] > self._most:
            raise TooManyRequests(f"at most {self._most} a minute", retry_after=self._began + MINUTE - now)


class Receiver:
    """Takes requests in."""

    def __init__(
        self, settings: WebhooksSettings, store: WebhooksStore, book: ConnectionBook, metrics: WebhookMetrics
    ) -> None:
        self._settings = settings
        self._store = store
        self._book = book
        self._metrics = metrics
        self._pace = Pace(settings.receive_per_minute)

    async def receive(self, provider: str, connection_id: str, incoming: Incoming) -> Answer:
        """Verifies a request and keeps it; once this returns it can't be forgotten. Work on it comes later, by event.

        Raises SignatureRefused, whatever is wrong; TooManyRequests.
        """
        connection = await self._connection(provider, connection_id)
        facts = await self._verified(provider, connection, incoming)
        if connection is None or facts is None:
            self._metrics.received("refused")
            raise SignatureRefused
        try:
            self._pace.count(connection_id)
        except TooManyRequests:
            self._metrics.received("limited")
            raise
        fresh = await self._keep(_receipt(connection, facts, incoming))
        answer: Answer = "accepted" if fresh else "repeated"
        self._metrics.received(answer)
        return answer

    async def _keep(self, receipt: Receipt) -> bool:
        """Keeps and lists side by side; False when it was there. Whoever finds one without the other passes over it,
        and the sender, who got no answer, sends again."""

        async def store() -> bool:
            fresh = await self._store.create_receipt(receipt, _event(receipt))
            reach(STORED)
            return fresh

        fresh, _ = await asyncio.gather(store(), self._store.list_receipt(receipt))
        reach(LISTED)
        return fresh

    async def shake_hands(self, provider: str, connection_id: str, query: Mapping[str, str]) -> str:
        """Meta's handshake: the challenge, for whoever knows the verify token. Raises SignatureRefused."""
        connection = await self._connection(provider, connection_id)
        known = await self._book.verify_token(connection) if connection else None
        given, challenge = query.get("hub.verify_token", ""), query.get("hub.challenge", "")
        same = hmac.compare_digest(given.encode(errors="replace"), (known or NOBODY).encode())
        usable = challenge.isascii() and challenge.isalnum() and len(challenge) <= 128
        if not (same and known and usable and query.get("hub.mode") == "subscribe"):
            raise SignatureRefused
        return challenge

    async def received(self, connection: Connection, cursor: str | None, limit: int) -> Page:
        """What came, newest first. Raises BadRequest for a bad cursor."""
        return await self._store.receipts_listed(connection.connection_id, cursor, limit)

    async def one(self, connection: Connection, receipt_id: str) -> Receipt:
        """One request as it came. Raises UnknownReceipt."""
        found = await self._store.receipt(connection.connection_id, receipt_id)
        if found is None:
            raise UnknownReceipt("nothing of that id came, or it is not kept any more")
        return found

    async def again(self, connection: Connection, receipt_id: str) -> Receipt:
        """Makes an event of it once more. Raises UnknownReceipt."""
        await self.one(connection, receipt_id)
        return await self._store.replay_receipt(connection.connection_id, receipt_id, _event)

    async def all_between(
        self, connection: Connection, since: datetime, until: datetime, cursor: str | None
    ) -> tuple[int, str | None]:
        """Makes events again of what came in a range of time. How many, and where to go on."""
        count = 0
        while count < MOST:
            page = await self._store.receipts_listed(connection.connection_id, cursor, 200)
            for entry in page.items:
                at = float(str(entry.summary["at"]))
                if since.timestamp() <= at < until.timestamp():
                    with suppress(UnknownReceipt):
                        await self.again(connection, entry.id)
                        count += 1
            cursor = page.next_cursor
            if cursor is None or (page.items and float(str(page.items[-1].summary["at"])) < since.timestamp()):
                return count, None
        return count, cursor

    async def _connection(self, provider: str, connection_id: str) -> Connection | None:
        found = await self._store.connection(connection_id, recent=True)
        return found if found and found.provider == provider and found.enabled else None

    async def _verified(self, provider: str, connection: Connection | None, incoming: Incoming) -> Facts | None:
        """What is known of a request; None when no secret fits. An unknown connection is tried like a known one."""
        verifier = VERIFIERS.get(provider, VERIFIERS["standard"])
        options = {name: allowed[0] for name, allowed in verifier.options.items() if allowed}
        options |= {name: str(value) for name, value in (connection.options if connection else {}).items()}
        secrets = await self._book.secrets(connection) if connection else [NOBODY]
        for secret in secrets:
            try:
                verifier.verify(incoming, secret, options)
                return verifier.facts(incoming, options) if connection else None
            except (Refused, ValueError):
                continue
        return None


def _receipt(connection: Connection, facts: Facts, incoming: Incoming) -> Receipt:
    """Its id is made of the event's own or of the body, so what comes again is found to be there."""
    name = facts.event_id.encode() if facts.event_id else b"body:" + hashlib.sha256(incoming.body).digest()
    try:
        body, encoding = incoming.body.decode(), "utf-8"
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(incoming.body).decode(), "base64"
    values: dict[str, Any] = {"body": body, "encoding": encoding}
    return Receipt(
        receipt_id=f"rcv_{hashlib.sha256(connection.connection_id.encode() + name).hexdigest()[:32]}",
        connection_id=connection.connection_id,
        organization_id=connection.organization_id,
        provider=connection.provider,
        event_type=facts.event_type,
        provider_event_id=facts.event_id,
        headers={name: value for name, value in incoming.headers.items() if not name.startswith(NOT_KEPT)},
        size=len(incoming.body),
        received_at=clock.now(),
        replays=0,
        **values,
    )


def _event(receipt: Receipt) -> EventReceived:
    return EventReceived(
        organization_id=receipt.organization_id,
        connection_id=receipt.connection_id,
        provider=receipt.provider,
        receipt_id=receipt.receipt_id,
        provider_event_type=receipt.event_type,
        provider_event_id=receipt.provider_event_id,
        size=receipt.size,
        received_at=receipt.received_at,
        replays=receipt.replays,
    )
