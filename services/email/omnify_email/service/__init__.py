"""What the service does, apart from HTTP: `EmailService` holds one object per area."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic import JsonValue

from omnify_email.addresses import AddressKeys
from omnify_email.auth import Auth
from omnify_email.dns_checks import DnsResolver, Resolver
from omnify_email.erasure import Eraser
from omnify_email.errors import NothingToSend, SendError, UnknownLink
from omnify_email.events import ErasureCompleted
from omnify_email.metrics import MailMetrics
from omnify_email.schemas.operations import MailOut
from omnify_email.senders import senders_for
from omnify_email.service.contents import Contents
from omnify_email.service.delivery import Delivery
from omnify_email.service.domains import Domains
from omnify_email.service.messages import Messages
from omnify_email.service.provider_events import ProviderEvents
from omnify_email.service.sealed import Sealing
from omnify_email.service.standings import Standings
from omnify_email.service.trials import Trials
from omnify_email.settings import EmailSettings
from omnify_email.store import Store
from omnify_email.unsubscribe import UnsubscribeLinks, Wish
from omnify_email.vault import Vault
from omnify_shared.erasure import Erasures
from omnify_shared.platform import Platform
from omnify_shared.problems import NotFound, Unavailable


class EmailService:
    """The areas of the service. Construction touches nothing outside the process."""

    def __init__(self, platform: Platform, settings: EmailSettings, resolver: Resolver | None = None) -> None:
        store = Store(platform.state, platform.outbox)
        vault = Vault(platform.secrets, store.root)
        keys = AddressKeys(vault)
        sealing = Sealing(vault)
        self.auth = Auth(platform.invoker, timeout=settings.fetch_timeout)
        resolver = resolver or DnsResolver(settings.dns_servers.split(), settings.dns_timeout)
        self.links = UnsubscribeLinks(vault, settings.public_url)
        self.standings = Standings(store, keys)
        self.domains = Domains(settings, store, vault, resolver)
        contents = Contents(self.auth, store, keys, sealing, self.links, settings.public_url)
        self.delivery = Delivery(
            settings,
            store,
            contents,
            self.standings,
            self.domains,
            senders_for(settings, platform.secrets),
            MailMetrics(platform.telemetry),
        )
        self._mails = store.mails
        self.erasures = Erasures(platform, ErasureCompleted, Eraser(store).erase)
        limits = platform.rate_limits
        self.messages = Messages(settings, store, sealing, keys, self.domains, limits, self.delivery.wake)
        self.provider_events = ProviderEvents(platform.secrets, store.mails, self.standings, keys)
        self.trials = Trials(settings, self.auth, keys, self.delivery, limits)

    async def export(self, user_id: str) -> dict[str, JsonValue]:
        """The mails that a user asked for or was sent within a month, newest first, and what they chose to get."""
        mails = await self._mails.about(user_id)
        chosen = await self.standings.chosen_by(user_id)
        return {"mails": [MailOut.of(mail).model_dump(mode="json") for mail in mails], "choices": [*chosen]}

    async def address_of(self, user_id: str) -> str:
        """A user's address, as auth has it. Raises Unavailable, NotFound."""
        try:
            return (await self.auth.contact(user_id)).email
        except NothingToSend as error:
            raise NotFound("the account is no more") from error
        except SendError as error:
            raise Unavailable("the account's address can't be had now", retry_after=2) from error

    async def unsubscribing(self, token: str) -> Wish:
        """What an unsubscribe link asks for. Raises UnknownLink."""
        wish = await self.links.read(token)
        if wish is None:
            raise UnknownLink("the link is not one of ours, or was cut short")
        return wish

    async def unsubscribe(self, token: str) -> None:
        """Turns a category off for whoever got the mail. Raises UnknownLink."""
        wish = await self.unsubscribing(token)
        shown = await self.messages.shown_to(wish.organization_id, wish.message_id)
        await self.standings.choose(wish.organization_id, wish.address_key, shown, {wish.category: False})


@asynccontextmanager
async def build(platform: Platform) -> AsyncIterator[EmailService]:
    """The service for the life of the process."""
    settings = platform.settings
    assert isinstance(settings, EmailSettings)  # noqa: S101 - narrows the platform's type
    service = EmailService(platform, settings)
    platform.tasks.spawn(service.erasures.run(), name="erasures")
    platform.tasks.spawn(service.delivery.keep_trying(), name="waiting mails")
    yield service
