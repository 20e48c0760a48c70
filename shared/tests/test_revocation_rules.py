"""What a replica knows of ended sessions and changed access, and of keys: rules alone, with documents in memory."""

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from omnify_shared import clock, jwks
from omnify_shared.dapr.errors import PeerUnavailable, SidecarUnavailable
from omnify_shared.forms import Form
from omnify_shared.problems import Unauthorized
from omnify_shared.revocations import MINUTES, Cut, Revocations, _joined, _Minute
from support.tokens import Signer

NOW = datetime(2026, 11, 24, 12, 0, 30, tzinfo=UTC)
MINUTE = int(NOW.timestamp() // 60)


class Forms:
    def __init__(self) -> None:
        self.noted: list[Form] = []

    def note(self, form: Form) -> None:
        self.noted.append(form)


class State:
    def __init__(self) -> None:
        self.forms = Forms()


class Minutes:
    """Documents of minutes, as two replicas share them."""

    def __init__(self) -> None:
        self.kept: dict[str, _Minute] = {}
        self.asked: list[tuple[str, ...]] = []
        self.writes = 0

    async def get_many(self, keys: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], _Minute]:
        self.asked = list(keys)
        return {key: self.kept[key[0]] for key in self.asked if key[0] in self.kept}

    async def upsert(self, key: str, *, initial: Callable[[], _Minute], change: Callable[..., _Minute]) -> None:
        before = self.kept.get(key, initial())
        after = change(before, None)
        self.writes += after is not before
        self.kept[key] = after


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOW)


def replica(minutes: Minutes) -> Revocations:
    made = Revocations(None, State())  # type: ignore[arg-type]
    made._minutes = minutes  # type: ignore[assignment]
    return made


def test_it_is_kept_longer_than_a_token_lives() -> None:
    state = State()
    made = Revocations(None, state)  # type: ignore[arg-type]
    [form] = state.forms.noted
    assert (form.kind, made._minutes.kind) == ("revocations", "revocations")
    assert made._minutes._ttl == timedelta(minutes=10)
    assert MINUTES == 8
    assert 0 <= made.age < 60
    assert not made.revoked("s")
    assert not made.outdated("u", "s", NOW)


async def test_a_session_ends_here_at_once_and_elsewhere_with_the_next_read() -> None:
    minutes = Minutes()
    here, there = replica(minutes), replica(minutes)
    await here.add("s1")
    assert here.revoked("s1")
    assert not here.revoked("s2")
    assert not there.revoked("s1")
    assert minutes.kept == {str(MINUTE): _Minute(sessions=["s1"])}
    await there.add("s2")
    assert there.revoked("s2")
    await there.refresh()
    assert there.revoked("s1")
    assert there.revoked("s2")
    assert minutes.kept[str(MINUTE)].sessions == ["s1", "s2"]
    await here.add("s1")
    assert minutes.writes == 2, "what is known is not written again"


async def test_a_cut_refuses_older_tokens_of_one_user_but_one_sessions() -> None:
    minutes = Minutes()
    here, there = replica(minutes), replica(minutes)
    await here.cut("u", Cut(before=NOW, kept="k"))
    await there.refresh()
    older, just = NOW - timedelta(seconds=1), NOW
    for one in (here, there):
        assert one.outdated("u", "s", older)
        assert not one.outdated("u", "k", older)
        assert not one.outdated("u", "s", just)
        assert not one.outdated("v", "s", older)
    later = NOW + timedelta(seconds=5)
    await here.cut("u", Cut(before=later))
    assert here.outdated("u", "k", older), "the later one keeps no session"
    assert here.outdated("u", "s", just)
    assert not here.outdated("u", "s", later)
    assert minutes.kept[str(MINUTE)].users == {"u": [Cut(before=NOW, kept="k"), Cut(before=later)]}


