"""What a user lets an app do: one document per user and app, and a list per user."""

from datetime import datetime

from omnify_auth.records import Record

SESSIONS = 20  # of one user with one app; the oldest ends


class AppGrant(Record):
    """The scopes that a user allowed an app, and the app's sessions. Once withdrawn, none of these counts."""

    user_id: str
    client_id: str
    organization_id: str
    scopes: tuple[str, ...]
    given_at: datetime
    withdrawn_at: datetime | None
    session_ids: tuple[str, ...]

    def covers(self, scope: tuple[str, ...]) -> bool:
        """Whether all of a scope was allowed and still is."""
        return self.withdrawn_at is None and set(scope) <= set(self.scopes)

    def holds(self, session_id: str) -> bool:
        """Whether a session of the app goes on, as far as the grant has a say."""
        return self.withdrawn_at is None and session_id in self.session_ids


class AppGrantList(Record):
    """The apps that one user ever allowed something, oldest first."""

    client_ids: tuple[str, ...]
