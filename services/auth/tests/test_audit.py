"""The audit chain: its rules alone, then events of people, races of replicas and tampering on real sidecars."""

import asyncio
import json
import random
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import httpx2 as httpx

from omnify_auth.audit import GENESIS, PAGE, first_break, linked, scope_of
from omnify_auth.events import ConsentGiven, SignInFailed
from omnify_auth.records import AuditPage
from omnify_auth.service.audit import AuditLog
from omnify_shared.events import CloudEvent
from omnify_shared.ids import new_id


def event(organization_id: str) -> CloudEvent[Any]:
    data = ConsentGiven(
        user_id="u", organization_id=organization_id, document_type="terms", version="1", sha256="0" * 64
    )
    return CloudEvent.of(data, source="auth", subject="u", sequence=1)


def test_a_chain_breaks_where_it_was_touched() -> None:
    now = datetime.now(UTC)
    one = linked(event("o"), 0, GENESIS, now)
    two = linked(event("o"), 1, one.hash, now)
    assert first_break([one, two], 0, GENESIS) is None
    for broken in ([one.model_copy(update={"user_id": "v"}), two], [two], [two, one]):
        assert getattr(first_break(broken, 0, GENESIS), "sequence", None) == 0
    relinked = linked(event("o"), 1, "1" * 64, now)
    assert getattr(first_break([one, relinked], 0, GENESIS), "sequence", None) == 1


async def owned(lab: Any, who: dict[str, Any], path: str) -> httpx.Response:
    answer: httpx.Response = await lab.auth.get(f"/api/audit{path}", who["access_token"])
    return answer


async def audited(lab: Any, who: dict[str, Any], wanted: set[str]) -> list[dict[str, Any]]:
    """The entries of an organisation once all wanted types are among them."""
    async with asyncio.timeout(40):
        while True:
            found = await owned(lab, who, "?limit=200")
            assert found.status_code == 200, found.text
            entries: list[dict[str, Any]] = found.json()["entries"]
            if wanted <= {entry["type"] for entry in entries}:
                return entries
            await asyncio.sleep(0.1)


async def test_what_people_do_is_in_the_chain_of_their_organisation(lab: Any) -> None:
    who, other = await lab.signed_in(), await lab.signed_in()
    headers = {"authorization": f"Bearer {who['access_token']}"}
    form = {"document_type": "terms", "version": "1.0"}
    assert (await lab.auth.http.post("/api/legal/accept", json=form, headers=headers)).status_code == 200
    wanted = {f"omnify.auth.{name}.v1" for name in ("user.registered", "address.verified", "consent.given")}
    entries = await audited(lab, who, wanted)
    assert {entry["user_id"] for entry in entries} == {who["user"]["user_id"]}
    assert [entry["sequence"] for entry in entries] == sorted((e["sequence"] for e in entries), reverse=True)
    assert len({entry["event_id"] for entry in entries}) == len(entries)
    theirs = await audited(lab, other, {"omnify.auth.user.registered.v1"})
    assert not {e["event_id"] for e in theirs} & {e["event_id"] for e in entries}, "another organisation's"
    assert (await owned(lab, who, "/verify")).json()["valid"] is True
    previous = GENESIS
    for line in (await owned(lab, who, "/export")).text.splitlines():
        entry = json.loads(line)
        claimed = entry.pop("hash")
        assert entry["previous"] == previous
        canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = sha256(canonical.encode()).hexdigest()
        assert claimed == previous, "anybody can recompute the chain from the export"


async def test_signing_in_and_out_is_in_the_chain(lab: Any) -> None:
    form, stranger = await lab.verified(), lab.form()
    seen_at = {"x-forwarded-for": "203.0.113.77, 10.0.0.1"}

    async def login(who: dict[str, str], password: str) -> httpx.Response:
        body = {"email": who["email"], "password": password}
        answer: httpx.Response = await lab.auth.http.post("/api/auth/login", json=body, headers=seen_at)
        return answer

    for who in (form, stranger):
        assert (await login(who, "not the password at all")).status_code == 401
    leaving, who = (await login(form, form["password"])).json(), (await login(form, form["password"])).json()
    headers = {"authorization": f"Bearer {leaving['access_token']}"} | seen_at
    step_up = await lab.auth.http.post("/api/auth/step-up", json={"password": form["password"]}, headers=headers)
    assert step_up.status_code == 200
    assert (await lab.auth.http.post("/api/auth/logout", headers=headers)).status_code == 204
    for _ in range(3):
        assert (await lab.auth.post("refresh", refresh_token=leaving["refresh_token"])).status_code == 401
    names = ("sign_in.failed", "session.started", "session.stepped_up", "session.revoked", "refresh.refused")
    wanted = {name: f"omnify.auth.{name}.v1" for name in names}
    entries = await audited(lab, who, set(wanted.values()))
    found = {name: [entry for entry in entries if entry["type"] == kind] for name, kind in wanted.items()}
    assert {name: len(those) for name, those in found.items()} == dict.fromkeys(names, 1) | {"session.started": 2}
    assert {entry["user_id"] for those in found.values() for entry in those} == {who["user"]["user_id"]}
    failed, revoked = found["sign_in.failed"][0], found["session.revoked"][0]
    assert (failed["actor_id"], failed["data"]["factor"], failed["data"]["failures"]) == (None, "password", 1)
    assert {entry["data"]["session_id"] for entry in found["session.started"]} >= {leaving["session_id"]}
    assert found["session.started"][0]["data"]["amr"] == ["pwd"]
    assert (revoked["actor_id"], revoked["data"]["because"]) == (who["user"]["user_id"], "logout")
    assert revoked["data"]["origin"] == {
        "target": leaving["session_id"], "network": "203.0.113.0/24", "amr": ["pwd"]
    }  # fmt: skip
    for name in names[:3]:
        assert found[name][0]["data"]["origin"]["network"] == "203.0.113.0/24"
    told = json.dumps(entries)
    for secret in (form["email"], form["password"], "203.0.113.77", leaving["refresh_token"], leaving["access_token"]):
        assert secret not in told