async def test_minutes_are_read_and_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    minutes = Minutes()
    here = replica(minutes)
    minutes.kept = {
        str(MINUTE - MINUTES - 1): _Minute(sessions=["gone"]),
        str(MINUTE - MINUTES): _Minute(sessions=["oldest"]),
        str(MINUTE + 1): _Minute(sessions=["ahead"], users={"u": [Cut(before=NOW)]}),
    }
    here._read_at = time.monotonic() - 100
    await here.refresh()
    assert here.age < 50
    assert minutes.asked == [(str(minute),) for minute in range(MINUTE - 8, MINUTE + 2)]
    assert [name for name in ("gone", "oldest", "ahead") if here.revoked(name)] == ["oldest", "ahead"]
    assert here.outdated("u", "s", NOW - timedelta(seconds=1))
    await here.add("here")
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(minutes=MINUTES))
    minutes.kept = {}
    await here.refresh()
    assert here.revoked("here"), "the oldest minute still counts, also where the store lost it"
    assert not here.revoked("oldest")
    monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(minutes=MINUTES + 1))
    await here.refresh()
    assert not here.revoked("here")
    assert here.revoked("ahead")


def test_two_accounts_of_a_minute_are_joined() -> None:
    cut, other = Cut(before=NOW), Cut(before=NOW, kept="k")
    known = _Minute(sessions=["a"], users={"u": [cut]})
    assert _joined(known, _Minute(sessions=["a"], users={"u": [cut]})) is known
    assert _joined(known, _Minute()) is known
    assert _joined(known, _Minute(sessions=["a", "b"])) == _Minute(sessions=["a", "b"], users={"u": [cut]})
    both = _joined(known, _Minute(users={"u": [cut, other], "v": [cut]}))
    assert both == _Minute(sessions=["a"], users={"u": [cut, other], "v": [cut]})


class Waiting:
    """A sidecar whose readiness the test gives."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()


async def test_what_others_wrote_is_read_over_and_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnify_shared.revocations.POLL", 0.001)
    minutes, sidecar = Minutes(), Waiting()
    here = replica(minutes)
    here._sidecar = sidecar  # type: ignore[assignment]
    failures = [SidecarUnavailable("away"), SidecarUnavailable("still")]
    real = here.refresh

    async def refresh() -> None:
        if failures:
            raise failures.pop()
        await real()

    monkeypatch.setattr(here, "refresh", refresh)
    log = Log()
    monkeypatch.setattr("omnify_shared.revocations.log", log)
    running = asyncio.create_task(here.run())
    await asyncio.sleep(0.02)
    assert len(failures) == 2, "not before the sidecar is there"
    sidecar.ready.set()
    minutes.kept = {str(MINUTE): _Minute(sessions=["s"])}
    async with asyncio.timeout(30):
        while not here.revoked("s"):
            await asyncio.sleep(0.005)
    assert not running.done()
    running.cancel()
    assert log.said == [("revocations not refreshed", {"reason": reason}) for reason in ("still", "away")]


class Reply:
    def __init__(self, status: int, body: Any) -> None:
        self.status, self._body = status, body

    def json(self) -> Any:
        if isinstance(self._body, Exception):
            raise self._body
        return self._body


class Invoker:
    def __init__(self, reply: Reply) -> None:
        self.reply, self.asked = reply, []  # type: ignore[var-annotated]

    async def request(self, call: Any) -> Reply:
        self.asked.append(call)
        return self.reply


async def test_the_key_set_is_asked_of_auth() -> None:
    asked = Invoker(Reply(200, {"keys": []}))
    assert await jwks.jwks_of_auth(asked)() == {"keys": []}  # type: ignore[arg-type]
    assert asked.asked == [jwks.JWKS]
    assert (jwks.JWKS.app_id, jwks.JWKS.method, jwks.JWKS.path) == ("auth", "GET", "/.well-known/jwks.json")
    for reply in (Reply(503, {}), Reply(200, ValueError("no JSON")), Reply(201, {"keys": []})):
        with pytest.raises(PeerUnavailable) as caught:
            await jwks.jwks_of_auth(Invoker(reply))()  # type: ignore[arg-type]
        assert caught.value.detail == "auth does not publish its keys now"


class Log:
    """What was logged as a warning."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, str]]] = []

    def warning(self, event: str, **fields: str) -> None:
        self.said.append((event, fields))


