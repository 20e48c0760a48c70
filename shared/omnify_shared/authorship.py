"""Which documents of organisations a user made: they stay with the organisation when the user is forgotten.

store.py:     self.of_users = Authorship(state, "user-files", self.files, nobody=None)
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Documents, Emit
from omnify_shared.exports import MOST
from omnify_shared.indexes import Entry, Index
from omnify_shared.state import StateStore

M = TypeVar("M", bound=BaseModel)
_PAGE = 200


class Authorship(Generic[M]):
    """Of documents by organisation and id, whose `created_by` is a user's id or `nobody`; listed per user.

    Every method raises SidecarUnavailable.
    """

    def __init__(self, state: StateStore, kind: str, documents: Documents[M], *, nobody: str | None) -> None:
        self._listed = Index(state, kind)
        self._documents = documents
        self._nobody = nobody

    async def note(self, user_id: str, organization_id: str, id: str) -> None:
        """Lists a document under its user, before it is made, so that an erasure finds it. Raises Contended."""
        await self._listed.add(user_id, id, organization_id=organization_id)

    async def made_by(self, user_id: str) -> AsyncIterator[M]:
        """What a user made, in whatever organisation, newest first, as many as an export may hold."""
        cursor, left = None, MOST
        while left:
            page = await self._listed.list(user_id, cursor=cursor, limit=_PAGE)
            keys = [_key(entry) for entry in page.items]
            found = await self._documents.get_many(keys)
            made = [found[key] for key in keys if key in found and _author(found[key]) == user_id][:left]
            for document in made:
                yield document
            cursor, left = page.next_cursor, left - len(made)
            if cursor is None:
                return

    async def forget(self, user_id: str) -> int:
        """Forgets who made the documents on one page of the user's list; how many entries that had, 0 at the end."""

        def by_nobody(document: M, _: Emit) -> M:
            return (
                document.model_copy(update={"created_by": self._nobody}) if _author(document) == user_id else document
            )

        async def drop(entry: Entry) -> None:
            with suppress(Missing):
                await self._documents.update(*_key(entry), change=by_nobody)

        return await self._listed.erase(user_id, drop)


def _key(entry: Entry) -> tuple[str, str]:
    return str(entry.summary["organization_id"]), entry.id


def _author(document: Any) -> str | None:
    found: str | None = document.created_by
    return found
