"""Deleting what email holds of a user or an organisation: the records of their mails."""

from collections.abc import Mapping

from omnify_email.store import MailStore
from omnify_shared.erasure import Subject


class Eraser:
    """Deletes from one store."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    async def erase(self, subject: Subject) -> Mapping[str, int]:
        """A part of what is held; how much of what was deleted."""
        return {"mails": await self._store.erase(subject.user_id or subject.organization_id or "")}
