"""What the service stores. Times are UTC; addresses and values lie sealed, or as keyed digests."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from omnify_email.catalogue import Category, FirstKind, LetterKind, Locale, NoticeKind

Status = Literal["sending", "sent", "skipped", "waiting", "failed"]
MessageStatus = Status | Literal["suppressed"]
Delivery = Literal["processed", "deferred", "blocked", "dropped", "delivered", "bounced", "complained"]
Happening = Delivery | Literal["opened", "clicked", "unsubscribed"]
Reason = Literal["bounce", "complaint", "manual"]
Check = Literal["pending", "verified", "failed"]


class Sealed(BaseModel):
    """Bytes encrypted with AES-256-GCM under version `key` of the key-encryption key; base64url."""

    key: int
    nonce: str
    data: str


class Root(BaseModel):
    """The random key that keys for all purposes come from."""

    sealed: Sealed


class Entry(BaseModel):
    """Something that happened to a mail after a provider had taken it. `id` is the provider's, unique."""

    id: str
    at: datetime
    what: Happening
    detail: str | None = None


class Handover(BaseModel):
    """That a mail is about to be handed to a provider, written before; it stays until it is known how that ended.

    The provider may still tell until `until`; then the mail is sent again.
    """

    provider: str
    attempt: int
    at: datetime
    until: datetime


class MailRecord(BaseModel):
    """What is known of one mail. `reference` is the id that its reason is known by."""

    event_id: str
    kind: str
    reference: str
    status: MessageStatus
    owner: str
    attempts: int
    until: datetime
    recipient_hash: str | None
    provider: str | None
    reason: str | None
    created_at: datetime
    updated_at: datetime
    # Later releases'; a keyed digest took the place of `recipient_hash`.
    recipient_key: str | None = None
    timeline: tuple[Entry, ...] = ()
    delivery: Delivery | None = None
    handover: Handover | None = None


class LetterMail(MailRecord):
    """A mail that follows an event of auth, or of another service, whose `reference` is organisation, user and news."""

    kind: LetterKind | NoticeKind
    status: Status


class FirstMail(MailRecord):
    """A mail of the kinds that the first release knew: it reads these documents, and no other kind in them."""

    kind: FirstKind
    status: Status


class MessageRecord(MailRecord):
    """A mail that an organisation asked for; `kind` is its template, `reference` `<request>/<number>`."""

    organization_id: str = ""
    category: Category = "marketing"


class Waiting(BaseModel):
    """Mails of one shard and when they are due."""

    due: dict[str, datetime]


class Sender(BaseModel):
    """From whom a mail comes, where it is not from the platform; `domain_id` is the verified domain."""

    address: str
    name: str
    domain_id: str


class MessageRequest(BaseModel):
    """Mails that an organisation asked for. `sealed` holds the recipients and the values, `keys` the digest of each."""

    request_id: str
    organization_id: str
    requested_by: str
    template: str
    template_version: int
    category: Category
    locale: Locale
    keys: tuple[str, ...]
    shown: tuple[str, ...]
    sealed: Sealed
    sender: Sender | None
    resend_of: str | None
    created_at: datetime


UNKNOWN = "***"
"""What is shown of an address that is known by its digest alone."""


class Stop(BaseModel):
    """Why nothing goes to an address any more, until a moment or for good."""

    at: datetime
    until: datetime | None
    detail: str | None


class Standing(BaseModel):
    """How mail to one address stands, in an organisation or (`global`) everywhere: what stops it, what was chosen."""

    address_key: str
    shown: str
    stops: dict[Reason, Stop] = {}
    choices: dict[Category, bool] = {}
    changed_at: datetime


class OrganizationSettings(BaseModel):
    """Whether mails of a category go to those who have chosen nothing."""

    defaults: dict[Category, bool] = {}


class SenderDomain(BaseModel):
    """A domain that an organisation may send from once its records are found in the DNS. `sealed` is the DKIM key."""

    domain_id: str
    organization_id: str
    domain: str
    selector: str
    public_key: str
    sealed: Sealed
    proof: str
    checks: dict[str, Check]
    verified_at: datetime | None
    checked_at: datetime | None
    created_at: datetime
    deleted: bool = False
