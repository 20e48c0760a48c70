"""A small child that outlives its parent by a moment: kills the process groups the parent could not.

Run as a script with its standard input a pipe from the parent. Lines `+<group>` and `-<group>` say what lives; when the
pipe closes, however the parent ended, what is left is terminated, and killed three seconds later.
"""

import contextlib
import os
import signal
import sys
import time


def _signal_all(groups: set[int], number: signal.Signals) -> None:
    for group in groups:
        with contextlib.suppress(OSError):
            os.killpg(group, number)


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


def main() -> None:
    """Follow the parent's lines until its end, then leave nothing behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    _signal_all(groups, signal.SIGCONT)
    _signal_all(groups, signal.SIGTERM)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and any(map(_alive, groups)):
        time.sleep(0.05)
    _signal_all(groups, signal.SIGKILL)


if __name__ == "__main__":
    main()
