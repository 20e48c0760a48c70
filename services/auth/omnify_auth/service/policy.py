"""Whom an organisation asks for a second factor."""

from omnify_auth.events import MfaPolicyChanged
from omnify_auth.records import MfaPolicy, Organization, Session, User
from omnify_auth.service.roles import Roles
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_shared import clock
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.permissions import PERMISSIONS, ROLES
from omnify_shared.problems import NotFound

PRIVILEGED = PERMISSIONS - ROLES["manager"]
"""Who may do any of what only owners and admins may is privileged, by whichever role."""


class MfaPolicies:
    """A new account has some days' grace, so that its first steps need no second device."""

    def __init__(self, store: Store, settings: AuthSettings) -> None:
        self._store = store
        self._roles = Roles(store)
        self._grace = settings.mfa_grace

    async def wants_enrolment(
        self, session: Session, user: User, roles: tuple[str, ...], known: Organization | None = None
    ) -> bool:
        """Whether a session is held back because its user has shown no second factor in it."""
        return "mfa" not in session.amr and await self.demands(session.organization_id, user, roles, known)

    async def demands(
        self, organization_id: str, user: User, roles: tuple[str, ...], known: Organization | None = None
    ) -> bool:
        """Whether the user must have a second factor by now; `known` is an organisation that was just read."""
        if clock.now() < user.created_at + self._grace:
            return False
        organization = known if known and known.organization_id == organization_id else None
        organization = organization or await self._store.organizations.get(organization_id)
        policy = organization.mfa_policy if organization else "privileged"
        if policy != "privileged":
            return policy == "required"
        book = await self._roles.book_of(organization_id, roles)
        return not PRIVILEGED.isdisjoint(book.permissions(roles))

    async def change(self, organization_id: str, actor_id: str, policy: MfaPolicy) -> None:
        """Sets the policy. Raises NotFound."""

        def change(organization: Organization, emit: Emit) -> Organization:
            if organization.mfa_policy == policy:
                return organization
            emit(MfaPolicyChanged(organization_id=organization_id, actor_id=actor_id, mfa_policy=policy))
            return organization.model_copy(update={"mfa_policy": policy})

        try:
            await self._store.organizations.update(organization_id, change=change)
        except Missing:
            raise NotFound("no such organisation") from None
