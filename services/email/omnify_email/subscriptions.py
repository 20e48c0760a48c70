"""The events that email handles. All dedupe by effect: the mail's own record is what makes a repetition harmless."""

from typing import Any

from omnify_email.catalogue import NoticeKind, is_kind
from omnify_email.errors import PermanentError
from omnify_email.events import (
    EndpointDisabled,
    FileRefused,
    ImportFailed,
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
    subscriptions.on(ImportFailed, dedupe="effect")(import_failed)
    subscriptions.on(FileRefused, dedupe="effect")(file_refused)
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
    await _tell(service, event, "endpoint_disabled", event.data.reason, event.data.host)


async def import_failed(event: CloudEvent[ImportFailed], service: EmailService) -> None:
    """A file of orders could not be taken in, minutes after whoever sent it may have gone away."""
    await _tell(service, event, "import_failed", event.data.import_id)


async def file_refused(event: CloudEvent[FileRefused], service: EmailService) -> None:
    """Malware was found in a file, which whoever sent it has to know; all other refusals are for their client."""
    if event.data.reason == "malware":
        await _tell(service, event, "file_refused", event.data.file_id)


async def _tell(service: EmailService, event: CloudEvent[Any], kind: NoticeKind, *news: str) -> None:
    if event.data.user_id:
        reference = "/".join((event.data.organization_id, event.data.user_id, *news))
        await _deliver(service, event, kind, reference)


async def _deliver(service: EmailService, event: CloudEvent[Any], kind: str, reference: str) -> None:
    await service.delivery.note(event.id, event.time, event.data.user_id, event.data.organization_id)
    try:
        await service.delivery.deliver(event.id, kind, reference)
    except PermanentError as error:
        raise Poison(str(error)) from error
