"""What a mail says and to whom it goes, put together for each try and kept nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from jinja2 import UndefinedError

from omnify_email.addresses import AddressKeys, usable
from omnify_email.auth import Auth, Contact, FreshToken, Letter
from omnify_email.catalogue import NEWS, PAGES, TEMPLATES, Category
from omnify_email.errors import NothingToSend, PermanentError
from omnify_email.records import MailRecord, MessageRequest
from omnify_email.rendering import greeting_name, locale_of, moment, render
from omnify_email.service.sealed import Sealing
from omnify_email.store import Store
from omnify_email.unsubscribe import UnsubscribeLinks, Wish

PLATFORM = "Omnify"  # who a mail is from that has no sender of its own


@dataclass(frozen=True, slots=True)
class Composed:
    """A mail that is ready to leave, if its recipient may be written to. `sender` is address and name, or None."""

    organization_id: str | None
    category: Category
    address_key: str
    recipient: str
    name: str
    subject: str
    text: str
    html: str
    headers: Mapping[str, str]
    sender: tuple[str, str] | None = None
    domain_id: str | None = None


class Contents:
    """Composes mails from what auth says, or from what an organisation asked for."""

    def __init__(
        self, auth: Auth, store: Store, keys: AddressKeys, sealing: Sealing, links: UnsubscribeLinks, public_url: str
    ) -> None:
        self._auth = auth
        self._store = store
        self._keys = keys
        self._sealing = sealing
        self._links = links
        self._public_url = public_url.rstrip("/")

    async def of(self, mail: MailRecord) -> Composed:
        """The mail's contents. Raises NothingToSend, TransientError, PermanentError."""
        if TEMPLATES[mail.kind].by_request:
            return await self._message(mail)
        contact, values = await self._letter(mail)
        locale = locale_of(contact.locale)
        if "at_utc" in values:
            values["at"] = moment(datetime.fromisoformat(values["at_utc"]), locale)
        name = greeting_name(contact.full_name, locale)
        subject, text, html = render(mail.kind, locale, {**values, "name": name})
        shown = "" if name == greeting_name("", locale) else name
        key = await self._key(contact.email)
        category = TEMPLATES[mail.kind].category
        organization_id = None if category == "security" else mail.reference.partition("/")[0]
        return Composed(organization_id, category, key, contact.email, shown, subject, text, html, {})

    async def _key(self, address: str) -> str:
        if not usable(address):
            raise PermanentError("the address is not valid")
        return await self._keys.of(address)

    async def _letter(self, mail: MailRecord) -> tuple[Contact, dict[str, str]]:
        if mail.kind == "registration_repeated":
            return await self._auth.contact(mail.reference), {"link": self._public_url}
        if mail.kind == "verification":
            fresh = await self._auth.mint(mail.reference)
            return fresh, self._link(mail.kind, fresh)
        if news := NEWS.get(mail.kind):
            _, user_id, *said = mail.reference.split("/")
            return await self._auth.contact(user_id), dict(zip(news, said, strict=True)) | {"link": self._public_url}
        letter = await self._auth.letter(mail.reference)
        return letter, letter.values | self._link(mail.kind, letter)

    def _link(self, kind: str, told: FreshToken | Letter) -> dict[str, str]:
        if told.token is None or told.expires_at is None:
            return {"link": self._public_url}
        # In the fragment, which no browser sends to any server: the token reaches no access log.
        link = f"{self._public_url}/{PAGES[kind]}#token={quote(told.token, safe='')}"
        return {"link": link, "expires_at": moment(told.expires_at, locale_of(told.locale))}

    async def _message(self, mail: MailRecord) -> Composed:
        request_id, _, number = mail.reference.partition("/")
        request = await self._store.requests.get(request_id)
        if request is None:
            raise NothingToSend("what was asked for is kept no longer")
        private = await self._sealing.open(request)
        recipient = private.recipients[int(number)]
        key = await self._key(recipient.email)
        link = ""
        if request.category == "product" or request.category == "marketing":
            link = await self._links.link(Wish(request.organization_id, key, request.category, mail.event_id))
        subject, text, html = rendered(request, private.values | recipient.values, link)
        sender = (request.sender.address, request.sender.name) if request.sender else None
        domain = request.sender.domain_id if request.sender else None
        name = greeting_name(recipient.name or "")
        shown = "" if name == greeting_name("") else name
        headers = unsubscribing(link) if link else {}
        return Composed(
            request.organization_id, request.category, key, recipient.email, shown, subject, text, html, headers,
            sender, domain,
        )  # fmt: skip


def unsubscribing(link: str) -> dict[str, str]:
    """The headers of one-click unsubscription (RFC 8058 §3.1)."""
    return {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def rendered(request: MessageRequest, values: Mapping[str, str], link: str) -> tuple[str, str, str]:
    """Subject, text and HTML of one mail of a request. Raises PermanentError."""
    name = request.sender.name if request.sender else PLATFORM
    shown = dict.fromkeys(TEMPLATES[request.template].fields, "") | dict(values)
    try:
        return render(request.template, request.locale, shown | {"unsubscribe": link, "sender_name": name})
    except (UndefinedError, KeyError) as error:
        raise PermanentError("a value of the template is missing") from error
