"""Attempts: made one at a time per delivery, recorded, and made again by the ladder until one is answered with 2xx."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog
from opentelemetry.trace import SpanKind

from omnify_shared import clock
from omnify_shared.dapr.errors import SidecarError
from omnify_shared.faults import point, reach
from omnify_shared.tasks import Tasks
from omnify_webhooks import signing
from omnify_webhooks.errors import UnknownEndpoint
from omnify_webhooks.lanes import Lanes
from omnify_webhooks.metrics import WebhookMetrics
from omnify_webhooks.records import Attempt, Delivery, DeliveryStatus, Endpoint, Message
from omnify_webhooks.sending import Outcome, Sender
from omnify_webhooks.service.endpoints import EndpointBook
from omnify_webhooks.service.health import Nurse, soon_after
from omnify_webhooks.service.messages import Job
from omnify_webhooks.settings import WebhooksSettings
from omnify_webhooks.store import WebhooksStore
from omnify_webhooks.wheel import Held, Wheel

log = structlog.get_logger()
ANSWERED = point("webhooks.deliver.answered")
RECORDED = point("webhooks.deliver.recorded")
SCHEDULED = point("webhooks.deliver.scheduled")

SLOWING = frozenset({429, 502, 503, 504})  # whose `Retry-After` is honoured
FINAL: frozenset[DeliveryStatus] = frozenset({"delivered", "failed", "cancelled"})
KEPT_ATTEMPTS = 20
AT_ONCE = 200  # taken off the wheel in one turn


class Deliveries:
    """Works on jobs; `lanes` says when, and this how."""

    def __init__(
        self,
        settings: WebhooksSettings,
        store: WebhooksStore,
        wheel: Wheel,
        book: EndpointBook,
        sender: Sender,
        nurse: Nurse,
        metrics: WebhookMetrics,
        tasks: Tasks,
    ) -> None:
        self._settings = settings
        self._store = store
        self._wheel = wheel
        self._book = book
        self._sender = sender
        self._nurse = nurse
        self._metrics = metrics
        self._tasks = tasks
        self.lanes: Lanes[Job] = Lanes(tasks, self.work, per_lane=settings.per_endpoint, at_once=settings.at_once)

    async def keep_trying(self) -> None:
        """Runs for the life of the process: takes what is due off the wheel."""
        while True:
            await asyncio.sleep(self._settings.poll_interval * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            try:
                await self.look_at(await self._wheel.take(AT_ONCE, self.lanes.in_hand))
            except Exception as error:
                log.warning("due deliveries not looked through", reason=type(error).__name__)

    async def look_at(self, held: Sequence[Held]) -> None:
        """Goes on with deliveries in hand, as their documents say."""
        slots = {one.slot.name: one for one in held}
        keys = [one.slot.key for one in held]
        deliveries = await self._store.deliveries(keys) if keys else {}
        messages = await self._store.messages({(key[0], key[2]) for key in keys}) if keys else {}
        for key in keys:
            message = messages.get((key[0], key[2]))
            await self._go_on(slots["/".join(key)], message, deliveries.get(key))

    async def _go_on(self, held: Held, message: Message | None, delivery: Delivery | None) -> None:
        """The delivery says what is to be done: an entry of the wheel may be one too many."""
        if message is None or (delivery and delivery.status in FINAL):
            self._tasks.spawn(self._wheel.drop(held), name="drop")
        elif delivery and delivery.next_at and delivery.next_at > clock.now() + timedelta(seconds=1):
            self._tasks.spawn(self._put_off(held, delivery.next_at), name="put off")
        elif rests_until := await self._nurse.rests_until(held.slot):
            self._tasks.spawn(self._park(held, soon_after(rests_until)), name="park")
        else:
            self.lanes.offer(Job(held, message, delivery.trigger if delivery else "event", fresh=not delivery))

    async def work(self, job: Job) -> None:
        """One attempt, whatever comes of it; what goes wrong here is due again when the lease is over."""
        try:
            if clock.now() + timedelta(seconds=self._settings.timeout) < job.held.until:
                await self._attempt(job)
        except SidecarError as error:
            log.warning("delivery put off", message_id=job.message.message_id, reason=type(error).__name__)
        except Exception as error:
            log.error("delivery failed within", message_id=job.message.message_id, exc_info=error)

    async def _attempt(self, job: Job) -> None:
        slot = job.held.slot
        endpoint = await self._store.endpoint(slot.organization_id, slot.endpoint_id, recent=True)
        if endpoint is None or not endpoint.enabled:
            await self._record(job, lambda one: _ended(one, "cancelled", "the endpoint is disabled or gone"))
            return await self._wheel.drop(job.held)
        if job.trigger != "test" and (rests_until := await self._nurse.wait_until(slot)):
            return await self._park(job.held, soon_after(rests_until))
        started = clock.now()
        outcome = await self._post(job, endpoint)
        reach(ANSWERED)
        await self._settle(job, started, outcome)
        await self._follow(job, outcome)

    async def _post(self, job: Job, endpoint: Endpoint) -> Outcome:
        payload = job.message.payload.encode()
        secrets = await self._book.secrets(job.message.organization_id, endpoint)
        stamp = int(clock.now().timestamp())
        headers = signing.headers(secrets, job.message.message_id, stamp, payload)
        with self._metrics.tracing.span(
            "send webhook", SpanKind.CLIENT, {"omnify.webhook.type": job.message.event_type}
        ):
            return await self._sender.post(endpoint.url, headers | {"content-type": "application/json"}, payload)

    async def _settle(self, job: Job, started: datetime, outcome: Outcome) -> None:
        """Records the attempt, then sees to the next one; what a crash leaves between is put right by the lease."""
        delivery = await self._record(job, lambda one: self._after(one, job, started, outcome))
        reach(RECORDED)
        if delivery.status == "waiting" and delivery.next_at:
            await self._wheel.add(job.held.slot, delivery.next_at)
        reach(SCHEDULED)
        await self._wheel.drop(job.held)
        self._metrics.count(job.trigger, "delivered" if outcome.delivered else delivery.status)

    async def _follow(self, job: Job, outcome: Outcome) -> None:
        slot = job.held.slot
        reason = await self._nurse.note(slot, outcome)
        if reason:
            try:
                await self._book.disable(slot.organization_id, slot.endpoint_id, reason)
            except UnknownEndpoint:
                return
            log.warning("endpoint disabled", endpoint_id=slot.endpoint_id, reason=reason)

    def _after(self, delivery: Delivery, job: Job, started: datetime, outcome: Outcome) -> Delivery:
        attempt = Attempt(
            at=started,
            trigger=job.trigger,
            status=outcome.status,
            error=outcome.error,
            seconds=outcome.seconds,
            response=outcome.response,
            headers=outcome.headers,
        )
        attempts = (*delivery.attempts, attempt)[-KEPT_ATTEMPTS:]
        noted = delivery.model_copy(
            update={"attempts": attempts, "total": delivery.total + 1, "step": delivery.step + 1, "reason": None}
        )
        if outcome.delivered or delivery.status == "delivered":
            return _ended(noted, "delivered", None)
        if job.trigger == "test" or outcome.gone or noted.step >= len(self._settings.ladder):
            return _ended(noted, "failed", outcome.error or f"answered {outcome.status}")
        return noted.model_copy(update={"next_at": clock.now() + self._wait(noted.step, outcome), "status": "waiting"})

    def _wait(self, step: int, outcome: Outcome) -> timedelta:
        """Until the next attempt: the ladder's wait, or what the receiver asks for when that is longer."""
        share = random.uniform(1 - self._settings.jitter, 1 + self._settings.jitter)  # noqa: S311
        seconds = self._settings.ladder[step] * share
        if outcome.status in SLOWING and outcome.retry_after:
            seconds = max(seconds, outcome.retry_after)
        return timedelta(seconds=seconds)

    async def _record(self, job: Job, change: Callable[[Delivery], Delivery]) -> Delivery:
        return await self._store.change_delivery(job.held.slot.key, job.trigger, change, fresh=job.fresh)

    async def _put_off(self, held: Held, until: datetime) -> None:
        await self._wheel.add(held.slot, until)
        await self._wheel.drop(held)

    async def _park(self, held: Held, until: datetime) -> None:
        await self._nurse.park(held.slot, until)
        await self._wheel.drop(held)


def _ended(delivery: Delivery, status: DeliveryStatus, reason: str | None) -> Delivery:
    return delivery.model_copy(update={"status": status, "next_at": None, "reason": reason})
