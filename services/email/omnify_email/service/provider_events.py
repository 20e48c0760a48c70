"""What SendGrid tells of mails that it took: told in batches, at times twice, in no order.

Every event may be taken again: a stop is set once more, and the mail's own timeline knows the event's id. The first one
answers whether the mail was taken at all, where a crash had left that open.
"""

from datetime import UTC, datetime
from typing import Any, Final

import structlog
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from omnify_email.addresses import AddressKeys, masked, usable
from omnify_email.catalogue import CHOSEN
from omnify_email.errors import NotEvents, NotSigned
from omnify_email.records import Entry, Happening, MailRecord, MessageRecord
from omnify_email.service import outcomes
from omnify_email.service.standings import Standings
from omnify_email.signatures import public_keys, signed
from omnify_email.store.mails import FINAL, MailStore
from omnify_shared import clock
from omnify_shared.faults import point, reach
from omnify_shared.secrets import Secrets

log = structlog.get_logger()
STOPPED = point("email.event.stopped")
NOTED = point("email.event.noted")

WEBHOOK_KEY: Final = "sendgrid-webhook-key"
PROVIDER: Final = "sendgrid"
MOST: Final = 2000  # events of one batch
_LONGEST_DETAIL: Final = 200
_LATEST: Final = 2**33
_HAPPENINGS: Final[dict[str, Happening]] = {
    "processed": "processed",
    "deferred": "deferred",
    "dropped": "dropped",
    "delivered": "delivered",
    "bounce": "bounced",
    "open": "opened",
    "click": "clicked",
    "spamreport": "complained",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
}


class _Told(BaseModel):
    """The fields of an event that matter here; others are SendGrid's to change."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    event: str = Field(max_length=64)
    sg_event_id: str = Field(min_length=1, max_length=128)
    timestamp: int = Field(ge=0, le=_LATEST)
    email: str = Field(default="", max_length=320)
    type: str | None = Field(default=None, max_length=64)
    status: str | None = Field(default=None, max_length=64)
    omnify_mail: str | None = Field(default=None, max_length=128)


_BATCH = TypeAdapter(list[dict[str, Any]])


class ProviderEvents:
    """Takes batches in."""

    def __init__(self, secrets: Secrets, mails: MailStore, standings: Standings, keys: AddressKeys) -> None:
        self._secrets = secrets
        self._mails = mails
        self._standings = standings
        self._keys = keys

    async def take(self, body: bytes, signature: str | None, timestamp: str | None) -> int:
        """How many events of a batch were about mails of ours. Raises NotSigned, NotEvents, SidecarUnavailable."""
        keys = public_keys(await self._secrets.get(WEBHOOK_KEY))
        if not keys:
            log.error("no usable key for SendGrid's events", secret=WEBHOOK_KEY)
        if not signed(keys, body, signature, timestamp, clock.now()):
            raise NotSigned("the batch is not signed with the webhook's key, or too old")
        try:
            batch = _BATCH.validate_json(body)
        except ValidationError as error:
            raise NotEvents("a batch is a JSON array of objects") from error
        if len(batch) > MOST:
            raise NotEvents(f"a batch holds at most {MOST} events")
        return sum([await self._one(event) for event in batch])

    async def _one(self, raw: dict[str, Any]) -> bool:
        """One that is not understood is left out: sending the batch again would not mend it."""
        try:
            told = _Told.model_validate(raw)
        except ValidationError:
            log.warning("an event of SendGrid's is not understood")
            return False
        what = _HAPPENINGS.get(told.event)
        if what is None or not told.omnify_mail or "||" in told.omnify_mail or "/" in told.omnify_mail:
            return False
        if what == "bounced" and told.type == "blocked":
            what = "blocked"
        mail = await self._mails.get(told.omnify_mail)
        if mail is None:
            return False
        await self._heed(mail, told, what)
        reach(STOPPED)
        detail = (told.status or told.type or "")[:_LONGEST_DETAIL] or None
        entry = Entry(id=told.sg_event_id, at=datetime.fromtimestamp(told.timestamp, UTC), what=what, detail=detail)
        noted = await self._mails.note(told.omnify_mail, entry, outcomes.told, PROVIDER)
        reach(NOTED)
        if mail.status not in FINAL:
            await self._mails.unlist(told.omnify_mail)
        return noted is not None

    async def _heed(self, mail: MailRecord, told: _Told, what: Happening) -> None:
        """Sets what must stop, before the event counts as taken."""
        organization_id = mail.organization_id if isinstance(mail, MessageRecord) else None
        key = mail.recipient_key
        if key is None or not usable(told.email) or await self._keys.of(told.email) != key:
            return
        shown = masked(told.email)
        if what == "bounced":
            await self._standings.bounced(organization_id, key, shown, told.status)
        elif organization_id and what == "complained":
            await self._standings.complained(organization_id, key, shown)
        elif organization_id and what == "unsubscribed":
            await self._standings.choose(organization_id, key, shown, dict.fromkeys(CHOSEN, False))