async def test_a_guess_at_nobodys_address_is_an_event_and_in_no_chain(lab: Any) -> None:
    stranger = lab.form()
    assert (await lab.login(stranger, "not the password at all")).status_code == 401
    name = await lab.auth.service.directory.name(stranger["email"])

    async def guessed(event: dict[str, Any]) -> dict[str, Any] | None:
        return event if event["type"] == "omnify.auth.sign_in.failed.v1" and event["subject"] == name else None

    heard = await lab.probe.first(guessed)
    assert heard["data"] == {"user_id": None, "organization_id": None, "factor": "password", "failures": 1}
    assert scope_of(CloudEvent[SignInFailed].model_validate(heard)) is None


async def test_a_burst_of_guesses_makes_few_entries(lab: Any) -> None:
    form = await lab.verified()
    answers = await asyncio.gather(*(lab.login(form, f"not the password {number}") for number in range(40)))
    counted = sum(answer.status_code == 401 for answer in answers)
    assert 0 < counted <= 5
    who = await lab.signed_in()
    user = await lab.auth.service.directory.owner(await lab.auth.service.directory.name(form["email"]))
    organization_id = user.memberships[0].organization_id
    async with asyncio.timeout(40):
        while True:
            entries = await lab.auth.service.audit.list(organization_id, None, 200)
            failed = [entry for entry in entries if entry.type == "omnify.auth.sign_in.failed.v1"]
            if len(failed) >= counted:
                break
            await asyncio.sleep(0.1)
    assert sorted(entry.data["failures"] for entry in failed) == list(range(1, counted + 1))
    theirs = {entry["event_id"] for entry in await audited(lab, who, {"omnify.auth.session.started.v1"})}
    assert not theirs & {entry.event_id for entry in failed}


async def test_any_order_any_repetition_and_several_writers(lab: Any) -> None:
    """Two logs without a common memory, as two replicas have; every event comes three times."""
    organization_id = new_id()
    logs = [AuditLog(lab.auth.service.store, lab.auth.app.state.platform.tasks) for _ in range(2)]
    events = [event(organization_id) for _ in range(PAGE + 20)]
    deliveries = [one for one in events for _ in range(3)]
    random.shuffle(deliveries)

    async def delivered(one: CloudEvent[Any]) -> None:
        async with asyncio.timeout(60):
            while True:
                try:
                    return await random.choice(logs).record(one)
                except Exception:  # as the sidecar would: again
                    await asyncio.sleep(0.05)

    await asyncio.gather(*(delivered(one) for one in deliveries))
    verdict = await logs[0].verify(organization_id)
    assert (verdict.entries, verdict.broken) == (len(events), None)
    kept = [entry.event_id async for page in logs[0].pages(organization_id) for entry in page.entries]
    assert sorted(kept) == sorted(one.id for one in events)
    newest = await logs[1].list(organization_id, None, 50)
    older = await logs[1].list(organization_id, newest[-1].sequence, 50)
    assert [entry.sequence for entry in newest + older] == list(range(PAGE + 19, 19, -1))


async def test_a_log_goes_on_where_the_store_was_put_back_to_an_earlier_state(lab: Any) -> None:
    """It remembers where the newest page was, which may be gone."""
    organization_id = new_id()
    log = AuditLog(lab.auth.service.store, lab.auth.app.state.platform.tasks)
    await asyncio.gather(*(log.record(event(organization_id)) for _ in range(2 * PAGE + 5)))
    for page in "1", "2":
        await lab.auth.service.store.audit.delete(organization_id, page)
    await log.record(event(organization_id))
    verdict = await log.verify(organization_id)
    assert (verdict.entries, verdict.broken) == (PAGE + 1, None)


async def test_a_changed_entry_is_found(lab: Any) -> None:
    who = await lab.signed_in()
    entries = await audited(lab, who, {"omnify.auth.user.registered.v1", "omnify.auth.address.verified.v1"})
    organization_id = entries[0]["data"]["organization_id"]

    def change(page: AuditPage, _: Any) -> AuditPage:
        first, *rest = page.entries
        return AuditPage(entries=(first, rest[0].model_copy(update={"user_id": "somebody else"}), *rest[1:]))

    await lab.auth.service.store.audit.update(organization_id, "0", change=change)
    verdict = (await owned(lab, who, "/verify")).json()
    assert (verdict["valid"], verdict["broken_at"], verdict["reason"]) == (False, 1, "the entry was changed")


async def test_without_a_token_nothing_is_shown(lab: Any) -> None:
    for path in ("", "/export", "/verify"):
        assert (await lab.auth.http.get(f"/api/audit{path}")).status_code == 401


async def test_a_cursor_from_beyond_the_end_starts_at_the_end(lab: Any) -> None:
    who = await lab.signed_in()
    await audited(lab, who, {"omnify.auth.address.verified.v1"})
    async with asyncio.timeout(30):
        far = await owned(lab, who, f"?cursor={10**12 - 1}&limit=1")
    newest = await owned(lab, who, "?limit=1")
    assert far.status_code == newest.status_code == 200
    assert far.json()["entries"][0]["sequence"] >= newest.json()["entries"][0]["sequence"] - 1
