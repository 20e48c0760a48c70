"""What a service shows of its own state on `/metrics`, read when somebody asks."""

from omnify_shared.events.deadletters import DeadLetters
from omnify_shared.platform import Platform


def install(platform: Platform, letters: DeadLetters | None) -> None:
    """Adds the gauges that every service has; `letters` where it handles events."""
    gauge, sidecar = platform.telemetry.gauge, platform.sidecar
    gauge("omnify.sidecar.up", "1 while the sidecar answers.", lambda: int(sidecar.healthy))
    gauge("omnify.ready", "1 while every readiness check holds.", lambda: int(all(platform.checks().values())))
    if platform.uses_state:
        outbox, revocations = platform.outbox, platform.identity.revocations
        gauge("omnify.outbox.pending", "Events committed and not yet published.", lambda: outbox.lag)
        gauge("omnify.outbox.oldest.age", "Age of the oldest of them.", lambda: outbox.oldest, unit="s")
        gauge("omnify.revocations.age", "Since the ended sessions were last read.", lambda: revocations.age, unit="s")
    if letters is not None:
        gauge("omnify.deadletters.waiting", "Dead letters that wait for a replay.", lambda: letters.waiting)
