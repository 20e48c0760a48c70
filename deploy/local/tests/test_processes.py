"""Children end with their parent, however it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from omnify_local.errors import LocalError
from omnify_local.processes import Process

_PARENT = """
import sys, time
from pathlib import Path
from omnify_local.processes import Process
child = Process("sleeper", ["sh", "-c", "sleep 100 & sleep 100"], log=Path(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(100)
"""


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def _wait_until_gone(group: int, within: float = 30) -> None:
    deadline = time.monotonic() + within
    while _group_lives(group):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path, number: int) -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        group = int(parent.stdout.readline())
        assert _group_lives(group)
        parent.send_signal(number)
    _wait_until_gone(group)


def test_terminate_ends_a_group_that_ignores_it_and_kill_ends_a_suspended_one(tmp_path: Path) -> None:
    stubborn = Process("stubborn", ["sh", "-c", "trap '' TERM; sleep 100 & wait; sleep 100"], log=tmp_path / "log")
    time.sleep(0.2)
    stubborn.terminate(timeout=0.5)
    _wait_until_gone(stubborn.pid, within=30)
    frozen = Process("frozen", ["sleep", "100"], log=tmp_path / "log")
    frozen.suspend()
    frozen.kill()
    _wait_until_gone(frozen.pid, within=30)


def test_a_child_that_ends_or_hangs_is_told_with_its_log(tmp_path: Path) -> None:
    ended = Process("ended", ["sh", "-c", "echo reason; exit 3"], log=tmp_path / "a.log")
    with pytest.raises(LocalError, match=r"ended ended with status 3(.|\n)*reason"):
        ended.wait_until(lambda: False, timeout=5)
    slow = Process("slow", ["sh", "-c", "echo working; sleep 100"], log=tmp_path / "b.log")
    with pytest.raises(LocalError, match=r"slow did not become ready within 2 s(.|\n)*working"):
        slow.wait_until(lambda: False, timeout=2)
    slow.kill()
    with pytest.raises(LocalError, match="could not be started"):
        Process("missing", ["/no/such/program"], log=tmp_path / "c.log")
