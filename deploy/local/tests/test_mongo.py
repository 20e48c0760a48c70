"""The wider `_id` fast path of the development MongoDB finds exactly the right documents."""

import subprocess
from pathlib import Path

import pytest

from omnify_local import locked_wheels
from omnify_local.servers import secantus_launcher
from omnify_shared.testing.backing import Backing


def test_filters_with_an_id_clause_answer_right_and_fast(backing: Backing) -> None:
    python = locked_wheels.environment("secantusdb") / "bin" / "python"
    script = Path(__file__).with_name("secantus_check.py")
    answer = subprocess.run(
        [python, script, str(backing.mongo.port)], capture_output=True, text=True, timeout=90, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("query", "clause"),
    [
        ({"_id": "a"}, "a"),
        ({"$and": [{"x": 1}, {"_id": "a"}]}, "a"),
        ({"$and": [{"$and": [{"_id": {"$in": ["a"]}}]}]}, {"$in": ["a"]}),
    ],
)
def test_the_id_clause_of_a_conjunction_is_found(query: dict[str, object], clause: object) -> None:
    assert secantus_launcher.id_clause(query) == clause


@pytest.mark.parametrize("query", [{}, {"x": 1}, {"$or": [{"_id": "a"}]}, {"$nor": [{"_id": "a"}]}, {"$and": "bad"}])
def test_a_clause_that_does_not_bind_every_match_is_not_used(query: dict[str, object]) -> None:
    assert secantus_launcher.id_clause(query) is secantus_launcher._MISSING


class Registry:
    """Records of retryable writes as the server keeps them: `(reply, seconds, identity)`, in the order they came."""

    def __init__(self, *seconds: float, now: float) -> None:
        self._retryable: dict[int, tuple[dict[str, str], float, bytes]] = {}
        self._retryable |= {number: ({}, at, b"") for number, at in enumerate(seconds)}
        self._time = lambda: now

    def _prune_retryable_locked(self) -> None:
        raise AssertionError("replaced")


@pytest.mark.parametrize(
    ("seconds", "now", "left"),
    [
        ((), 50, []),
        ((1, 2, 3), 11, [0, 1, 2]),
        ((1, 2, 3), 12.5, [2]),
        ((1, 2, 3), 100, []),
        ((1, 2, 3, 4, 5, 6), 7, [2, 3, 4, 5]),
        ((1, 5, 6, 6, 6, 6), 15.5, [2, 3, 4, 5]),
    ],
)
def test_old_and_surplus_records_of_writes_are_forgotten(
    seconds: tuple[float, ...], now: float, left: list[int]
) -> None:
    class Pruned(Registry):
        pass

    secantus_launcher.prune_in_order(Pruned, lifetime=10, most=4)
    registry = Pruned(*seconds, now=now)
    registry._prune_retryable_locked()
    assert list(registry._retryable) == left
