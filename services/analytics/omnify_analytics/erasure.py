"""Deleting what analytics holds of an organisation that was deleted, and whose imports a user's were.

The ledger is closed first: what is uploaded or under way then ends without counting, and deletes itself. Each part
deletes the imports on one page of their list, each with its facts, its kept file and the claim of its bytes.
"""

from collections import Counter
from collections.abc import Mapping

from omnify_analytics.store import AnalyticsStore
from omnify_shared.erasure import NotYet, Subject
from omnify_shared.indexes import Entry


class Eraser:
    """Deletes from one store."""

    def __init__(self, store: AnalyticsStore) -> None:
        self._store = store

    async def erase(self, subject: Subject) -> Mapping[str, int]:
        """A part of what is held; how much of what was deleted. Raises NotYet while an import is under way."""
        if subject.organization_id is None:
            # Orders belong to the organisation and stay; who imported them is forgotten.
            return {"authorships": await self._store.of_users.forget(subject.user_id or "")}
        before = await self._store.close(subject.organization_id)
        counts = Counter({"ledgers": int(not before.closed and before.as_of is not None)})
        if not +counts:
            await self._delete_imports(subject.organization_id, counts)
        return counts

    async def _delete_imports(self, organization_id: str, counts: Counter[str]) -> None:
        async def drop(entry: Entry) -> None:
            found = await self._store.imports.get(organization_id, entry.id)
            if found is None:
                return
            if not found.ended:
                # Found by the runner, whoever left it: it ends as the ledger is closed.
                await self._store.add_open(organization_id, entry.id)
                raise NotYet
            counts["facts"] += await self._store.delete_import(found)
            counts["imports"] += 1

        try:
            while not +counts and await self._store.listed.erase(organization_id, drop):
                continue
        except NotYet:
            if not +counts:
                raise
