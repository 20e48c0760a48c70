"""Access tokens under attack (RFC 8725), keys that rotate, and auth being away."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from datetime import datetime
from typing import Any

import httpx2 as httpx
import jwt
import pytest
import uvloop
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from omnify_shared import identity, jwks
from omnify_shared.dapr.errors import PeerUnavailable, SidecarError
from omnify_shared.identity import Identity
from omnify_shared.permissions import ROLES
from omnify_shared.problems import Unauthorized
from omnify_shared.testing.plugin import NewSidecar
from support.lab import Lab
from support.tokens import Signer, bearer


class NothingRevoked:
    """Revocations of a replica that knows of none."""

    def __init__(self) -> None:
        self.ended: set[str] = set()

    def revoked(self, session_id: str) -> bool:
        return session_id in self.ended

    def outdated(self, user_id: str, session_id: str, issued_at: datetime) -> bool:
        return False


@pytest.fixture
def fresh() -> Signer:
    return Signer()


@pytest.fixture
def checks(fresh: Signer) -> Identity:
    return Identity(fresh.source, NothingRevoked())  # type: ignore[arg-type]  # all that it asks of it


def segment(content: Any) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return jwt.get_unverified_header(token), jwt.decode(token, options={"verify_signature": False})


async def test_a_good_token_names_its_caller(checks: Identity, fresh: Signer) -> None:
    principal = await checks.verify(fresh.token(roles=["viewer", "no such role"], sid="s1"))
    assert (principal.user_id, principal.organization_id, principal.session_id) == ("user-1", "org-1", "s1")
    assert principal.permissions == ROLES["viewer"]


def unsigned(token: str, **header: Any) -> str:
    head, claims = parts(token)
    return f"{segment(head | header)}.{segment(claims)}."


def hmac_with_the_public_key(token: str, key: bytes) -> str:
    head, claims = parts(token)
    signed = f"{segment(head | {'alg': 'HS256'})}.{segment(claims)}"
    return f"{signed}.{segment(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"


def with_its_own_key(token: str) -> str:
    head, claims = parts(token)
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(ECAlgorithm.to_jwk(key.public_key()))
    return jwt.encode(claims, key, algorithm="ES256", headers=head | {"jwk": jwk, "jku": "https://evil.example/jwks"})


def with_other_claims(token: str) -> str:
    first, _, last = token.split(".")
    return f"{first}.{segment(parts(token)[1] | {'roles': ['owner']})}.{last}"


def attacks(signer: Signer) -> dict[str, str]:
    good = signer.token()
    rsa_key = rsa.generate_private_key(65537, 2048)
    now = int(time.time())
    return {
        "none": unsigned(good, alg="none"),
        "None": unsigned(good, alg="None"),
        "no signature": good.rpartition(".")[0] + ".",
        "no third part": good.rpartition(".")[0],
        "hs256 with the pem": hmac_with_the_public_key(good, signer.public_pem("k1")),
        "hs256 with the jwk": hmac_with_the_public_key(good, json.dumps(signer.document()["keys"][0]).encode()),
        "rs256": jwt.encode(parts(good)[1], rsa_key, algorithm="RS256", headers=parts(good)[0] | {"alg": "RS256"}),
        "es384": jwt.encode(
            parts(good)[1],
            ec.generate_private_key(ec.SECP384R1()),
            algorithm="ES384",
            headers={"typ": "at+jwt", "kid": "k1"},
        ),
        "its own key": with_its_own_key(good),
        "other claims": with_other_claims(good),
        "changed signature": good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"),
        "zero signature": good.rpartition(".")[0] + "." + segment(b"\0" * 64),
        "der signature": good.rpartition(".")[0] + "." + segment(b"0" * 70),
        "typ JWT": signer.token(header={"typ": "JWT"}),
        "typ missing": signer.token(header={"typ": None}),
        "typ id token": signer.token(header={"typ": "id+jwt"}),
        "typ is a list": signer.token(header={"typ": ["at+jwt"]}),
        "crit": signer.token(header={"crit": ["exp"], "exp": 1}),
        "b64 false": signer.token(header={"b64": False, "crit": ["b64"]}),
        "aud": signer.token(aud="another"),
        "aud empty": signer.token(aud=[]),
        "aud of others": signer.token(aud=["a", "b"]),
        "iss": signer.token(iss="omnify.evil"),
        "iss list": signer.token(iss=["omnify"]),
        "expired": signer.token(lives=-60),
        "exp text": signer.token(exp="tomorrow"),
        "exp far out": signer.token(exp=10**20),
        "exp infinite": signer.token(exp=float("inf")),
        "exp null": signer.token(exp=None),
        "iat ahead": signer.token(iat=now + 3600),
        "iat text": signer.token(iat="now"),
        "nbf ahead": signer.token(nbf=now + 3600),
        "sub number": signer.token(sub=5),
        "sub empty": signer.token(sub=""),
        "org object": signer.token(org={"id": "org-1"}),
        "org empty": signer.token(org=""),
        "sid null": signer.token(sid=None),
        "roles text": signer.token(roles="owner"),
        "roles object": signer.token(roles={"owner": True}),
        "roles null": signer.token(roles=None),
        "roles nested": signer.token(roles=[["owner"]]),
        "roles numbers": signer.token(roles=[1, 2]),
        "too long": signer.token(padding="x" * 5000),
        "deep header": segment(b"[" * 2900) + ".e30.AAAA",
        "deep header object": segment(b'{"a":' * 550 + b"1" + b"}" * 550) + ".e30.AAAA",
        "header no object": segment([1]) + "." + segment({}) + ".AAAA",
        "header no utf-8": segment(b'{"alg":"\xff"}') + ".e30.AAAA",
        "no base64": "ä.ö.ü",
        "dots": "...",
        "one dot": ".",
        "text": "token",
        "nul": "\0.\0.\0",
        "kid number": segment({"typ": "at+jwt", "alg": "ES256", "kid": 1}) + "." + segment({}) + ".AAAA",
        "kid missing": segment({"typ": "at+jwt", "alg": "ES256"}) + "." + segment({}) + ".AAAA",
        "kid path": unsigned(good, kid="../../etc/passwd"),
        "jwe": ".".join(
            [segment({"typ": "at+jwt", "alg": "dir", "enc": "A256GCM", "kid": "k1"}), "", "AA", "AA", "AA"]
        ),
    } | {f"without {name}": signer.token(without=(name,)) for name in identity.REQUIRED}


ATTACKS = attacks(SIGNER := Signer())


@pytest.mark.parametrize("name", ATTACKS)
async def test_every_attack_is_refused_as_one(name: str) -> None:
    checks = Identity(SIGNER.source, NothingRevoked())  # type: ignore[arg-type]
    with pytest.raises(Unauthorized) as refusal:
        await checks.verify(ATTACKS[name])
    assert refusal.value.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("name", ["deep header", "none", "hs256 with the pem", "exp infinite", "text"])
async def test_an_attack_over_http_is_a_401_problem(lab: Lab, name: str) -> None:
    answer = await lab.through.get("/me", headers=bearer(ATTACKS[name]))
    assert answer.status_code == 401, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer  ", "Basic dXNlcjpwYXNz", "Token x", b"Bearer \xff\xfe"])
async def test_a_wrong_authorization_header(lab: Lab, value: str | bytes) -> None:
    raw = value.strip() if isinstance(value, bytes) else value.strip().encode()
    answer = await lab.direct.get("/me", headers={b"authorization": raw})
    assert answer.status_code == 401


async def test_an_unknown_kid_costs_one_fetch(checks: Identity, fresh: Signer) -> None:
    await checks.verify(fresh.token())
    stranger = Signer("stranger")
    results = await asyncio.gather(
        *(checks.verify(stranger.token("stranger")) for _ in range(50)), return_exceptions=True
    )
    assert {type(result) for result in results} == {Unauthorized}
    assert fresh.fetches <= 2


async def test_a_rotated_key_is_fetched_when_first_seen(
    checks: Identity, fresh: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "JWKS_MIN_INTERVAL", 0.05)
    await checks.verify(fresh.token())
    fresh.add("k2")
    await asyncio.sleep(0.06)
    tokens = [fresh.token("k2") for _ in range(20)]
    assert len(await asyncio.gather(*(checks.verify(token) for token in tokens))) == 20
    await checks.verify(fresh.token("k1"))
    assert fresh.fetches == 2


async def test_made_up_keys_have_no_new_key_refused(
    checks: Identity, fresh: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody asks for a key that is none, right before auth signs with a key that nobody here has seen."""
    monkeypatch.setattr(jwks, "JWKS_MIN_INTERVAL", 0.5)
    await checks.verify(fresh.token())
    with pytest.raises(Unauthorized):
        await checks.verify(Signer("stranger").token("stranger"))
    fresh.add("k2")
    started = time.monotonic()
    assert len(await asyncio.gather(*(checks.verify(fresh.token("k2")) for _ in range(20)))) == 20
    assert time.monotonic() - started < 5
    assert fresh.fetches == 3


