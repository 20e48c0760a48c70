"""Deleting what files holds of an organisation that was deleted, and whose files a user's were.

Its quota is closed first: from then on nothing can be announced. Each part deletes the files on one page of the list,
bytes first; what was announced and not yet listed goes last, found by the room it has taken.
"""

from collections import Counter
from collections.abc import Mapping

from omnify_files.keeper import Keeper
from omnify_files.records import FileRecord
from omnify_files.store import FileStore
from omnify_shared.dapr.errors import Missing
from omnify_shared.documents import Emit
from omnify_shared.erasure import NotYet, Subject
from omnify_shared.indexes import Entry


class Eraser:
    """Deletes from one store."""

    def __init__(self, store: FileStore, keeper: Keeper) -> None:
        self._store = store
        self._keeper = keeper

    async def erase(self, subject: Subject) -> Mapping[str, int]:
        """A part of what is held; how much of what was deleted. Raises NotYet while a file is being announced."""
        if subject.organization_id is None:
            # Files belong to the organisation and stay; who sent them is forgotten.
            return {"authorships": await self._store.of_users.forget(subject.user_id or "")}
        organization_id, counts = subject.organization_id, Counter[str]()
        await self._store.close(organization_id)

        async def drop(entry: Entry) -> None:
            counts["files"] += await self._drop(organization_id, entry.id)

        while not +counts and await self._store.listed.erase(organization_id, drop):
            continue
        if not +counts:
            for file_id in (await self._store.usage(organization_id)).sizes:
                counts["files"] += await self._drop(organization_id, file_id)
            if not +counts and (await self._store.usage(organization_id)).sizes:
                raise NotYet
        return counts

    async def _drop(self, organization_id: str, file_id: str) -> int:
        key = organization_id, file_id
        await self._store.look_at_now(key)
        try:
            file = (await self._store.files.update(*key, change=_deleted)).value
        except Missing:
            return 0
        await self._keeper.settle(file)
        await self._store.files.delete(*key)
        return 1


def _deleted(file: FileRecord, _: Emit) -> FileRecord:
    return file if file.state == "deleted" else file.emptied()
