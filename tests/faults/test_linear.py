"""The checker finds the histories that no machine could have given."""

import random

import pytest

from faults.linear import Call, FirstWins, TokenChain, VoidWhenRepeated, WrittenOnce, linearizable


def calls(*told: tuple[object, object, float, float]) -> list[Call]:
    return [Call(asked, answer, invoked, ended) for asked, answer, invoked, ended in told]


@pytest.mark.parametrize(
    ("history", "good"),
    [
        (calls(("a", True, 0, 2), ("b", False, 1, 3)), True),
        (calls(("a", True, 0, 2), ("b", True, 1, 3)), False),
        (calls(("a", False, 0, 2), ("b", False, 1, 3)), False),
        (calls(("a", False, 0, 1), ("b", True, 2, 3)), False),  # refused before anybody else had asked
        (calls(("a", False, 0, 2.5), ("b", True, 2, 3)), True),
        ([*calls(("a", False, 1, 2)), Call.unknown("b", 0)], True),  # b was never answered, and won
        ([*calls(("a", False, 1, 2)), Call.unknown("b", 3)], False),
        ([*calls(("a", True, 1, 2)), Call.unknown("b", 0)], True),
        ([*calls(("a", True, 1, 2), ("c", True, 3, 4)), Call.unknown("b", 0)], False),
    ],
)
def test_one_winner(history: list[Call], good: bool) -> None:
    assert linearizable(history, FirstWins()) is good


@pytest.mark.parametrize(
    ("history", "good"),
    [
        (calls(("a", True, 0, 2), ("b", False, 1, 3)), True),
        (calls(("a", False, 0, 2), ("b", False, 1, 3)), True),
        (calls(("a", True, 0, 2), ("b", True, 1, 3)), False),
        (calls(("a", False, 0, 1), ("b", True, 2, 3)), False),
        ([*calls(("a", True, 1, 2)), Call.unknown("b", 0)], True),
    ],
)
def test_one_use(history: list[Call], good: bool) -> None:
    assert linearizable(history, VoidWhenRepeated()) is good


@pytest.mark.parametrize(
    ("history", "good"),
    [
        (calls((0, "x", 0, 2), (1, "x", 1, 3), (2, None, 0, 1)), True),
        (calls((0, "x", 0, 2), (1, "y", 1, 3)), False),
        (calls((0, "x", 0, 1), (1, None, 2, 3)), False),  # "come again" after the value was there
    ],
)
def test_one_value(history: list[Call], good: bool) -> None:
    assert linearizable(history, WrittenOnce()) is good


@pytest.mark.parametrize(
    ("history", "good"),
    [
        (calls((0, 1, 0, 1), (0, 1, 0, 1), (1, 2, 2, 3)), True),
        (calls((0, 1, 0, 1), (1, 2, 2, 3), (0, 1, 4, 5)), False),  # repeated although its successor was used
        (calls((0, 1, 0, 1), (1, 2, 2, 3), (0, None, 4, 5), (2, None, 6, 7)), True),
        (calls((0, 1, 0, 1), (1, 2, 2, 3), (0, None, 4, 5), (2, 3, 6, 7)), False),  # lives on after a reuse
        (calls((0, None, 0, 1)), False),
        (calls((0, 1, 0, 1), (0, None, 2, 3)), False),  # refused within the grace
        (calls((0, 1, 0, 1), (0, None, 11, 12)), True),
        ([*calls((1, 2, 2, 3)), Call.unknown(0, 0)], True),
    ],
)
def test_one_family(history: list[Call], good: bool) -> None:
    assert linearizable(history, TokenChain(grace=10, since=0)) is good


def test_a_crowd_is_judged_at_once_whichever_way_it_goes() -> None:
    chances = random.Random(1)
    crowd = [Call(name, False, chances.random(), 2 + chances.random()) for name in range(40)]
    winner, second = Call("winner", True, 0.5, 2.5), Call("second", True, 0.6, 2.6)
    assert linearizable([*crowd, winner], FirstWins())
    assert not linearizable(crowd, FirstWins())
    assert not linearizable([*crowd, winner, second], FirstWins())