def test_the_wait_for_a_new_key_is_never_cut_short() -> None:
    """On the loop that services run on: a sleep of it may end a part of a millisecond early."""

    async def early() -> int:
        cut = 0
        for number in range(300):
            due = time.monotonic() + 0.0103 + number / 100_000
            await jwks._until(due)
            cut += time.monotonic() < due
        return cut

    assert uvloop.run(early()) == 0


async def test_strangers_that_wait_for_keys_are_few(
    checks: Identity, fresh: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "JWKS_MIN_INTERVAL", 3.0)
    monkeypatch.setattr(jwks, "MAX_WAITING", 5)
    await checks.verify(fresh.token())
    stranger = Signer("stranger")
    crowd = [asyncio.create_task(checks.verify(stranger.token("stranger"))) for _ in range(40)]
    async with asyncio.timeout(30):
        while sum(one.done() for one in crowd) < 35:
            await asyncio.sleep(0.01)
    assert sum(not one.done() for one in crowd) == 5
    await asyncio.gather(*crowd, return_exceptions=True)
    assert fresh.fetches == 2


@pytest.mark.parametrize("seconds", [-25, 0, 25])
async def test_clocks_may_differ_by_the_leeway(checks: Identity, fresh: Signer, seconds: int) -> None:
    now = int(time.time()) + seconds
    assert await checks.verify(fresh.token(iat=now, exp=now + (0 if seconds < 0 else 300)))


