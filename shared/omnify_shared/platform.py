"""What a service is built on, handed to its `build` function."""

from dataclasses import dataclass
from typing import Any

from omnify_shared.access import Access
from omnify_shared.dapr.bindings import Bindings
from omnify_shared.dapr.sidecar import Sidecar
from omnify_shared.events.metrics import EventMetrics
from omnify_shared.events.outbox import Outbox
from omnify_shared.events.publisher import Publisher
from omnify_shared.idempotency import Idempotency
from omnify_shared.identity import Identity
from omnify_shared.invocation import Invoker
from omnify_shared.jwks import KeySource, jwks_of_auth
from omnify_shared.ratelimits import RateLimits
from omnify_shared.revocations import Revocations
from omnify_shared.secrets import Secrets
from omnify_shared.settings import Settings
from omnify_shared.state import StateStore
from omnify_shared.tasks import Tasks
from omnify_shared.telemetry import Telemetry


@dataclass(frozen=True)
class Platform:
    """The building blocks as this app sees them. Nothing in it needs the sidecar to be up yet."""

    settings: Any
    sidecar: Sidecar
    state: StateStore
    outbox: Outbox
    invoker: Invoker
    secrets: Secrets
    bindings: Bindings
    identity: Identity
    rate_limits: RateLimits
    idempotency: Idempotency
    tasks: Tasks
    telemetry: Telemetry
    event_metrics: EventMetrics
    uses_state: bool

    def checks(self) -> dict[str, bool]:
        """What readiness asks."""
        checks = {"sidecar": self.sidecar.healthy}
        if self.uses_state:
            checks["outbox"] = self.outbox.recovered
        return checks


def make_platform(
    settings: Settings,
    telemetry: Telemetry,
    *,
    uses_state: bool,
    keys: KeySource | None = None,
    access: Access = Access(),
) -> Platform:
    """Wires the building blocks of one app. `keys` replaces the JWKS fetched from auth (auth has its own)."""
    tasks = Tasks()
    sidecar = Sidecar(settings, traced=telemetry.exporting)
    state = StateStore(sidecar)
    metrics = EventMetrics(telemetry)
    invoker = Invoker(sidecar, access.calls, telemetry.tracing)
    return Platform(
        settings=settings,
        sidecar=sidecar,
        state=state,
        outbox=Outbox(sidecar, state, tasks, settings.app_id, Publisher(sidecar, telemetry.tracing, metrics)),
        invoker=invoker,
        secrets=Secrets(sidecar, settings.environment, access.secrets),
        bindings=Bindings(sidecar, access.bindings),
        identity=Identity(keys or jwks_of_auth(invoker), Revocations(sidecar, state)),
        rate_limits=RateLimits(state),
        idempotency=Idempotency(state, settings.idempotency_lease),
        tasks=tasks,
        telemetry=telemetry,
        event_metrics=metrics,
        uses_state=uses_state,
    )
