"""Tokens stay between an app and its own sidecar: a peer, a server outside and a browser never see one."""

import httpx2 as httpx

from secure.stage import PEER, Recorder, Stage


def tokens_of(stage: Stage) -> dict[str, str]:
    """Every token of the platform, and whose it is; the peer's own two are not among them."""
    return {
        token: f"{name}'s {kind}"
        for name, sidecar in stage.sidecars.items()
        for kind, token in (("api token", sidecar.tokens.api), ("app token", sidecar.tokens.app))
    } | {stage.home.app_api_token: "the plain app token", stage.home.dapr_api_token: "the plain api token"}


def leaks(stage: Stage, seen: Recorder) -> list[str]:
    text = seen.file.read_text()
    return [whose for token, whose in tokens_of(stage).items() if token in text]


def test_a_peer_never_sees_the_callers_tokens(stage: Stage) -> None:
    """Called through the gateway and by every app that can call; what comes carries the peer's own app token."""
    before = len(stage.peer.notes)
    assert httpx.get(f"{stage.platform.url}/api/{PEER}/one", timeout=20).status_code == 200
    callers = [name for name in stage.sidecars if name != "auth"]
    for name in callers:
        sidecar = stage.sidecars[name]
        headers = sidecar.headers | {"dapr-app-id": PEER}
        assert httpx.get(f"{sidecar.url}/api/{PEER}/from-{name}", headers=headers, timeout=20).status_code == 200
    notes = stage.peer.notes[before:]
    assert len(notes) == len(callers) + 1
    named = [{key.lower(): value for key, value in note["headers"]} for note in notes]
    assert {headers["dapr-caller-app-id"] for headers in named} == set(callers)
    assert all(headers["dapr-api-token"] not in tokens_of(stage) for headers in named), "its own token is its own"
    assert leaks(stage, stage.peer) == []


def test_a_server_outside_sees_no_token_at_all(stage: Stage) -> None:
    answer = httpx.get(f"{stage.platform.url}/legacy/page", headers={"dapr-api-token": "a browser's own"}, timeout=20)
    assert answer.status_code == 200
    [note] = [note for note in stage.monolith.notes if note["path"] == "/legacy/page"]
    assert not [key for key, _ in note["headers"] if key.lower() in {"dapr-api-token", "dapr-app-id"}]
    assert leaks(stage, stage.monolith) == []


def test_an_answer_carries_no_token(stage: Stage) -> None:
    for path in (f"/api/{PEER}/two", "/api/auth/me", "/legacy/other", "/openapi.json", "/nothing"):
        answer = httpx.get(f"{stage.platform.url}{path}", timeout=20)
        text = answer.text + str(answer.headers)
        assert not [whose for token, whose in tokens_of(stage).items() if token in text], path


def test_logs_hold_no_token(stage: Stage) -> None:
    text = "".join(file.read_text(errors="replace") for file in stage.home.logs.rglob("*.log"))
    assert "auth" in text
    assert not [whose for token, whose in tokens_of(stage).items() if token in text]
