"""From an event to a mail that has left, once as far as its record and the provider allow (see the README)."""

import asyncio
import hashlib
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

import structlog
from opentelemetry.trace import SpanKind

from omnify_email.auth import Auth, Contact
from omnify_email.errors import MailNotFailed, NothingToSend, PermanentError, SendError, UnknownMail
from omnify_email.metrics import MailMetrics
from omnify_email.rendering import PAGES, SUBJECTS, Kind, greeting_name, render
from omnify_email.senders.failover import Failover
from omnify_email.senders.mail import Mail
from omnify_email.settings import EmailSettings
from omnify_email.store import FINAL, TRIES, InHand, MailRecord, MailStore, hash_of
from omnify_shared import clock
from omnify_shared.erasure import Erasures
from omnify_shared.faults import point, reach

log = structlog.get_logger()
CLAIMED = point("email.send.claimed")
MINTED = point("email.send.minted")
SENT = point("email.send.sent")
RECORDED = point("email.send.recorded")

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(hours=6, minutes=30)  # 12 tries then take 24 hours
UNRECORDED = 10_000  # mails remembered as sent until their record says so


@dataclass(frozen=True, slots=True)
class Sent:
    """To whom a mail went, and by which provider."""

    recipient_hash: str
    provider: str


class EmailService:
    """Sends the mail of an event, and tries again those that could not leave."""

    def __init__(
        self,
        settings: EmailSettings,
        store: MailStore,
        auth: Auth,
        sender: Failover,
        metrics: MailMetrics,
        erasures: Erasures,
    ) -> None:
        self.erasures = erasures
        self._settings = settings
        self._store = store
        self._auth = auth
        self._sender = sender
        self._metrics = metrics
        self._unrecorded: dict[str, Sent] = {}

    async def note(self, event_id: str, at: datetime, user_id: str | None, organization_id: str | None) -> None:
        """Before a mail is taken in hand: notes whom it is about, so that its record can go with them."""
        for subject in (user_id, organization_id):
            if subject:
                await self._store.note(subject, at, event_id)

    async def deliver(self, event_id: str, kind: Kind, reference: str) -> MailRecord | None:
        """Sends the mail now, or makes sure that it will be sent: returning means that it can't be forgotten.

        Raises: PermanentError when the mail can never be sent; SidecarUnavailable when nothing could be recorded.
        """
        try:
            mail = await self._store.take(event_id, kind, reference)
        except InHand as taken:
            # Its sender may have died: the waiting list looks at it once the lease is over.
            await self._store.list_waiting(event_id, kind, taken.until)
            return None
        if mail.status != "sending":
            return mail
        reach(CLAIMED)
        return await self._try(mail)

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
            await asyncio.sleep(self._settings.poll_interval * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
            try:
                due, self._metrics.waiting = await self._store.due()
                for event_id in due:
                    await self._try_waiting(event_id)
            except Exception as error:
                log.warning("waiting mails not looked through", reason=_reason(error))

    async def _try_waiting(self, event_id: str) -> None:
        mail = await self._store.get(event_id)
        try:
            ended = await self.deliver(event_id, mail.kind, mail.reference) if mail else None
            over = mail is None or (ended is not None and ended.status in FINAL)
        except PermanentError as error:
            log.error("mail failed", event_id=event_id, reason=str(error))
            over = True
        if over:
            await self._store.unlist(event_id)

    async def _try(self, mail: MailRecord) -> MailRecord:
        try:
            ended = await self._ended(mail)
        except PermanentError:
            self._metrics.count(mail.kind, "failed")
            raise
        self._metrics.count(mail.kind, ended.status)
        return ended

    async def _ended(self, mail: MailRecord) -> MailRecord:
        try:
            sent = await self._sent_once(mail)
        except NothingToSend as nothing:
            return await self._store.end(mail, "skipped", reason=str(nothing))
        except PermanentError as error:
            await self._store.end(mail, "failed", reason=str(error))
            raise
        except Exception as error:
            return await self._postpone(mail, _reason(error))
        reach(SENT)
        log.info("mail sent", event_id=mail.event_id, kind=mail.kind, attempts=mail.attempts)
        known = {"recipient_hash": sent.recipient_hash, "provider": sent.provider, "reason": None}
        ended = await self._store.end(mail, "sent", **known)
        self._unrecorded.pop(mail.event_id, None)
        reach(RECORDED)
        return ended

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

    async def _postpone(self, mail: MailRecord, reason: str) -> MailRecord:
        if mail.attempts >= TRIES:
            await self._store.end(mail, "failed", reason=reason)
            raise PermanentError(f"given up after {mail.attempts} tries: {reason}")
        wait = min(FIRST_WAIT * 3 ** (mail.attempts - 1), LONGEST_WAIT)
        log.warning("mail waits", event_id=mail.event_id, reason=reason, attempts=mail.attempts, seconds=wait.seconds)
        return await self._store.postpone(mail, clock.now() + wait, reason)

    async def _send(self, mail: MailRecord) -> Sent:
        contact, values = await self._contents(mail)
        reach(MINTED)
        subject = SUBJECTS[mail.kind]
        name = greeting_name(contact.full_name)
        text, html = render(mail.kind, {**values, "name": name, "subject": subject})
        shown = "" if name == "there" else name
        letter = Mail(
            self.message_id(mail.event_id), contact.email, shown, subject, text, html, reference=mail.event_id
        )
        attributes = {"omnify.mail.kind": mail.kind, "omnify.mail.provider": self._sender.name}
        with self._metrics.tracing.span("send mail", SpanKind.CLIENT, attributes):
            provider = await self._sender.send(letter)
        return Sent(hash_of(contact.email), provider)

    async def _contents(self, mail: MailRecord) -> tuple[Contact, dict[str, str]]:
        if mail.kind == "registration_repeated":
            return await self._auth.contact(mail.reference), {"link": self._settings.public_url}
        if mail.kind == "verification":
            fresh = await self._auth.mint(mail.reference)
            return fresh, self._link(mail.kind, fresh.token, fresh.expires_at)
        letter = await self._auth.letter(mail.reference)
        if letter.token is None or letter.expires_at is None:
            return letter, {**letter.values, "link": self._settings.public_url}
        return letter, letter.values | self._link(mail.kind, letter.token, letter.expires_at)

    def _link(self, kind: Kind, token: str, expires_at: datetime) -> dict[str, str]:
        # In the fragment, which no browser sends to any server: the token reaches no access log.
        link = f"{self._settings.public_url.rstrip('/')}/{PAGES[kind]}#token={quote(token, safe='')}"
        return {"link": link, "expires_at": f"{expires_at:%d %B %Y, %H:%M} UTC"}

    def message_id(self, event_id: str) -> str:
        """The Message-ID of an event's mail: the same for every try, so that a mailbox can tell a second copy."""
        digest = hashlib.sha256(event_id.encode()).hexdigest()[:40]
        return f"<{digest}@{self._settings.sender_address.rpartition('@')[2]}>"


def _reason(error: Exception) -> str:
    """What may be kept of an error: our own texts; of others only the class, their texts could hold an address."""
    return str(error) if isinstance(error, SendError) else type(error).__name__
