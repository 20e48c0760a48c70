"""How long the sessions of an organisation last."""

from dataclasses import dataclass
from datetime import timedelta

from pydantic import JsonValue

from omnify_auth.events import SessionPolicyChanged
from omnify_auth.records import Organization
from omnify_auth.settings import AuthSettings
from omnify_auth.store import Store
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.problems import NotFound, Unprocessable


@dataclass(frozen=True, slots=True)
class Lengths:
    """A session ends `idle` after its last exchange, and `overall` after its sign-in."""

    idle: timedelta
    overall: timedelta


class SessionPolicies:
    """An organisation may ask for less than the service's own lengths, never for more.

    A session keeps what held at its sign-in; as none outlives the overall length, a change holds for all by then.
    """

    def __init__(self, store: Store, settings: AuthSettings) -> None:
        self._store = store
        self._most = Lengths(settings.session_idle, settings.session_overall)

    async def lengths(self, organization_id: str) -> Lengths:
        """What holds for a sign-in now."""
        return self.lengths_of(await self._store.organizations.get(organization_id))

    def lengths_of(self, organization: Organization | None) -> Lengths:
        """What an organisation asks for; None, a space of one's own, asks for nothing."""
        return self._of(organization) if organization else self._most

    async def change(self, organization_id: str, actor_id: str, wanted: Lengths) -> Lengths:
        """Sets the lengths. Raises Unprocessable for more than the service's own, NotFound."""
        for name in ("idle", "overall"):
            most = getattr(self._most, name)
            if getattr(wanted, name) > most:
                raise _too_long(f"{name}_minutes", most)

        def change(organization: Organization, emit: Emit) -> Organization:
            lengths = {
                "session_idle_seconds": int(wanted.idle.total_seconds()),
                "session_overall_seconds": int(wanted.overall.total_seconds()),
            }
            emit(SessionPolicyChanged(organization_id=organization_id, actor_id=actor_id, **lengths))
            return organization.model_copy(update=lengths)

        try:
            return self._of((await self._store.organizations.update(organization_id, change=change)).value)
        except Missing:
            raise NotFound("no such organisation") from None

    def _of(self, organization: Organization) -> Lengths:
        return Lengths(
            _shorter(self._most.idle, organization.session_idle_seconds),
            _shorter(self._most.overall, organization.session_overall_seconds),
        )


def _too_long(field: str, most: timedelta) -> Unprocessable:
    reason = f"must be at most {most.total_seconds() // 60:.0f}, as the service allows"
    errors: list[JsonValue] = [{"in": "body", "field": field, "reason": reason}]
    return Unprocessable(f"{field}: {reason}", errors=errors)


def _shorter(most: timedelta, seconds: int | None) -> timedelta:
    return most if seconds is None else min(most, timedelta(seconds=seconds))
