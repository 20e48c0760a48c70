"""The background duties of a service, for a while: what a scheduled call does where the service itself does not run.

Mails that wait, erasures, deliveries that are due, events that a killed process left: the service looks after them as
it does everywhere, and stops in order.
"""

import asyncio
import os

from omnify_functions.host import CONTACT, app_of

SECONDS = "OMNIFY_UPKEEP_SECONDS"
DEFAULT = 20.0  # longer than a silent replica's events wait until others adopt them


async def upkeep(service: str) -> dict[str, str]:
    """Runs the service for OMNIFY_UPKEEP_SECONDS. Raises SidecarUnavailable."""
    app = app_of(service)
    async with app.router.lifespan_context(app):
        await app.state.platform.sidecar.wait_ready(CONTACT)
        await asyncio.sleep(float(os.environ.get(SECONDS, DEFAULT)))
    return {"status": "done", "service": service}