def test_only_usable_keys_of_a_set_count(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    monkeypatch.setattr(jwks, "log", log)
    [good] = Signer("k1").document()["keys"]
    broken = [5, {}, {"kty": "RSA", "kid": "r"}, good | {"kid": 5}, {"kty": "EC", "kid": "e"}, good | {"crv": "P-1"}]
    found = jwks._usable({"keys": [*broken, good]})
    assert list(found) == ["k1"]
    assert found["k1"].algorithm_name == "ES256"
    assert {event for event, _ in log.said} == {"unusable key in the key set"}
    assert [fields["reason"] for _, fields in log.said][:2] == ["'int' object is not subscriptable", "'kty'"]
    assert len(log.said) == 4, "keys of other kinds are no mistake"
    documents: tuple[Any, ...] = (None, [], {}, {"keys": "k"}, "keys")
    for document in documents:
        with pytest.raises(PeerUnavailable) as caught:
            jwks._usable(document)
        assert caught.value.detail == "auth does not publish its keys now"


class Clock:
    """A monotonic clock that only sleeping moves; of the cache alone, as others run in this event loop."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.slept: list[float] = []
        patch.setattr(jwks, "time", SimpleNamespace(monotonic=lambda: self.now))
        patch.setattr(jwks, "asyncio", SimpleNamespace(sleep=self.sleep, Lock=asyncio.Lock))

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Source:
    def __init__(self, signer: Signer) -> None:
        self.signer, self.fetches = signer, 0
        self.failure: SidecarUnavailable | None = None

    async def __call__(self) -> Any:
        self.fetches += 1
        if self.failure:
            raise self.failure
        return self.signer.document()


async def test_when_keys_are_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ticking, source = Clock(monkeypatch), Source(Signer("k1"))
    cache = jwks.JwksCache(source)
    assert (await cache.key("k1")).key_id == "k1"
    ticking.now += 299.9
    await cache.key("k1")
    assert (source.fetches, ticking.slept) == (1, [])
    ticking.now += 0.1
    await cache.key("k1")
    assert source.fetches == 2, "after five minutes"
    ticking.now += 1
    with pytest.raises(Unauthorized) as caught:
        await cache.key("made up")
    assert caught.value.detail == "the access token's key is unknown"
    assert (source.fetches, ticking.slept) == (3, [1.0]), "two seconds after the last one"
    source.signer.add("k2")
    ticking.now += 5
    assert (await cache.key("k2")).key_id == "k2"
    assert (source.fetches, ticking.slept) == (4, [1.0])


async def test_known_keys_last_and_unknown_ones_wait_while_auth_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    ticking, source = Clock(monkeypatch), Source(Signer("k1"))
    source.failure = SidecarUnavailable("away")
    cache = jwks.JwksCache(source)
    for fetches in (1, 1):
        with pytest.raises(PeerUnavailable) as caught:
            await cache.key("k1")
        assert caught.value.detail == "away"
        assert source.fetches == fetches, "half a second between tries"
        ticking.now += 0.4
    ticking.now += 0.1
    source.failure = None
    assert await cache.key("k1")
    assert source.fetches == 2
    ticking.now += 300
    source.failure = SidecarUnavailable("away")
    assert await cache.key("k1"), "the old set is better than none"
    assert source.fetches == 3
    ticking.now += 0.4
    assert await cache.key("k1")
    assert source.fetches == 3
    ticking.now += 0.2
    assert await cache.key("k1")
    assert source.fetches == 4
    with pytest.raises(PeerUnavailable):
        await cache.key("k9")
    assert (cache._waiting, ticking.slept) == (0, [])


async def test_a_crowd_of_strangers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    source = Source(Signer("k1"))
    cache = jwks.JwksCache(source)
    assert await cache.key("k1")
    cache._waiting = jwks.MAX_WAITING
    with pytest.raises(Unauthorized):
        await cache.key("made up")
    assert (source.fetches, cache._waiting) == (1, 64)
    cache._waiting = jwks.MAX_WAITING - 1
    with pytest.raises(Unauthorized):
        await cache.key("made up")
    assert (source.fetches, cache._waiting) == (2, 63)
    cache._waiting, cache._fetched_at = jwks.MAX_WAITING, 0.0
    assert await cache.key("k1"), "a known key is looked after all the same"
