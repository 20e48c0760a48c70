"""Raw state: JSON bytes under keys, through the sidecar's gRPC API.

Values are written as bytes without a content type, which every store keeps byte-equal; with one, MongoDB would take
them as expressions and `"$5.00"` would be lost. Single writes go through the SDK's bulk save, the only one of its
calls that keeps the gRPC code of a conflict.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from dapr.clients.exceptions import DaprGrpcError
from dapr.clients.grpc._request import TransactionalStateOperation
from dapr.clients.grpc._state import Concurrency, Consistency, StateItem, StateOptions
from grpc import StatusCode

from omnify_shared.dapr.errors import AlreadyExists, SidecarUnavailable, Stale
from omnify_shared.dapr.sidecar import Sidecar, translate
from omnify_shared.forms import Forms

STORE = "statestore"
# The text, of code INTERNAL, that state.postgresql v2 gives instead of a conflict when a create finds its key taken.
_TAKEN_ON_POSTGRESQL = "no item was updated"
BULK_KEYS = 100  # keys per bulk read
_FIRST_WRITE = StateOptions(consistency=Consistency.strong, concurrency=Concurrency.first_write)
_LAST_WRITE = StateOptions(consistency=Consistency.strong, concurrency=Concurrency.last_write).get_proto()
_FIRST_WRITE_PROTO = _FIRST_WRITE.get_proto()


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored value and its ETag."""

    data: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Change:
    """A conditional write: the new value of a key whose ETag is still `etag`."""

    key: str
    data: bytes
    etag: str
    ttl: timedelta | None


class StateStore:
    """The state store component, as seen by one app (the sidecar prefixes its keys with the app-id).

    Every method raises SidecarUnavailable while the sidecar or the store is down.
    """

    def __init__(self, sidecar: Sidecar, store: str = STORE) -> None:
        self.forms = Forms()
        self._sidecar = sidecar
        self._store = store

    async def get(self, key: str) -> Entry | None:
        """The value under `key`, or None."""
        found = await self._sidecar.call(self._sidecar.client.get_state(self._store, key))
        return Entry(found.data, found.etag) if found.data else None

    async def get_many(self, keys: Iterable[str]) -> dict[str, Entry]:
        """The values that exist among `keys`, in bulk reads of at most BULK_KEYS, four of them at a time."""
        wanted = list(dict.fromkeys(keys))
        slices = [wanted[start : start + BULK_KEYS] for start in range(0, len(wanted), BULK_KEYS)]
        gate = asyncio.Semaphore(4)

        async def read(part: Sequence[str]) -> dict[str, Entry]:
            async with gate:
                return await self._bulk(part)

        found: dict[str, Entry] = {}
        for part in await asyncio.gather(*(read(part) for part in slices)):
            found.update(part)
        return found

    async def _bulk(self, keys: Sequence[str]) -> dict[str, Entry]:
        answer = await self._sidecar.call(self._sidecar.client.get_bulk_state(self._store, keys, parallelism=8))
        for item in answer.items:
            if item.error:
                raise SidecarUnavailable("the state store failed a bulk read")
        return {item.key: Entry(item.data, item.etag) for item in answer.items if item.data}

    async def put(
        self, key: str, data: bytes, *, etag: str | None = None, create: bool = False, ttl: timedelta | None = None
    ) -> None:
        """Writes one value: create-only, conditional on an ETag, or (neither given) over whatever is there.

        Raises: AlreadyExists when `create` finds the key taken; Stale when the ETag is not the stored one.
        """
        try:
            await self._sidecar.client.save_bulk_state(self._store, [_item(key, data, etag, create, ttl)])
        except DaprGrpcError as error:
            if error.code() == StatusCode.ABORTED and (create or etag):
                raise (AlreadyExists if create else Stale)(key) from error
            if create and _TAKEN_ON_POSTGRESQL in error.details():
                raise AlreadyExists(key) from error
            raise translate(error) from error

    async def put_many(self, items: Sequence[tuple[str, bytes]], *, ttl: timedelta | None = None) -> None:
        """Writes several values over whatever is there, in one call of at most 4 MiB.

        A transaction, for speed only: the bulk save writes items one by one, all at once, and hundreds of them lock
        each other out of a SQLite file. Not to be relied on as atomic or even as written (MongoDB's commit result is
        dropped by the component): read back what must be there.
        """
        operations = [TransactionalStateOperation(key=key, data=data, metadata=_ttl(ttl)) for key, data in items]
        await self._sidecar.call(self._sidecar.client.execute_state_transaction(self._store, operations))

    async def swap_many(self, changes: Sequence[Change]) -> bool:
        """Conditional writes in one transaction; False when it failed, be it for one ETag. Read back what it wrote."""
        operations = [
            TransactionalStateOperation(key=change.key, data=change.data, etag=change.etag, metadata=_ttl(change.ttl))
            for change in changes
        ]
        try:
            await self._sidecar.client.execute_state_transaction(self._store, operations)
        except DaprGrpcError:
            return False
        return True

    async def delete(self, key: str, *, etag: str | None = None) -> None:
        """Deletes a key; a missing one is no error. Raises Stale when an ETag is given and is not the stored one."""
        options = _FIRST_WRITE if etag else None
        try:
            await self._sidecar.client.delete_state(self._store, key, etag=etag, options=options)
        except DaprGrpcError as error:
            if error.code() == StatusCode.ABORTED and etag:
                raise Stale(key) from error
            raise translate(error) from error


def _item(key: str, data: bytes, etag: str | None, create: bool, ttl: timedelta | None) -> StateItem:
    conditional = create or etag is not None
    return StateItem(
        key=key,
        value=data,
        etag=etag,
        options=_FIRST_WRITE_PROTO if conditional else _LAST_WRITE,
        metadata=_ttl(ttl),
    )


def _ttl(ttl: timedelta | None) -> dict[str, str]:
    return {"ttlInSeconds": str(max(1, round(ttl.total_seconds())))} if ttl else {}
