"""A service dies at a point of its code while somebody uses it, and comes back."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2 as httpx

from faults.ledger import Ledger
from omnify_shared.testing.service import Service

REFUSALS = frozenset({502, 503, 504})


@dataclass
class Outcome:
    """What the client of an interrupted request saw; `status` 0 is a connection that was cut."""

    status: int = 0
    problem: bool = False

    @classmethod
    def of(cls, request: Callable[[], httpx.Response]) -> "Outcome":
        """Sends a request."""
        try:
            answer = request()
        except httpx.HTTPError:
            return cls()
        return cls(answer.status_code, answer.headers.get("content-type") == "application/problem+json")

    @property
    def ok(self) -> bool:
        """It was done."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """The client was told to come again."""
        return self.problem and self.status in REFUSALS


@dataclass
class Deaths:
    """Kills services at their points, for one drill."""

    ledger: Ledger
    reached: set[str] = field(default_factory=set)

    def close(self) -> None:
        """Closes what the journeys opened."""

    @contextmanager
    def dying(self, service: Service, point: str) -> Iterator[None]:
        """Within, the service is about to die at the point; leaving waits for that and brings it back."""
        service.die_at(point)
        try:
            yield
            service.wait_for_death()
            self.reached.add(point)
        finally:
            service.orders.unlink(missing_ok=True)
            service.kill()
            since = time.monotonic()
            service.start(timeout=90)
            service.sidecar.wait_for_app(60)
            self.ledger.recovered(time.monotonic() - since)

    def interrupted(
        self,
        service: Service,
        point: str,
        request: Callable[[], httpx.Response],
        *,
        through: bool = True,
        repeated: int = 0,
    ) -> Outcome:
        """A request in which, or after which, the service dies. `through` the gateway it is answered in any case.

        A service that is back within a second gets the request again from its caller's sidecar: `repeated` is what
        somebody is told who asks for the same thing twice.
        """
        outcomes: list[Outcome] = []
        client = threading.Thread(target=lambda: outcomes.append(Outcome.of(request)), daemon=True)
        with self.dying(service, point):
            client.start()
        client.join(60)
        outcome = outcomes[0] if outcomes else Outcome()
        again = outcome.problem and outcome.status == repeated
        self.ledger.check(outcome.ok or outcome.refused or again or not through, f"{point}: the client got {outcome}")
        return outcome
