"""From an event to a mail that has left, once as far as its record and the provider allow (see the README)."""

import asyncio
import hashlib
import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from opentelemetry.trace import SpanKind

from omnify_email.addresses import masked
from omnify_email.errors import MailNotFailed, NothingToSend, PermanentError, SendError, TransientError, UnknownMail
from omnify_email.metrics import MailMetrics
from omnify_email.records import MailRecord, MessageRecord
from omnify_email.senders import MailSender
from omnify_email.senders.failover import Failover
from omnify_email.senders.mail import Mail
from omnify_email.service import outcomes
from omnify_email.service.contents import Composed, Contents
from omnify_email.service.domains import Domains
from omnify_email.service.standings import Standings
from omnify_email.settings import EmailSettings
from omnify_email.store import Store
from omnify_email.store.mails import FINAL, TRIES, InHand, TakenOver, is_message_id
from omnify_shared import clock
from omnify_shared.faults import point, reach
from omnify_shared.ids import new_id

log = structlog.get_logger()
CLAIMED = point("email.send.claimed")
MINTED = point("email.send.minted")
SENT = point("email.send.sent")
RECORDED = point("email.send.recorded")

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=6, minutes=30)  # 12 tries then take 24 hours
PARALLEL = 8  # waiting mails tried at once, per replica
UNRECORDED = 10_000  # mails remembered as sent until their record says so


@dataclass(frozen=True, slots=True)
class Sent:
    """To whom a mail went, and by which provider."""

    recipient_key: str
    provider: str


