"""Auth hears its own events: all of them go to the audit log, and of some their user is told by mail."""

from typing import Any

from omnify_auth.erasure_receipts import RECEIPTS
from omnify_auth.erasures import Receipt
from omnify_auth.events import EVENTS, AddressChanged, AppGrantWithdrawn
from omnify_auth.organization_events import (
    MemberAdded,
    MemberChanged,
    MemberRemoved,
    OrganizationCreated,
    OrganizationDeleted,
    OwnershipTransferred,
    RoleChanged,
)
from omnify_auth.service import AuthService
from omnify_shared.events import CloudEvent, Subscriptions


def make_subscriptions() -> Subscriptions:
    """Subscribes to every event type of auth. Handling one twice changes nothing, so no record is kept."""
    subscriptions = Subscriptions("auth")

    async def record(event: CloudEvent[Any], service: AuthService) -> None:
        await service.audit.record(event)
        await service.notices.tell(event)
        await _follow(event.data, service)
        if isinstance(event.data, RoleChanged) and event.data.access_changed:
            await service.members.cut_holders(event.data.organization_id, event.data.role_id, event.time)

    for reader in EVENTS:
        subscriptions.on(reader, dedupe="effect")(record)
    for receipt in RECEIPTS:
        subscriptions.on(receipt, dedupe="effect")(_receive)
    return subscriptions


async def _receive(event: CloudEvent[Any], service: AuthService) -> None:
    data = event.data
    receipt = Receipt(service=event.type.split(".")[1], counts=data.counts, completed_at=data.completed_at)
    await service.erasures.receive(data.erasure_id, receipt)


async def _follow(data: Any, service: AuthService) -> None:
    """Does again what follows a write, in case the process that wrote did not come to it."""
    match data:
        case AddressChanged():
            await service.address_change.release(data.user_id)
        case AppGrantWithdrawn():
            await service.app_grants.settle(data.user_id, data.client_id)
        case OrganizationDeleted():
            await service.organizations.clear(data.organization_id, data.actor_id)
            await service.erasures.follow_organization(data.organization_id)
        case OwnershipTransferred():
            await service.members.settle(data.organization_id, data.user_id)
            await service.members.settle(data.organization_id, data.actor_id)
        case OrganizationCreated() | MemberAdded() | MemberChanged() | MemberRemoved():
            await service.members.settle(data.organization_id, data.user_id)
