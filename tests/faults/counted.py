"""What happens to the counter app while it dies: requests with an idempotency key, and events in its inbox."""

import time
from collections.abc import Callable
from typing import Any

import httpx2 as httpx

from faults.deaths import Deaths
from faults.ledger import Ledger
from omnify_shared.ids import new_id
from omnify_shared.testing import Service

Check = Callable[[], None]
LEASE = 75.0  # seconds: how long a request counts as running whose process is dead, and a little


class Counted(Deaths):
    """As `Interrupted`, for the blocks that no service of the platform uses in this way yet."""

    def __init__(self, counter: Service, ledger: Ledger) -> None:
        super().__init__(ledger)
        self._counter = counter
        self._http = httpx.Client(base_url=counter.url, headers=counter.headers, timeout=30)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _counts(self, name: str) -> dict[str, int]:
        found: dict[str, int] = self._http.get(f"/counts/{name}").raise_for_status().json()
        return found

    def _until(self, holds: Callable[[], Any], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def requesting(self, point: str) -> Check:
        """It dies in a request with a key: repeated until it is answered, that has been done once.

        Twice at the one step where it was done and its answer not kept: the key's lease ends, and nothing says so.
        """
        name = new_id()
        most = 2 if point == "idempotency.request.worked" else 1

        def make() -> httpx.Response:
            return self._http.post(f"/counts/{name}", headers={"idempotency-key": name})

        self.interrupted(self._counter, point, make, through=False)
        self.ledger.acknowledge(point)

        def check() -> None:
            done = self._until(lambda: make().status_code == 201, LEASE)
            made = self._counts(name)["made"]
            if done and 1 <= made <= most:
                self.ledger.find(point)
            self.ledger.check(done and made <= most, f"{point}: made {made} times instead of {most}, answered: {done}")

        return check

    def handling(self, point: str) -> Check:
        """It dies while it handles an event: handled once, or twice where the effect came before its record."""
        name = new_id()
        most = 2 if point == "inbox.event.handled" else 1
        with self.dying(self._counter, point):
            self._http.post(f"/counts/{name}").raise_for_status()
        self.ledger.acknowledge(point)

        def check() -> None:
            self._until(lambda: self._counts(name)["handled"], 60)
            handled = self._counts(name)["handled"]
            if handled:
                self.ledger.find(point)
            self.ledger.check(handled <= most, f"{point}: handled {handled} times instead of {most}")

        return check
