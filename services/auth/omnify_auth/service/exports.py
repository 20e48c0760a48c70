"""What is held about one user, for that user. Made when it is asked for, so that no copy lies anywhere."""

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from omnify_auth.api_keys import ApiKey
from omnify_auth.records import Factors, KnownDevice, ListedSession, Membership, Record, User
from omnify_auth.schemas.exports import (
    ExportedAccount,
    ExportedApiKey,
    ExportedConsent,
    ExportedDevice,
    ExportedFactors,
    ExportedMembership,
    ExportedPasskey,
    ExportedSession,
    ExportOut,
)
from omnify_auth.schemas.types import Output
from omnify_auth.service.consents import ConsentBook
from omnify_auth.service.directory import Directory
from omnify_auth.service.peer_exports import PeerExports
from omnify_auth.service.sealing import Sealing
from omnify_auth.store import Store
from omnify_shared import clock

Shown = TypeVar("Shown", bound=Output)


class Exports:
    """Reads the documents of one user; secrets and digests of them stay where they are."""

    def __init__(
        self, directory: Directory, store: Store, consents: ConsentBook, sealing: Sealing, peers: PeerExports
    ) -> None:
        self._directory = directory
        self._consents = consents
        self._sealing = sealing
        self._peers = peers
        self._store = store

    async def of(self, user_id: str) -> ExportOut:
        """All about a user. Raises NotFound when the account is gone."""
        user = await self._directory.contact(user_id)
        organizations, keys, (sessions, devices), factors, consents, services = await asyncio.gather(
            asyncio.gather(*(self._organization(one) for one in user.memberships)),
            self._api_keys(user),
            self._sign_ins(user_id),
            self._store.factors.get(user_id),
            self._consents.history(user_id),
            self._peers.of(user_id),
        )
        return ExportOut(
            format="omnify-account-1",
            made_at=clock.now(),
            account=_shown(ExportedAccount, user),
            organizations=tuple(organizations),
            sessions=tuple(_shown(ExportedSession, one) for one in sessions),
            devices=tuple(_shown(ExportedDevice, one) for one in devices),
            second_factors=_factors(factors),
            api_keys=tuple(_shown(ExportedApiKey, key) for key in keys),
            consents=tuple(_shown(ExportedConsent, one) for one in consents.history),
            services=services,
        )

    async def _organization(self, membership: Membership) -> ExportedMembership:
        found = await self._store.organizations.get(membership.organization_id)
        return ExportedMembership(
            organization_id=membership.organization_id, name=found.name if found else None, roles=membership.roles
        )

    async def _sign_ins(self, user_id: str) -> tuple[list[ListedSession], Sequence[KnownDevice]]:
        listed = await self._store.user_sessions.get(user_id)
        if listed is None:
            return [], ()
        return [await self._sealing.session(user_id, one) for one in listed.sessions], listed.devices

    async def _api_keys(self, user: User) -> list[ApiKey]:
        found: list[ApiKey] = []
        for membership in user.memberships:
            listed = await self._store.api_key_lists.get(membership.organization_id, user.user_id)
            keys = await asyncio.gather(*(self._store.api_keys.get(key) for key in (listed.key_ids if listed else ())))
            found += [key for key in keys if key]
        return found


def _shown(shape: type[Shown], record: Record) -> Shown:
    """The fields of a record that `shape` names, and no others."""
    return shape.model_validate({name: getattr(record, name) for name in shape.model_fields})


def _factors(factors: Factors | None) -> ExportedFactors:
    return ExportedFactors(
        authenticator_app_since=factors.totp.made_at if factors and factors.totp else None,
        recovery_codes_left=len(factors.recovery_codes) if factors else 0,
        recovery_codes_made_at=factors.recovery_codes_made_at if factors else None,
        passkeys=tuple(_shown(ExportedPasskey, one) for one in (factors.passkeys if factors else ())),
    )