class Suppressed(Exception):
    """The recipient can't or does not want to get this mail."""

    def __init__(self, reason: str, recipient_key: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.recipient_key = recipient_key


class Delivery:
    """Sends mails, and tries again those that could not leave."""

    def __init__(
        self,
        settings: EmailSettings,
        store: Store,
        contents: Contents,
        standings: Standings,
        domains: Domains,
        sender: Failover,
        metrics: MailMetrics,
    ) -> None:
        self._settings = settings
        self._store = store.mails
        self._requests = store.requests
        self._contents = contents
        self._standings = standings
        self._domains = domains
        self._sender = sender
        self._metrics = metrics
        self._unrecorded: dict[str, Sent] = {}
        self._woken = asyncio.Event()

    async def note(self, event_id: str, at: datetime, user_id: str | None, organization_id: str | None) -> None:
        """Before a mail is taken in hand: notes whom it is about, so that its record can go with them."""
        for subject in (user_id, organization_id):
            if subject:
                await self._store.list_about(subject, at, event_id)

    async def deliver(self, event_id: str, kind: str, reference: str, **more: str) -> MailRecord | None:
        """Sends the mail now, or makes sure that it will be sent: returning means that it can't be forgotten.

        Raises: PermanentError when the mail can never be sent; SidecarUnavailable when nothing could be recorded.
        """
        try:
            mail = await self._store.take(event_id, kind, reference, **more)
        except InHand as taken:
            # Its sender may have died: the waiting list looks at it once the lease is over.
            await self._store.list_waiting(event_id, kind, taken.until)
            return None
        if mail.status != "sending":
            return mail
        reach(CLAIMED)
        try:
            return await self._try(mail)
        except TakenOver as taken_over:
            return taken_over.mail

    def wake(self) -> None:
        """Has this replica look through the waiting mails at once."""
        self._woken.set()

    async def retry(self, event_id: str) -> MailRecord:
        """Tries a failed mail again. Raises UnknownMail, MailNotFailed, PermanentError."""
        mail = await self.find(event_id)
        if mail.status != "failed":
            raise MailNotFailed(f"its status is '{mail.status}'")
        return await self.deliver(event_id, mail.kind, mail.reference) or mail

    async def find(self, event_id: str) -> MailRecord:
        """The record of a mail. Raises UnknownMail."""
        mail = await self._store.get(event_id)
        if mail is None:
            raise UnknownMail(f"no mail belongs to event {event_id!r}")
        return mail

    async def keep_trying(self) -> None:
        """Runs for the life of the process: looks through the waiting mails."""
        while True:
            pause = self._settings.poll_interval * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause)
            self._woken.clear()
            try:
                due, self._metrics.waiting = await self._store.due()
                await self._try_all(due)
            except Exception as error:
                log.warning("waiting mails not looked through", reason=_reason(error))

    async def _try_all(self, due: list[str]) -> None:
        """A few at once: a provider answers in tenths of a second, and an organisation asks for many mails at once."""
        gate = asyncio.Semaphore(PARALLEL)

        async def one(event_id: str) -> None:
            async with gate:
                await self._try_waiting(event_id)

        for failed in await asyncio.gather(*map(one, due), return_exceptions=True):
            if isinstance(failed, Exception):
                log.warning("waiting mail not tried", reason=_reason(failed))

    async def _try_waiting(self, event_id: str) -> None:
        try:
            ended = await self._again(event_id)
            over = ended is not None and ended.status in FINAL
        except UnknownMail:
            over = True
        except PermanentError as error:
            log.error("mail failed", event_id=event_id, reason=str(error))
            over = True
        if over:
            await self._store.unlist(event_id)

    async def _again(self, event_id: str) -> MailRecord | None:
        """Raises UnknownMail, PermanentError."""
        if is_message_id(event_id):
            request_id, _, number = event_id.partition(".")
            request = await self._requests.get(request_id)
            if request is None:
                raise UnknownMail("what was asked for is kept no longer")
            more = {"organization_id": request.organization_id, "category": request.category}
            return await self.deliver(event_id, request.template, f"{request_id}/{int(number)}", **more)
        mail = await self.find(event_id)
        return await self.deliver(event_id, mail.kind, mail.reference)

    async def _try(self, mail: MailRecord) -> MailRecord:
        try:
            ended = await self._ended(mail)
        except PermanentError:
            self._metrics.count(mail.kind, "failed")
            raise
        self._metrics.count(mail.kind, ended.status)
        return ended

    async def _ended(self, mail: MailRecord) -> MailRecord:
        if mail.event_id not in self._unrecorded and (open_still := await self._awaited(mail)):
            return open_still
        try:
            sent = await self._sent_once(mail)
        except TakenOver:
            raise
        except NothingToSend as nothing:
            return await self._store.end(mail, "skipped", reason=str(nothing))
        except Suppressed as suppressed:
            return await self._suppress(mail, suppressed)
        except PermanentError as error:
            await self._store.end(mail, "failed", reason=str(error))
            raise
        except Exception as error:
            return await self._postpone(mail, error)
        reach(SENT)
        log.info("mail sent", event_id=mail.event_id, kind=mail.kind, attempts=mail.attempts)
        known = {"recipient_key": sent.recipient_key, "provider": sent.provider, "reason": None}
        ended = await self._store.end(mail, "sent", *outcomes.sent(mail), **known)
        self._unrecorded.pop(mail.event_id, None)
        reach(RECORDED)
        return ended

    async def _awaited(self, mail: MailRecord) -> MailRecord | None:
        """Lets a mail wait that an earlier try may have handed over, as long as its provider may still tell of it."""
        open_still = mail.handover
        if open_still is None or open_still.until <= clock.now():
            return None
        reason = f"{open_still.provider}: not known yet whether it took the mail"
        log.warning("mail may have left", event_id=mail.event_id, provider=open_still.provider)
        return await self._store.postpone(mail, open_still.until, reason, attempts=mail.attempts - 1)

    async def _suppress(self, mail: MailRecord, suppressed: Suppressed) -> MailRecord:
        known = {"reason": f"suppressed: {suppressed.reason}", "recipient_key": suppressed.recipient_key}
        if not isinstance(mail, MessageRecord):
            return await self._store.end(mail, "skipped", **known)
        event = outcomes.suppressed(mail, suppressed.reason)
        return await self._store.end(mail, "suppressed", event, **known)

    async def _sent_once(self, mail: MailRecord) -> Sent:
        """How it left; a mail that left and could not be recorded as sent does not leave again."""
        if (sent := self._unrecorded.get(mail.event_id)) is not None:
            return sent
        async with asyncio.timeout(self._settings.fetch_timeout + self._settings.send_timeout):
            sent = await self._send(mail)
        self._unrecorded[mail.event_id] = sent
        if len(self._unrecorded) > UNRECORDED:
            del self._unrecorded[next(iter(self._unrecorded))]
        return sent

    async def _postpone(self, mail: MailRecord, error: Exception) -> MailRecord:
        reason = _reason(error)
        if mail.attempts >= TRIES:
            await self._store.end(mail, "failed", reason=reason)
            raise PermanentError(f"given up after {mail.attempts} tries: {reason}")
        wait = min(FIRST_WAIT * 3 ** (mail.attempts - 1), LONGEST_WAIT)
        log.warning("mail waits", event_id=mail.event_id, reason=reason, attempts=mail.attempts, seconds=wait.seconds)
        known = {"handover": None} if isinstance(error, TransientError) and error.certain else {}
        return await self._store.postpone(mail, clock.now() + wait, reason, **known)

    async def _send(self, mail: MailRecord) -> Sent:
        composed = await self._contents.of(mail)
        reach(MINTED)
        stopped = await self._standings.stopped(composed.organization_id, composed.category, composed.address_key)
        if stopped:
            raise Suppressed(stopped, composed.address_key)
        letter = await self._letter(mail.event_id, composed)
        attributes = {"omnify.mail.kind": mail.kind, "omnify.mail.provider": self._sender.name}
        with self._metrics.tracing.span("send mail", SpanKind.CLIENT, attributes):
            provider = await self._handed(mail, letter, composed)
        return Sent(composed.address_key, provider)

    async def _handed(self, mail: MailRecord, letter: Mail, composed: Composed) -> str:
        """Which provider took the mail. An organisation's mail that finds nobody stops those that would follow."""
        settings = self._settings
        wait = settings.security_outcome_wait if composed.category == "security" else settings.outcome_wait

        async def before(sender: MailSender) -> None:
            until = clock.now() + timedelta(seconds=wait if sender.tells else 0)
            await self._store.hand_over(mail, sender.name, until, composed.address_key)

        try:
            return await self._sender.send(letter, before)
        except PermanentError as error:
            if error.nobody and composed.organization_id:
                shown = masked(composed.recipient)
                await self._standings.bounced(composed.organization_id, composed.address_key, shown, str(error))
            raise

    async def _letter(self, event_id: str, composed: Composed) -> Mail:
        signing = None
        if composed.organization_id and composed.domain_id:
            signing = await self._domains.signing(composed.organization_id, composed.domain_id)
        return Mail(
            self.message_id(event_id),
            composed.recipient,
            composed.name,
            composed.subject,
            composed.text,
            composed.html,
            reference=event_id,
            headers=composed.headers,
            sender=composed.sender,
            signing=signing,
        )

    async def send_test(self, composed: Composed) -> None:
        """Sends a mail that nobody asked for but its recipient, in one try. Raises TransientError, PermanentError."""

        async def unrecorded(_: MailSender) -> None:
            pass

        await self._sender.send(await self._letter(new_id(), composed), unrecorded)

    def message_id(self, event_id: str) -> str:
        """The Message-ID of an event's mail: the same for every try, so that a mailbox can tell a second copy."""
        digest = hashlib.sha256(event_id.encode()).hexdigest()[:40]
        return f"<{digest}@{self._settings.sender_address.rpartition('@')[2]}>"


def _reason(error: Exception) -> str:
    """What may be kept of an error: our own texts; of others only the class, their texts could hold an address."""
    return str(error) if isinstance(error, SendError) else type(error).__name__
