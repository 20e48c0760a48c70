"""Ended sessions reach every replica, by state and by auth's event."""

import asyncio
import time
from datetime import UTC, datetime

from omnify_local.ports import free_port
from omnify_shared.ids import new_id
from omnify_shared.platform import Platform
from omnify_shared.testing import Sidecar
from support.lab import Lab, create_app, serving, settings_beside, until_ready
from support.tokens import Signer, bearer


async def test_another_replica_refuses_the_session_within_seconds(lab: Lab, signer: Signer) -> None:
    port = free_port()
    sidecar = Sidecar(lab.sidecar.home, "lab", app_port=port)
    app = create_app(settings_beside(sidecar), keys=lambda _: signer.source)
    headers = {"dapr-api-token": sidecar.home.app_api_token}
    try:
        async with serving(app, port, **headers) as other:
            await asyncio.to_thread(sidecar.start)
            await until_ready(other)
            session = new_id()
            token = bearer(signer.token(sid=session))
            assert [(await client.get("/me", headers=token)).status_code for client in (lab.direct, other)] == [200] * 2
            await lab.platform.identity.revocations.add(session)
            assert (await lab.direct.get("/me", headers=token)).status_code == 401
            async with asyncio.timeout(30):
                while (await other.get("/me", headers=token)).status_code != 401:
                    await asyncio.sleep(0.02)
            assert (await other.get("/me", headers=bearer(signer.token()))).status_code == 200

            late: Platform = app.state.platform
            await asyncio.gather(*(late.identity.revocations.add(new_id()) for _ in range(10)))
            await late.identity.revocations.refresh()
            assert late.identity.revocations.revoked(session)
    finally:
        await asyncio.to_thread(sidecar.terminate)


async def test_auths_event_ends_the_session_and_may_come_twice(lab: Lab, signer: Signer) -> None:
    session = new_id()
    token = bearer(signer.token(sid=session))
    assert (await lab.direct.get("/me", headers=token)).status_code == 200
    event = {
        "specversion": "1.0", "id": new_id(), "source": "auth", "type": "omnify.auth.session.revoked.v1",
        "subject": session, "sequence": "3", "time": "2031-01-01T00:00:00Z", "datacontenttype": "application/json",
        "data": {"session_id": session, "expires_at": "2031-01-01T00:05:00Z"},
    }  # fmt: skip
    for _ in range(2):
        answer = await lab.direct.post("/events/auth-events", json=event)
        assert (answer.status_code, answer.json()) == (200, {"status": "SUCCESS"})
    assert (await lab.direct.get("/me", headers=token)).status_code == 401


async def test_changed_access_refuses_older_tokens_but_those_of_one_session(lab: Lab, signer: Signer) -> None:
    user, kept, now = new_id(), new_id(), int(time.time())
    older = bearer(signer.token(sub=user, iat=now - 5))
    own = bearer(signer.token(sub=user, sid=kept, iat=now - 5))
    newer = bearer(signer.token(sub=user, iat=now))
    stranger = bearer(signer.token(iat=now - 5))
    event = {
        "specversion": "1.0", "id": new_id(), "source": "auth", "type": "omnify.auth.access.changed.v1",
        "subject": user, "sequence": "3", "time": "2031-01-01T00:00:00Z", "datacontenttype": "application/json",
        "data": {
            "user_id": user, "organization_id": None, "kept_session_id": kept,
            "before": datetime.fromtimestamp(now, UTC).isoformat(),
        },
    }  # fmt: skip
    assert {(await lab.direct.get("/me", headers=token)).status_code for token in (older, own, newer)} == {200}
    for _ in range(2):
        answer = await lab.direct.post("/events/auth-events", json=event)
        assert (answer.status_code, answer.json()) == (200, {"status": "SUCCESS"})
    for _ in range(2):
        statuses = [(await lab.direct.get("/me", headers=each)).status_code for each in (older, own, newer, stranger)]
        assert statuses == [401, 200, 200, 200]
        await lab.platform.identity.revocations.refresh()
    refused = (await lab.direct.get("/me", headers=older)).json()
    assert refused["type"] == "https://omnify.dev/problems/token-outdated"
