"""Is a history linearizable? A checker after Wing and Gong (1993) with Lowe's remembered configurations (2017).

A history is what clients saw: when each asked, when it was answered and with what. It is linearizable when every call
can be given one moment between its question and its answer, so that in the order of these moments a single machine
(the `Model`) would have given these very answers. A call without an answer may have taken effect at any time after it
was asked, or never.
"""

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: `asked` is its argument, `answer` what came back; times are seconds on one clock."""

    asked: Hashable
    answer: Hashable
    invoked: float
    ended: float

    @classmethod
    def unknown(cls, asked: Hashable, invoked: float) -> "Call":
        """A call whose client never learned what became of it."""
        return cls(asked, UNKNOWN, invoked, math.inf)


class Model(Protocol):
    """The machine that a history is held against; its states are hashable."""

    initial: Hashable

    def after(self, state: Hashable, call: Call) -> Iterable[Hashable]:
        """The states in which this call, with this answer, may leave the machine; none when it could not be given."""
        ...


def linearizable(calls: Sequence[Call], model: Model) -> bool:
    """Whether some order of the calls explains every answer."""
    history = sorted(calls, key=lambda call: call.invoked)
    known = sum(1 << at for at, call in enumerate(history) if call.answer != UNKNOWN)
    todo: list[tuple[int, Hashable]] = [(0, model.initial)]
    seen: set[tuple[int, Hashable]] = set()
    while todo:
        done, state = _without_choices(history, *todo.pop(), model)
        if done & known == known:
            return True
        if (done, state) in seen:
            continue
        seen.add((done, state))
        for at in _next(history, done):
            todo += [(done | 1 << at, then) for then in model.after(state, history[at]) if then != state]
    return False


def _next(history: Sequence[Call], done: int) -> list[int]:
    """The calls that may come next: none that was asked after an answer of another one that is left."""
    left = [(at, call) for at, call in enumerate(history) if not done >> at & 1]
    horizon = min((call.ended for _, call in left), default=math.inf)
    return [at for at, call in left if call.invoked <= horizon]


def _without_choices(history: Sequence[Call], done: int, state: Hashable, model: Model) -> tuple[int, Hashable]:
    """Takes every call that may come next and changes nothing: putting it first rules no other order out."""
    while True:
        idle = [
            at
            for at in _next(history, done)
            if history[at].answer != UNKNOWN and list(model.after(state, history[at])) == [state]
        ]
        if not idle:
            return done, state
        for at in idle:
            done |= 1 << at


class FirstWins:
    """A thing that is there once: asked by a name, answered `True` to the one who gets it, `False` to all others."""

    initial: Hashable = None

    def after(self, state: Hashable, call: Call) -> Iterable[Hashable]:
        """The state is who has it."""
        if call.answer == UNKNOWN:
            return [state] if state else [call.asked]
        has = state in (None, call.asked) if call.answer else state not in (None, call.asked)
        return [call.asked if call.answer else state] if has else []


class VoidWhenRepeated:
    """A thing that a second use makes void: answered `True` to one at most, and to nobody after a refusal."""

    initial: Hashable = "new"

    def after(self, state: Hashable, call: Call) -> Iterable[Hashable]:
        """The state is whether it was used. The first use may be refused itself, where a second one came meanwhile."""
        return [] if call.answer is True and state != "new" else ["used"]


class WrittenOnce:
    """A register that keeps its first value: answered that value, or `None` ("come again") before there is one."""

    initial: Hashable = None

    def after(self, state: Hashable, call: Call) -> Iterable[Hashable]:
        """The state is the value. What an unanswered call wrote is not known: any value that is read first counts."""
        if call.answer == UNKNOWN:
            return [state]
        if call.answer is None:
            return [state] if state is None else []
        return [call.answer] if state in (None, call.answer) else []


class TokenChain:
    """A family of refresh tokens, numbered from 0: asked with a number, answered the successor's, or `None`.

    A token is exchanged once; repeated, it gives the same successor as long as that is unused and the grace lasts; any
    other spent token ends the family.
    """

    initial: Hashable = 0

    def __init__(self, grace: float, since: float) -> None:
        self._late = since + grace  # a repetition asked after this may be refused

    def after(self, state: Hashable, call: Call) -> Iterable[Hashable]:
        """The state is the number of the newest token, or "ended"."""
        if state == "ended" or not isinstance(state, int) or not isinstance(call.asked, int):
            return [state] if call.answer in (None, UNKNOWN) else []
        outcomes = self._outcomes(state, call)
        return [then for answer, then in outcomes if call.answer in (answer, UNKNOWN)]

    def _outcomes(self, newest: int, call: Call) -> list[tuple[int | None, Hashable]]:
        asked = call.asked
        if asked == newest:
            return [(newest + 1, newest + 1)]
        if asked == newest - 1:
            late: list[tuple[int | None, Hashable]] = [(None, "ended")] if call.ended > self._late else []
            return [(newest, newest), *late]
        return [(None, "ended")]
