"""Fault points end a process only where a drill may ask for it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from omnify_shared import faults

PROGRAM = """
from omnify_shared.faults import point, reach
point("here.is.one")
for _ in range(3):
    reach("here.is.one")
    print("passed", flush=True)
"""


def run(orders: Path, environment: str = "test") -> tuple[int, int]:
    """How the program ended, and how often it passed its point."""
    settings = {**os.environ, "OMNIFY_ENVIRONMENT": environment, "OMNIFY_FAULT_POINT": str(orders)}
    ended = subprocess.run([sys.executable, "-c", PROGRAM], env=settings, capture_output=True, text=True, timeout=60)
    return ended.returncode, ended.stdout.count("passed")


@pytest.mark.parametrize(("ordered", "passed"), [("here.is.one", 0), ("here.is.one 1", 0), ("here.is.one 3", 2)])
def test_the_process_dies_at_the_point_and_pass_it_was_told(tmp_path: Path, ordered: str, passed: int) -> None:
    orders = tmp_path / "orders"
    orders.write_text(ordered)
    assert run(orders) == (-signal.SIGKILL, passed)
    assert not orders.exists(), "the next process must not die of the same order"


def test_without_an_order_for_it_nothing_happens(tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    assert run(orders) == (0, 3)
    orders.write_text("another.point")
    assert run(orders) == (0, 3)


@pytest.mark.parametrize("environment", ["development", "production"])
def test_outside_of_tests_no_order_is_looked_at(tmp_path: Path, environment: str) -> None:
    orders = tmp_path / "orders"
    orders.write_text("here.is.one")
    assert run(orders, environment) == (0, 3)


def test_a_point_is_declared_once() -> None:
    name = faults.point("tests.only.once")
    try:
        with pytest.raises(ValueError, match="declared twice"):
            faults.point(name)
        assert name in faults.points()
    finally:
        faults._points.discard(name)
