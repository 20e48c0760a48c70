"""What a user gets of what is held about them, on real sidecars."""

import json
from datetime import timedelta
from typing import Any

from omnify_shared import clock

PATH = "/api/auth/me/export"


async def post(lab: Any, path: str, token: str, **body: Any) -> dict[str, Any]:
    answer = await lab.auth.http.post(path, json=body, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code < 300, answer.text
    return dict(answer.json())


async def test_the_export_has_what_is_held(lab: Any) -> None:
    form = await lab.verified()
    tokens = (await lab.login(form)).json()
    token, user = tokens["access_token"], tokens["user"]
    await post(lab, "/api/legal/accept", token, document_type="terms", version="1.0")
    answer = await lab.auth.get(PATH, token)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"].startswith("attachment")
    body = answer.json()
    account = {name: body["account"][name] for name in ("user_id", "email", "full_name")}
    assert account == {"user_id": user["user_id"], "email": form["email"], "full_name": form["full_name"]}
    assert body["organizations"] == [
        {"organization_id": user["organization_id"], "name": form["organization_name"], "roles": ["owner"]}
    ]
    assert [one["session_id"] for one in body["sessions"]] == [tokens["session_id"]]
    assert len(body["devices"]) == 1
    assert [(one["action"], one["document_type"]) for one in body["consents"]] == [("accepted", "terms")]


async def test_the_export_has_no_secret(lab: Any) -> None:
    tokens = await lab.signed_in()
    token, user_id = tokens["access_token"], tokens["user"]["user_id"]
    seed = (await post(lab, "/api/mfa/totp/setup", token))["secret"]
    ends = (clock.now() + timedelta(days=1)).isoformat()
    made = await post(lab, "/api/api-keys", token, name="till", scopes=["analytics:view"], expires_at=ends)
    body = (await lab.auth.get(PATH, token)).json()
    assert [one["name"] for one in body["api_keys"]] == ["till"]
    store = lab.auth.service.store
    user, session = await store.users.get(user_id), await store.sessions.get(tokens["session_id"])
    stored, factors = await store.api_keys.get(made["key_id"]), await store.factors.get(user_id)
    secrets = [user.password.encoded, session.digest, stored.digest, seed, factors.pending_totp.secret.data]
    secrets += [token, tokens["refresh_token"], made["api_key"]]
    text = json.dumps(body)
    assert [secret for secret in secrets if secret in text] == []


async def test_the_export_is_the_users_own_and_wants_a_fresh_sign_in(lab: Any) -> None:
    mine, other = await lab.signed_in(), await lab.signed_in()
    text = (await lab.auth.get(PATH, mine["access_token"])).text
    assert other["user"]["user_id"] not in text
    assert other["user"]["organization_id"] not in text
    assert (await lab.auth.http.get(PATH)).status_code == 401
    long_ago = clock.now() - timedelta(minutes=11)
    await lab.auth.service.store.sessions.update(
        mine["session_id"], change=lambda session, _: session.model_copy(update={"signed_in_at": long_ago})
    )
    renewed = (await lab.auth.post("refresh", refresh_token=mine["refresh_token"])).json()
    stale = await lab.auth.get(PATH, renewed["access_token"])
    assert (stale.status_code, stale.json()["type"].rpartition("/")[2]) == (401, "reauthentication-required")