@pytest.mark.parametrize(("seconds", "reason"), [(60, "not valid yet"), (-360, "has expired")])
async def test_beyond_the_leeway_the_refusal_says_why(
    checks: Identity, fresh: Signer, seconds: int, reason: str
) -> None:
    now = int(time.time()) + seconds
    with pytest.raises(Unauthorized, match=reason):
        await checks.verify(fresh.token(iat=now, exp=now + 300))


async def test_a_withdrawn_key_is_refused_once_the_set_is_old(
    checks: Identity, fresh: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.add("k2")
    await checks.verify(fresh.token("k2"))
    late = fresh.token("k2")
    del fresh.keys["k2"]
    monkeypatch.setattr(jwks, "JWKS_MAX_AGE", 0.0)
    monkeypatch.setattr(jwks, "JWKS_MIN_INTERVAL", 0.0)
    with pytest.raises(Unauthorized):
        await checks.verify(late)


@pytest.mark.parametrize(
    "broken",
    [
        {"kty": "EC", "kid": "bad", "crv": "P-384", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256"},
        {"kty": "oct", "kid": "k1", "k": "c2VjcmV0"},
        {"kty": "EC", "kid": 7, "crv": "P-256", "x": "!", "y": None},
        json.loads(RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key())) | {"kid": "rsa"},
        "no key",
    ],
)
async def test_a_broken_key_in_the_set_spoils_no_other(fresh: Signer, broken: Any) -> None:
    async def source() -> dict[str, Any]:
        return {"keys": [broken, *fresh.document()["keys"]]}

    checks = Identity(source, NothingRevoked())  # type: ignore[arg-type]
    assert (await checks.verify(fresh.token())).user_id == "user-1"


@pytest.mark.parametrize("document", [{}, [], {"keys": None}, "text", None])
async def test_an_answer_that_is_no_key_set_is_auths_failure(fresh: Signer, document: Any) -> None:
    async def source() -> Any:
        return document

    checks = Identity(source, NothingRevoked())  # type: ignore[arg-type]
    with pytest.raises(SidecarError):
        await checks.verify(fresh.token())


class Flaky:
    """A key source that can be taken away."""

    def __init__(self, signer: Signer) -> None:
        self.signer, self.away, self.tries = signer, False, 0

    async def __call__(self) -> dict[str, Any]:
        self.tries += 1
        if self.away:
            await asyncio.sleep(0.01)
            raise PeerUnavailable("auth is away")
        return self.signer.document()


async def test_known_keys_last_while_auth_is_away(fresh: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Flaky(fresh)
    checks = Identity(source, NothingRevoked())  # type: ignore[arg-type]
    await checks.verify(fresh.token())
    source.away = True
    monkeypatch.setattr(jwks, "JWKS_MAX_AGE", 0.0)
    monkeypatch.setattr(jwks, "JWKS_MIN_INTERVAL", 0.0)
    assert (await checks.verify(fresh.token())).user_id == "user-1"


async def test_without_any_key_the_caller_is_told_to_come_back(fresh: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Flaky(fresh)
    source.away = True
    checks = Identity(source, NothingRevoked())  # type: ignore[arg-type]
    results = await asyncio.gather(*(checks.verify(fresh.token()) for _ in range(50)), return_exceptions=True)
    assert {type(result) for result in results} == {PeerUnavailable}, "not a 401, which would sign people out"
    assert source.tries < 5, "a crowd shares one try"
    source.away = False
    async with asyncio.timeout(30):
        while True:
            try:
                await checks.verify(fresh.token())
                break
            except PeerUnavailable:
                await asyncio.sleep(0.05)


async def test_a_verified_token_ends_with_its_session_and_its_time(fresh: Signer) -> None:
    revocations = NothingRevoked()
    checks = Identity(fresh.source, revocations)  # type: ignore[arg-type]
    token = fresh.token(sid="s9")
    await checks.verify(token)
    revocations.ended.add("s9")
    with pytest.raises(Unauthorized, match="session has ended"):
        await checks.verify(token)


async def test_a_remembered_token_expires(checks: Identity, fresh: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "LEEWAY", 0)
    token = fresh.token(lives=3)
    await checks.verify(token)
    await asyncio.sleep(3.05)
    with pytest.raises(Unauthorized, match="expired"):
        await checks.verify(token)


async def test_what_is_remembered_is_bounded(checks: Identity, fresh: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "CACHED_TOKENS", 10)
    for _ in range(30):
        await checks.verify(fresh.token())
    assert len(checks._verified) == 10


async def test_permissions_open_and_close_routes(lab: Lab, signer: Signer) -> None:
    viewer, manager = bearer(signer.token(roles=["viewer"])), bearer(signer.token(roles=["member", "manager"]))
    assert (await lab.through.get("/view", headers=viewer)).status_code == 200
    refused = await lab.through.get("/export", headers=viewer)
    assert (refused.status_code, refused.json()["permission"]) == (403, "analytics:export")
    assert (await lab.through.get("/export", headers=manager)).json() == "user-1"
    assert (await lab.through.get("/view", headers=bearer(signer.token(roles=[])))).status_code == 403
    assert (await lab.through.get("/view")).status_code == 401


async def test_sensitive_routes_want_a_fresh_sign_in(lab: Lab, signer: Signer) -> None:
    async def answer(**claims: Any) -> httpx.Response:
        return await lab.through.get("/sensitive", headers=bearer(signer.token(**claims)))

    now = int(time.time())
    assert (await answer(auth_time=now - 500, amr=["pwd", "otp"])).json() == ["user-1", "pwd", "otp"]
    stale = await answer(auth_time=now - 601)
    assert (stale.status_code, stale.json()["type"].rpartition("/")[2]) == (401, "reauthentication-required")
    assert stale.json()["max_age"] == 600
    challenge = 'Bearer error="insufficient_user_authentication", max_age=600'
    assert stale.headers["www-authenticate"] == challenge
    assert (await lab.through.get("/sensitive")).headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("claim", [None, "now", True, -5, 0, 10**20, float("inf"), [1], {}])
async def test_a_token_that_does_not_say_when_is_good_but_not_fresh(lab: Lab, signer: Signer, claim: Any) -> None:
    token = bearer(signer.token(auth_time=claim) if claim is not None else signer.token(without=("auth_time", "amr")))
    assert (await lab.through.get("/me", headers=token)).status_code == 200
    assert (await lab.through.get("/sensitive", headers=token)).status_code == 401


@pytest.mark.parametrize("path", ["/me", "/view", "/sensitive"])
@pytest.mark.parametrize("claim", [True, "yes", 1, None])
async def test_who_must_enrol_first_gets_nowhere(lab: Lab, signer: Signer, path: str, claim: Any) -> None:
    token = signer.token(roles=["viewer"], mfa_enrolment_required=claim)
    answer = await lab.through.get(path, headers=bearer(token))
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (403, "mfa-enrolment-required")


@pytest.mark.parametrize("claim", [None, "pwd", {"pwd": 1}, ["pwd", 1]])
async def test_methods_that_are_no_list_of_texts_are_none(checks: Identity, fresh: Signer, claim: Any) -> None:
    assert (await checks.verify(fresh.token(amr=claim))).amr == ()


@pytest.mark.parametrize("name", ["dapr-caller-app-id", "Dapr-Caller-App-Id", "DAPR-CALLER-APP-ID"])
async def test_an_internal_route_is_for_its_callers(lab: Lab, new_sidecar: NewSidecar, name: str) -> None:
    assert (await lab.through.get("/internal/mail")).status_code == 403
    assert (await lab.direct.get("/internal/mail", headers={name: "email"})).status_code == 200
    for app_id, status in (("email", 200), ("analytics", 403)):
        sidecar = await asyncio.to_thread(new_sidecar, lab.sidecar.home, app_id)
        async with httpx.AsyncClient(base_url=sidecar.url, headers=sidecar.headers | {"dapr-app-id": "lab"}) as peer:
            assert (await peer.get("/internal/mail")).status_code == status
            for _ in range(10):
                forged = await peer.get("/internal/mail", headers={name: "email"})
                assert forged.status_code == 403, "a caller can't name itself: the order of two names is not fixed"
