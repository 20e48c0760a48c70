"""What auth itself deletes of a user who leaves everything, or of an organisation that was deleted.

Every part may be done again; what says where to find the rest, the user's shell, is emptied last.
"""

from collections import Counter

from omnify_auth.erasures import ConsentProof, ConsentProofs, Erasure
from omnify_auth.errors import OwnerNeeded
from omnify_auth.organization_events import MemberRemoved, OrganizationDeleted, OwnershipTransferred
from omnify_auth.profiles import ProfileKeys
from omnify_auth.records import Consent, User
from omnify_auth.rosters import OWNER, Member, Roster, founded
from omnify_auth.service.members import Members
from omnify_auth.service.organizations import Organizations
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.documents import Emit

_GUARDED = ("totp", "recovery")


class Leaving:
    """Deletes documents of one user, or of one organisation."""

    def __init__(self, store: Store, members: Members, organizations: Organizations, profiles: ProfileKeys) -> None:
        self._store = store
        self._members = members
        self._organizations = organizations
        self._profiles = profiles

    async def organizations_to_delete(self, user: User) -> tuple[str, ...]:
        """Where the user is alone. Raises OwnerNeeded, naming those that have other members and no other owner."""
        alone, headless = [], []
        for membership in user.memberships:
            roster = await self._roster(user, membership.organization_id)
            if not roster.has(user.user_id):
                continue
            if len(roster.members) == 1:
                alone.append(roster.organization_id)
            elif _sole_owner(roster, user.user_id):
                headless.append(roster.organization_id)
        if headless:
            found = await self._store.organizations.get_many((one,) for one in headless)
            raise OwnerNeeded([(one, found[one,].name if (one,) in found else "") for one in headless])
        return tuple(alone)

    async def erase(self, erasure: Erasure) -> dict[str, int]:
        """All that is held; how much of what was deleted."""
        if erasure.organization_id:
            return await self._of_organization(erasure.organization_id)
        user = await self._store.users.get(erasure.user_id or "")
        if user is None or user.erasure_id != erasure.erasure_id:
            return {}
        counts: Counter[str] = Counter()
        await self._address(user, counts)
        await self._api_keys(user, counts)
        for membership in user.memberships:
            await self._leave(user, membership.organization_id, counts)
        await self._app_grants(user.user_id, counts)
        await self._sessions(user.user_id, counts)
        await self._factors(user.user_id, counts)
        await self._consents(user.user_id, erasure.pseudonym or "", counts)
        counts["profile_keys"] += await self._profiles.shred(user.user_id)
        await self._store.users.update(user.user_id, change=_emptied)
        return dict(sorted((+counts).items()))

    async def _of_organization(self, organization_id: str) -> dict[str, int]:
        known = await self._store.role_books.get(organization_id) is not None
        await self._store.role_books.delete(organization_id)
        return {"role_books": 1} if known else {}

    async def _address(self, user: User, counts: Counter[str]) -> None:
        if user.verification_id:
            await self._store.verifications.delete(user.verification_id)
        if user.left_address is None:
            return
        claim = await self._store.addresses.get(user.left_address)
        await self._store.guards.delete(user.left_address)
        if claim and claim.user_id == user.user_id:
            await self._store.addresses.delete(user.left_address)
            counts["addresses"] += 1

    async def _api_keys(self, user: User, counts: Counter[str]) -> None:
        for membership in user.memberships:
            scope = (membership.organization_id, user.user_id)
            listed = await self._store.api_key_lists.get(*scope)
            for key_id in listed.key_ids if listed else ():
                counts["api_keys"] += await self._store.api_keys.get(key_id) is not None
                await self._store.api_keys.delete(key_id)
            await self._store.api_key_lists.delete(*scope)

    async def _leave(self, user: User, organization_id: str, counts: Counter[str]) -> None:
        founder = founded(user, organization_id)

        def change(roster: Roster, emit: Emit) -> Roster:
            return _left(roster, emit, user.user_id)

        roster = (await self._store.rosters.upsert(organization_id, initial=lambda: founder, change=change)).value
        if roster.deleted_at:
            await self._organizations.clear(organization_id, user.user_id)
        else:
            await self._members.follow(roster, user.user_id)
        counts["memberships"] += 1

    async def _app_grants(self, user_id: str, counts: Counter[str]) -> None:
        listed = await self._store.app_grant_lists.get(user_id)
        for client_id in listed.client_ids if listed else ():
            grant = await self._store.app_grants.get(user_id, client_id)
            for session_id in grant.session_ids if grant else ():
                await self._store.sessions.delete(session_id)
            await self._store.app_grants.delete(user_id, client_id)
            counts["app_grants"] += grant is not None
        await self._store.app_grant_lists.delete(user_id)

    async def _sessions(self, user_id: str, counts: Counter[str]) -> None:
        listed = await self._store.user_sessions.get(user_id)
        for seen in listed.sessions if listed else ():
            await self._store.sessions.delete(seen.session_id)
            counts["sessions"] += 1
        await self._store.user_sessions.delete(user_id)

    async def _factors(self, user_id: str, counts: Counter[str]) -> None:
        counts["factors"] += await self._store.factors.get(user_id) is not None
        await self._store.factors.delete(user_id)
        for guarded in _GUARDED:
            await self._store.guards.delete(f"{user_id}.{guarded}")

    async def _consents(self, user_id: str, pseudonym: str, counts: Counter[str]) -> None:
        consents = await self._store.consents.get(user_id)
        if consents is None:
            return
        proofs = tuple(_proof(entry) for entry in consents.history)

        def change(known: ConsentProofs, _: Emit) -> ConsentProofs:
            ids = {proof.consent_id for proof in known.proofs}
            return ConsentProofs(proofs=(*known.proofs, *(one for one in proofs if one.consent_id not in ids)))

        await self._store.consent_proofs.upsert(pseudonym, initial=ConsentProofs, change=change)
        await self._store.consents.delete(user_id)
        counts["consents"] += len(proofs)

    async def _roster(self, user: User, organization_id: str) -> Roster:
        return await self._store.rosters.get(organization_id) or founded(user, organization_id)


