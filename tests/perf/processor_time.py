"""CPU that the platform takes for a piece of work: other programs on the machine hardly change it, as they do time."""

import psutil

_LOAD = "wrk"


def used() -> float:
    """CPU seconds, user and system, of all processes that this one started and that still run, but the load's own."""
    seconds = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            if process.name() != _LOAD:
                times = process.cpu_times()
                seconds += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return seconds
