"""The events that email handles. All dedupe by effect: the mail's own record is what makes a repetition harmless."""

from typing import Any

from omnify_email.catalogue import is_kind
from omnify_email.errors import PermanentError
from omnify_email.events import (
    EndpointDisabled,
    LetterRequested,
    RegistrationRepeated,
    UserRegistered,
    VerificationRequested,
)
from omnify_email.service import EmailService
from omnify_shared.erasure import follow_erasures
from omnify_shared.events import CloudEvent, Poison, Subscriptions


def make_subscriptions() -> Subscriptions:
    """Subscribes to the events that a mail follows."""
    subscriptions = Subscriptions("email")
    subscriptions.on(UserRegistered, dedupe="effect")(user_registered)
    subscriptions.on(VerificationRequested, dedupe="effect")(verification_requested)
    subscriptions.on(RegistrationRepeated, dedupe="effect")(registration_repeated)
    subscriptions.on(LetterRequested, dedupe="effect")(letter_requested)
    subscriptions.on(EndpointDisabled, dedupe="effect")(endpoint_disabled)
    follow_erasures(subscriptions)
    return subscriptions


async def user_registered(event: CloudEvent[UserRegistered], service: EmailService) -> None:
    """A new account: its owner proves the address."""
    await _deliver(service, event, "verification", event.data.verification_id)


async def verification_requested(event: CloudEvent[VerificationRequested], service: EmailService) -> None:
    """Another link was asked for."""
    await _deliver(service, event, "verification", event.data.verification_id)


async def registration_repeated(event: CloudEvent[RegistrationRepeated], service: EmailService) -> None:
    """Somebody tried to register an address that has an account."""
    await _deliver(service, event, "registration_repeated", event.data.user_id)


async def letter_requested(event: CloudEvent[LetterRequested], service: EmailService) -> None:
    """Something about an account that its owner has to know, or a link they asked for."""
    if not is_kind(event.data.kind):
        raise Poison(f"no template for a letter of the kind {event.data.kind!r}")
    await _deliver(service, event, event.data.kind, event.data.letter_id)


async def endpoint_disabled(event: CloudEvent[EndpointDisabled], service: EmailService) -> None:
    """Webhooks sends nothing more to an endpoint, which whoever made it may not know; nobody did who was erased."""
    told = event.data
    if told.user_id:
        reference = "/".join((told.organization_id, told.user_id, told.reason, told.host))
        await _deliver(service, event, "endpoint_disabled", reference)


async def _deliver(service: EmailService, event: CloudEvent[Any], kind: str, reference: str) -> None:
    await service.delivery.note(event.id, event.time, event.data.user_id, event.data.organization_id)
    try:
        await service.delivery.deliver(event.id, kind, reference)
    except PermanentError as error:
        raise Poison(str(error)) from error
