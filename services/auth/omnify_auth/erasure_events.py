"""Events about the end of accounts. Published with those of `events`."""

from typing import Literal

from omnify_shared.events import EventData


class UserErased(EventData, type="omnify.auth.user.erased.v1"):
    """A user left everything: what is held of them is to be deleted. `subject` is the user's id."""

    user_id: str
    erasure_id: str


class ErasureReminded(EventData, type="omnify.auth.erasure.reminded.v1"):
    """Receipts of `services` are overdue: they are asked again. `subject` is the erasure's id."""

    erasure_id: str
    user_id: str | None
    organization_id: str | None
    services: tuple[str, ...]


class ErasureFinished(EventData, type="omnify.auth.erasure.finished.v1"):
    """Every service has given its receipt. `subject` is the erasure's id."""

    erasure_id: str
    user_id: str | None
    organization_id: str | None


class UserDisabled(EventData, type="omnify.auth.user.disabled.v1"):
    """An account may sign in nowhere any more, as its user or an operator wished. `subject` is the user's id."""

    user_id: str
    by: Literal["user", "operator"]


class UserEnabled(EventData, type="omnify.auth.user.enabled.v1"):
    """An operator let a disabled account sign in again. `subject` is the user's id."""

    user_id: str


ERASURE_EVENTS = (UserErased, ErasureReminded, ErasureFinished, UserDisabled, UserEnabled)
