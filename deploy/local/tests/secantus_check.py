"""Runs inside SecantusDB's environment against a server started by our launcher: `secantus_check.py PORT`.

Every filter holds an `_id` clause and something more. What the server finds, counts, changes and deletes is compared
with what plain Python says; then the filter that Dapr sends must be looked up by key, not by a scan.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import pymongo  # type: ignore[import-not-found]  # noqa: TID251

Document = dict[str, Any]
ALIVE = {"$expr": {"$or": [{"$eq": [{"$ifNull": ["$ttl", None]}, None]}, {"$gt": ["$ttl", "$$NOW"]}]}}
CASES: list[tuple[Document, Callable[[Document], bool]]] = [
    ({"$and": [{"_id": "k1"}, {"n": 1}]}, lambda d: d["_id"] == "k1" and d["n"] == 1),
    ({"$and": [{"_id": "k1"}, {"n": 2}]}, lambda d: False),
    ({"$and": [{"n": 3}, {"_id": {"$in": ["k1", "k3", "k5"]}}]}, lambda d: d["_id"] == "k3"),
    ({"_id": {"$in": ["k1", "k2", "gone"]}, "n": {"$gte": 2}}, lambda d: d["_id"] == "k2"),
    ({"_id": "k4", "$or": [{"n": 4}, {"n": 5}]}, lambda d: d["_id"] == "k4"),
    ({"_id": "k4", "$or": [{"n": 5}]}, lambda d: False),
    ({"$or": [{"_id": "k1"}, {"n": 2}]}, lambda d: d["_id"] in {"k1", "k2"}),
    ({"$nor": [{"_id": "k1"}], "n": {"$lt": 3}}, lambda d: d["_id"] != "k1" and d["n"] < 3),
    ({"$and": [{"$and": [{"_id": "k7"}]}, {"_id": "k8"}]}, lambda d: False),
    ({"$and": [{"_id": {"$gt": "k8"}}, {"n": {"$gt": 0}}]}, lambda d: d["_id"] > "k8"),
    ({"$and": [{"_id": {"$ne": "k1"}}, {"n": 1}]}, lambda d: d["_id"] != "k1" and d["n"] == 1),
    ({"$and": [{"_id": {"$not": {"$in": ["k1"]}}}, {"n": {"$lt": 3}}]}, lambda d: d["_id"] != "k1" and d["n"] < 3),
]


def _check_answers(collection: Any) -> None:
    documents: list[Document] = [{"_id": f"k{n}", "n": n} for n in range(30)]
    for query, right in CASES:
        collection.delete_many({})
        collection.insert_many(documents)
        expected = sorted(document["_id"] for document in documents if right(document))
        assert sorted(document["_id"] for document in collection.find(query)) == expected, query
        assert collection.count_documents(query) == len(expected), query
        collection.update_many(query, {"$set": {"seen": True}})
        assert sorted(d["_id"] for d in collection.find({"seen": True})) == expected, query
        collection.delete_many(query)
        left = {document["_id"] for document in collection.find({})}
        assert left == {document["_id"] for document in documents} - set(expected), query


def _fastest_read(collection: Any, size: int) -> float:
    """Seconds of the fastest of 100 reads by key, which a busy machine hardly touches."""
    collection.delete_many({})
    collection.insert_many([{"_id": f"k{n}", "value": "x"} for n in range(size)])
    spent = []
    for n in range(100):
        started = time.perf_counter()
        assert collection.find_one({"$and": [{"_id": f"k{n * size // 100}"}, ALIVE]}) is not None
        spent.append(time.perf_counter() - started)
    return min(spent)


def main() -> None:
    collection = pymongo.MongoClient("127.0.0.1", int(sys.argv[1]), directConnection=True)["check"]["check"]
    _check_answers(collection)
    small, large = _fastest_read(collection, 100), _fastest_read(collection, 3000)
    print(f"a read takes {small * 1e3:.2f} ms at 100 documents, {large * 1e3:.2f} ms at 3000")
    assert large < 5 * small, "a read by key scans the collection"


main()
