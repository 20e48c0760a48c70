"""Taking effect at once: what ends all of a user's sessions, or makes their tokens out of date."""

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

from omnify_auth.events import AccessChanged
from omnify_auth.records import Session, User
from omnify_shared.documents import Emit
from omnify_shared.revocations import Cut


def access_changed(
    user: User, emit: Emit, now: datetime, *, organization_id: str | None = None, kept: str | None = None
) -> dict[str, Any]:
    """Has every service refuse the user's tokens of before `now`; the fields to write with it."""
    at = _after_the_last(user, now)
    event = AccessChanged(
        user_id=user.user_id, organization_id=organization_id, before=_whole(at), kept_session_id=kept
    )
    emit(event)
    return {"access_changed_at": at}


def sessions_ended(user: User, emit: Emit, now: datetime, *, kept: str | None = None) -> dict[str, Any]:
    """Ends the user's sessions that began before `now`, but `kept`; the fields to write with it."""
    return access_changed(user, emit, now, kept=kept) | {"sessions_from": now, "kept_session_id": kept}


def cut_of(user: User) -> Cut:
    """The user's last change as what verifiers know of it, for this service's own replicas."""
    return Cut(before=_whole(user.access_changed_at or user.created_at), kept=user.kept_session_id)


def has_ended(session: Session, user: User) -> bool:
    """Whether a session ended with all others of its user."""
    if user.blocked:
        return True
    if user.sessions_from is None or session.session_id == user.kept_session_id:
        return False
    return session.signed_in_at < user.sessions_from


def _after_the_last(user: User, now: datetime) -> datetime:
    """`now`, or a second after the last change: a token from between two changes of one second is refused, too."""
    last = user.access_changed_at
    return now if last is None or _whole(now) > _whole(last) else _whole(last) + timedelta(seconds=1)


def _whole(moment: datetime) -> datetime:
    """The next whole second: tokens know no smaller unit."""
    return datetime.fromtimestamp(ceil(moment.timestamp()), UTC)
