"""Points in the code where a drill may kill the process: after each step whose crash has to do no harm.

    CLAIMED = point("auth.register.claimed")     # beside the code, as a constant
    ...
    reach(CLAIMED)                               # right after the step

Nothing happens but one comparison, unless OMNIFY_ENVIRONMENT is `test` and OMNIFY_FAULT_POINT names a file. A drill
writes `<point> [pass]` into that file; the process that comes to the point for that time (the first unless said)
removes the file and ends by SIGKILL, as a crash of the machine would end it. See docs/faults.md.
"""

import os
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

_points: set[str] = set()
_passes: Counter[str] = Counter()


def point(name: str) -> str:
    """Declares a point, `<app or block>.<journey>.<step>`. Raises ValueError for a name that is taken."""
    if name in _points:
        raise ValueError(f"the fault point {name} is declared twice")
    _points.add(name)
    return name


def points() -> frozenset[str]:
    """The points that the modules imported so far declare."""
    return frozenset(_points)


def orders_file(environment: Mapping[str, str]) -> Path | None:
    """Where a drill says at which point to die; None, so that nothing is ever looked for, outside of tests."""
    named = environment.get("OMNIFY_FAULT_POINT")
    return Path(named) if named and environment.get("OMNIFY_ENVIRONMENT") == "test" else None


_orders = orders_file(os.environ)


def reach(name: str) -> None:
    """The step before this line is done. Ends the process when a drill ordered that."""
    if _orders is not None:
        _obey(name, _orders)


def _obey(name: str, orders: Path) -> None:
    try:
        wanted, _, number = orders.read_text().strip().partition(" ")
    except FileNotFoundError:
        return
    if wanted != name:
        return
    _passes[name] += 1
    if _passes[name] >= int(number or 1):
        orders.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
