"""How long a mail takes to a provider: from an event, and from an organisation's request."""

import time
from collections.abc import Callable
from statistics import quantiles

from omnify_local.journey import Marketer
from omnify_shared.ids import new_id
from perf.measure import Row
from perf.services import Bench

MAILS = 60
GOAL = 2000.0  # ms, from the event to the provider
_POLL = 0.01  # seconds
_LONGEST = 30.0


def rows(bench: Bench) -> list[Row]:
    """One mail at a time; the mailbox is the provider."""
    return [*_rows("registration → mail taken", _registered(bench)), *_rows("request → mail taken", _asked(bench))]


def _registered(bench: Bench) -> Callable[[], float]:
    def once() -> float:
        marketer = Marketer(bench.platform.url)
        started = time.perf_counter()
        marketer.register()
        _wait(bench, marketer.email)
        seconds = time.perf_counter() - started
        marketer.close()
        return seconds

    return once


def _asked(bench: Bench) -> Callable[[], float]:
    bench.marketer.log_in()

    def once() -> float:
        customer = f"{new_id()}@customers.example.com"
        values = {"headline": "News", "text": "Come and see."}
        body = {"template": "announcement", "values": values, "recipients": [{"email": customer}]}
        started = time.perf_counter()
        bench.marketer.ask("POST", "/api/email/messages", 202, json=body)
        _wait(bench, customer)
        return time.perf_counter() - started

    return once


def _wait(bench: Bench, address: str) -> None:
    deadline = time.monotonic() + _LONGEST
    while not bench.platform.inbox.mails(address):
        if time.monotonic() > deadline:
            raise SystemExit(f"no mail came to {address}")
        time.sleep(_POLL)


def _rows(figure: str, once: Callable[[], float]) -> list[Row]:
    times = sorted(once() * 1000 for _ in range(MAILS))
    steps = quantiles(times, n=20)
    return [
        Row(f"{figure}, p50 / 2 s", steps[9], GOAL, "ms"),
        Row(f"{figure}, p95 / 2 s", steps[18], GOAL, "ms", "<= 1"),
    ]