def _owners(members: tuple[Member, ...]) -> list[Member]:
    return [one for one in members if OWNER in one.roles and one.disabled_at is None]


def _sole_owner(roster: Roster, user_id: str) -> bool:
    return [one.user_id for one in _owners(roster.members)] == [user_id]


def _left(roster: Roster, emit: Emit, user_id: str) -> Roster:
    """The roster without the user, deleted when nobody is left.

    Somebody may have joined since it was looked at: who came first among those who are left is its owner then.
    """
    if not roster.has(user_id):
        return roster
    organization_id = roster.organization_id
    others = tuple(one for one in roster.members if one.user_id != user_id)
    if not others:
        emit(OrganizationDeleted(organization_id=organization_id, actor_id=user_id))
        return roster.model_copy(update={"deleted_at": clock.now(), "invitations": ()})
    emit(MemberRemoved(user_id=user_id, organization_id=organization_id, actor_id=user_id))
    if not _owners(others):
        heir = next((one for one in others if one.disabled_at is None), others[0])
        emit(OwnershipTransferred(user_id=heir.user_id, organization_id=organization_id, actor_id=user_id))
        risen = heir.model_copy(update={"roles": (OWNER,), "disabled_at": None})
        others = tuple(risen if one is heir else one for one in others)
    return roster.model_copy(update={"members": others})


def _emptied(user: User, _: Emit) -> User:
    nothing = {"verification_id": "", "left_address": None, "kept_session_id": None, "home_organization_id": None}
    return user.model_copy(update=nothing)


def _proof(entry: Consent) -> ConsentProof:
    return ConsentProof.model_validate(entry.model_dump(include=set(ConsentProof.model_fields)))
