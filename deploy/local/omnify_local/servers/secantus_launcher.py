"""Starts secantusd with two of its costs taken away. Runs in the server's own environment, never imported by ours.

The server looks a filter up by primary key only when `_id` is its one clause; Dapr also sends the TTL condition
(`{"$and": [{"_id": ...}, {"$expr": ...}]}`), which then scans the whole collection. Any conjunction with an `_id`
clause can use the key: what it finds are candidates, and the server matches each against the full filter afterwards.

The server also looks through all its records of retryable writes, up to 10,000, twice at each write, and sorts them
once there are more. They stand in the order of their times already, so only the first ones need looking at.

Drop this file when the server does the same by itself.
"""

import sys
from collections.abc import Mapping
from typing import Any

_MISSING = object()


def id_clause(conjunction: Mapping[str, Any]) -> Any:
    """The `_id` clause that every match must satisfy, or _MISSING. Looks into `$and`, never into `$or`."""
    if "_id" in conjunction:
        return conjunction["_id"]
    parts = conjunction.get("$and")
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, Mapping) and (found := id_clause(part)) is not _MISSING:
            return found
    return _MISSING


def widen(storage: type[Any]) -> None:
    """Give `storage._try_index_id_keys` the wider fast path."""
    narrow = storage._try_index_id_keys

    def wide(self: Any, db: str, coll: str, filter: dict[str, Any], *, collation: Any = None) -> list[bytes] | None:
        clause = _MISSING if collation is not None else id_clause(filter)
        if clause is not _MISSING:
            keys = narrow(self, db, coll, {"_id": clause})
            if keys is not None:
                return list(keys)
        found: list[bytes] | None = narrow(self, db, coll, filter, collation=collation)
        return found

    storage._try_index_id_keys = wide


def prune_in_order(registry: type[Any], lifetime: float, most: int) -> None:
    """Give `registry._prune_retryable_locked` an end: records too old (seconds), or too many, are the first ones."""

    def prune(self: Any) -> None:
        records, cutoff = self._retryable, self._time() - lifetime
        while records:
            first = next(iter(records))
            if len(records) <= most and records[first][1] >= cutoff:
                return
            del records[first]

    registry._prune_retryable_locked = prune


def main() -> None:
    """Run the server with the arguments of this script."""
    from secantus import cli, transactions  # type: ignore[import-not-found]
    from secantus.storage import Storage  # type: ignore[import-not-found]

    widen(Storage)
    prune_in_order(
        transactions.TransactionRegistry,
        transactions._RETRYABLE_RECORD_LIFETIME_SECONDS,
        transactions._RETRYABLE_RECORD_MAX,
    )
    sys.exit(cli.main())


if __name__ == "__main__":
    main()
