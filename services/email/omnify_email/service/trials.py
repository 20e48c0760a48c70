"""Templates as they look: previews, and test mails to oneself."""

from collections.abc import Mapping
from datetime import timedelta

from omnify_email.addresses import AddressKeys, usable
from omnify_email.auth import Auth
from omnify_email.catalogue import CHOSEN, TEMPLATES, Locale, Template
from omnify_email.errors import NothingToSend, PermanentError, SendError, UnknownTemplate, UnusableValues
from omnify_email.rendering import greeting_name, render
from omnify_email.service.contents import PLATFORM, Composed
from omnify_email.service.delivery import Delivery
from omnify_email.service.messages import check_values
from omnify_email.settings import EmailSettings
from omnify_shared.identity import Principal
from omnify_shared.problems import Unavailable
from omnify_shared.ratelimits import RateLimits

HOUR = timedelta(hours=1)
_LINK = "https://omnify.example/unsubscribe/***"


class Trials:
    """Shows what mails look like."""

    def __init__(
        self, settings: EmailSettings, auth: Auth, keys: AddressKeys, delivery: Delivery, limits: RateLimits
    ) -> None:
        self._settings = settings
        self._auth = auth
        self._keys = keys
        self._delivery = delivery
        self._limits = limits

    def preview(self, name: str, locale: Locale, values: Mapping[str, str]) -> tuple[str, str, str]:
        """Subject, text and HTML. Values not given are samples. Raises UnknownTemplate, UnusableValues."""
        template = self.template(name)
        shown = {**template.sample, **values}
        if template.by_request:
            check_values(template.fields, shown)
            shown = dict.fromkeys(template.fields, "") | shown
        elif unknown := sorted(values.keys() - template.sample.keys()):
            raise UnusableValues(f"{unknown[0][:80]}: not a value of this template")
        link = _LINK if template.category in CHOSEN else ""
        name_shown = greeting_name("Ada Lovelace", locale)
        return render(name, locale, shown | {"unsubscribe": link, "sender_name": PLATFORM, "name": name_shown})

    async def send(self, principal: Principal, name: str, locale: Locale, values: Mapping[str, str]) -> None:
        """Sends a preview to the caller's own address, and nowhere else.

        Raises UnknownTemplate, UnusableValues, TooManyRequests, Unavailable.
        """
        subject, text, html = self.preview(name, locale, values)
        await self._limits.hit("email-tests", principal.user_id, limit=self._settings.test_rate, window=HOUR)
        try:
            contact = await self._auth.contact(principal.user_id)
            if not usable(contact.email):
                raise PermanentError("the address is not valid")
            key = await self._keys.of(contact.email)
            mail = Composed(None, "transactional", key, contact.email, "", f"[Test] {subject}", text, html, {})
            await self._delivery.send_test(mail)
        except (SendError, NothingToSend) as error:
            raise Unavailable(f"the test mail could not be sent: {error}", retry_after=10) from error

    @staticmethod
    def template(name: str) -> Template:
        """A template by name. Raises UnknownTemplate."""
        template = TEMPLATES.get(name)
        if template is None:
            raise UnknownTemplate("no such template")
        return template
