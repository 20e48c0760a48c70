"""Keys, access tokens and refresh tokens: rules and attacks, without a sidecar."""

import base64
import hmac
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from omnify_auth.guard import Ladder
from omnify_auth.keyring import Schedule, make_key, public_jwk, signing
from omnify_auth.records import Guard, Ring, Session, SigningKey, Spent
from omnify_auth.refresh import RefreshTokens, judge
from omnify_auth.settings import AuthSettings
from omnify_auth.tokens import AccessTokens
from omnify_auth.vault import Vault, encode, versions
from omnify_shared.identity import Identity
from omnify_shared.ids import new_id
from omnify_shared.problems import Unauthorized
from omnify_shared.vault import KeysUnavailable, Sealed

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
SCHEDULE = Schedule(rotation=DAY, published_early=timedelta(hours=1), outlives=timedelta(minutes=6))
LADDER = Ladder(free=5, first_wait=timedelta(seconds=30), longest_wait=timedelta(hours=1), ceiling=100)


@pytest.fixture(scope="module", autouse=True)
def this_moment() -> Iterator[None]:
    """NOW when the tests run: minutes after they were collected, every token would be refused as expired."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "NOW", datetime.now(UTC).replace(microsecond=0))
        yield


class FixedSecrets:
    def __init__(self, text: str | None = None) -> None:
        self.text = text or encode(b"k" * 32)

    async def get(self, name: str) -> str:
        return self.text


class OneKey:
    """A key ring with one key, and what a verifier sees of it."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        numbers = self.private.public_key().public_numbers()
        x, y = (encode(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        self.jwk = {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": "k1", "alg": "ES256", "use": "sig"}

    async def signer(self) -> tuple[str, ec.EllipticCurvePrivateKey]:
        return "k1", self.private

    async def jwks(self) -> dict[str, Any]:
        return {"keys": [self.jwk]}


class NoRevocations:
    def revoked(self, session_id: str) -> bool:
        return False

    def outdated(self, user_id: str, session_id: str, issued_at: datetime) -> bool:
        return False


def vault(text: str | None = None) -> Vault:
    return Vault(FixedSecrets(text))  # type: ignore[arg-type]


def session(**fields: Any) -> Session:
    return Session(
        **{
            "session_id": new_id(),
            "user_id": new_id(),
            "organization_id": new_id(),
            "amr": ("pwd",),
            "signed_in_at": NOW,
            "expires_at": NOW + 30 * DAY,
            "idle_expires_at": NOW + 14 * DAY,
            "digest": "d" * 64,
            "spent": None,
            "ended_at": None,
            "ended_because": None,
        }
        | fields
    )


async def issued(ring: OneKey, **fields: Any) -> str:
    tokens = AccessTokens(ring, timedelta(minutes=5))  # type: ignore[arg-type]
    return (await tokens.issue(session(**fields), ("owner",), NOW)).text


def verifier(ring: OneKey) -> Identity:
    return Identity(ring.jwks, NoRevocations())  # type: ignore[arg-type]


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def part(value: Any) -> str:
    return encode(json.dumps(value).encode())


async def test_a_token_verifies() -> None:
    ring = OneKey()
    principal = await verifier(ring).verify(await issued(ring, user_id="u1"))
    assert (principal.user_id, principal.roles) == ("u1", ("owner",))


async def test_a_token_never_outlives_its_session() -> None:
    ring = OneKey()
    claims = claims_of(await issued(ring, expires_at=NOW + timedelta(seconds=20)))
    assert claims["exp"] - claims["iat"] == 20


def _unsigned(ring: OneKey, token: str) -> str:
    return f"{part({'alg': 'none', 'typ': 'at+jwt', 'kid': 'k1'})}.{token.split('.')[1]}."


def _hs_with_public_key(ring: OneKey, token: str) -> str:
    body = f"{part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': 'k1'})}.{token.split('.')[1]}"
    pem = ring.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return f"{body}.{encode(hmac.digest(pem, body.encode(), 'sha256'))}"


def _resigned(ring: OneKey, token: str, key: Any = None, **headers: Any) -> str:
    header = {"kid": "k1", "typ": "at+jwt"} | headers
    return jwt.encode(
        claims_of(token), key or ring.private, "ES256", {k: v for k, v in header.items() if v is not None}
    )


def _with_claims(ring: OneKey, token: str, **claims: Any) -> str:
    changed = {name: value for name, value in (claims_of(token) | claims).items() if value is not None}
    return jwt.encode(changed, ring.private, "ES256", {"kid": "k1", "typ": "at+jwt"})


def _own_key_in_header(ring: OneKey, token: str) -> str:
    mine = OneKey()
    return _resigned(ring, token, mine.private, jwk=mine.jwk)


def _altered(ring: OneKey, token: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{part(claims_of(token) | {'roles': ['owner', 'root']})}.{signature}"


ATTACKS: dict[str, Callable[[OneKey, str], str]] = {
    "alg none": _unsigned,
    "alg none in capitals": lambda ring, token: _unsigned(ring, token).replace(part({"alg": "none"})[:8], "eyJhbGci"),
    "HS256 with the public key": _hs_with_public_key,
    "altered claims": _altered,
    "no signature": lambda ring, token: token.rsplit(".", 1)[0] + ".",
    "zero signature": lambda ring, token: f"{token.rsplit('.', 1)[0]}.{encode(bytes(64))}",
    "foreign key": lambda ring, token: _resigned(ring, token, OneKey().private),
    "own key in jwk": _own_key_in_header,
    "jku": lambda ring, token: _resigned(ring, token, OneKey().private, jku="https://evil.example/jwks"),
    "x5u": lambda ring, token: _resigned(ring, token, OneKey().private, x5u="https://evil.example/x"),
    "unknown kid": lambda ring, token: _resigned(ring, token, kid="k2"),
    "path as kid": lambda ring, token: _resigned(ring, token, kid="../../dev/null"),
    "no kid": lambda ring, token: _resigned(ring, token, kid=None),
    "typ JWT": lambda ring, token: _resigned(ring, token, typ="JWT"),
    "typ id token": lambda ring, token: _resigned(ring, token, typ="id+jwt"),
    "other issuer": lambda ring, token: _with_claims(ring, token, iss="other"),
    "other audience": lambda ring, token: _with_claims(ring, token, aud="other"),
    "expired": lambda ring, token: _with_claims(ring, token, exp=int(NOW.timestamp()) - 60),
    "no expiry": lambda ring, token: _with_claims(ring, token, exp=None),
    "no session": lambda ring, token: _with_claims(ring, token, sid=None),
    "no organisation": lambda ring, token: _with_claims(ring, token, org=None),
    "empty organisation": lambda ring, token: _with_claims(ring, token, org=""),
    "number as subject": lambda ring, token: _with_claims(ring, token, sub="") if ring else token,
    "roles as text": lambda ring, token: _with_claims(ring, token, roles="owner"),
    "not yet valid": lambda ring, token: _with_claims(ring, token, nbf=int(NOW.timestamp()) + 600),
    "huge": lambda ring, token: token + "A" * 10_000,
    "five parts": lambda ring, token: token + ".a.b",
    "nothing": lambda ring, token: "",
    "dots": lambda ring, token: "..",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
async def test_attacks_on_access_tokens_fail(attack: Callable[[OneKey, str], str]) -> None:
    """Themes of RFC 8725 and RFC 9068 §4."""
    ring = OneKey()
    token = attack(ring, await issued(ring))
    with pytest.raises(Unauthorized):
        await verifier(ring).verify(token)


def key_from(start: datetime) -> SigningKey:
    sealed = Sealed(key=1, nonce="", data="")
    return SigningKey(kid=start.isoformat(), x="", y="", private=sealed, signs_from=start)


def test_the_first_key_signs_at_once() -> None:
    assert SCHEDULE.next_start(Ring(keys=()), NOW) == NOW


def test_the_next_key_is_published_an_hour_before_it_signs() -> None:
    ring = Ring(keys=(key_from(NOW),))
    assert SCHEDULE.next_start(ring, NOW + timedelta(hours=22)) is None
    assert SCHEDULE.next_start(ring, NOW + timedelta(hours=23)) == NOW + DAY
    late = NOW + 3 * DAY
    assert SCHEDULE.next_start(ring, late) == late + timedelta(hours=1)
    ring = Ring(keys=(key_from(NOW), key_from(NOW + DAY)))
    assert SCHEDULE.next_start(ring, NOW + timedelta(hours=23)) is None
    assert signing(ring, NOW + timedelta(hours=23)).signs_from == NOW
    assert signing(ring, NOW + DAY).signs_from == NOW + DAY


def test_an_old_key_is_published_until_its_last_token_is_dead() -> None:
    ring = Ring(keys=(key_from(NOW), key_from(NOW + DAY)))
    assert len(SCHEDULE.alive(ring, NOW + DAY + timedelta(minutes=5, seconds=59))) == 2
    assert len(SCHEDULE.alive(ring, NOW + DAY + timedelta(minutes=6))) == 1
    assert len(SCHEDULE.alive(ring, NOW + 9 * DAY)) == 1
    assert SCHEDULE.alive(Ring(keys=()), NOW) == ()


def test_a_week_of_minutes_never_signs_with_a_key_that_was_not_published_early() -> None:
    ring, now = Ring(keys=()), NOW
    published: dict[str, datetime] = {}
    while now < NOW + 7 * DAY:
        if (start := SCHEDULE.next_start(ring, now)) is not None:
            ring = Ring(keys=(*SCHEDULE.alive(ring, now), key_from(start)))
        for key in ring.keys:
            published.setdefault(key.kid, now)
        signer = signing(ring, now)
        assert signer.kid == min(published) or now - published[signer.kid] >= timedelta(minutes=10)
        assert signer in SCHEDULE.alive(ring, now)
        now += timedelta(minutes=1)
    assert len(published) == 8


async def test_a_key_opens_with_its_own_secret_and_in_its_own_place_only() -> None:
    safe = vault()
    key = await make_key(safe, NOW)
    record = f"keyring/main/{key.kid}"
    der = await safe.open(key.private, record)
    assert der not in key.private.data.encode()
    assert set(public_jwk(key)) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    for opening in (vault(encode(b"z" * 32)).open(key.private, record), safe.open(key.private, "keyring/main/other")):
        with pytest.raises(KeysUnavailable):
            await opening
    rotated = vault(f"2:{encode(b'n' * 32)} 1:{encode(b'k' * 32)}")
    assert await rotated.open(key.private, record) == der
    assert (await rotated.seal(b"x", "r")).key == 2


@pytest.mark.parametrize("text", ["", "short", "é", "1:x:y", encode(b"k" * 31), "0x:" + encode(b"k" * 32), "= ="])
def test_malformed_keys_are_refused(text: str) -> None:
    with pytest.raises(KeysUnavailable):
        versions(text)


def test_a_successor_is_the_same_every_time_and_unlike_its_predecessor() -> None:
    tokens, others = RefreshTokens(b"r" * 32), RefreshTokens(b"s" * 32)
    first = tokens.first(new_id())
    second = tokens.successor(first)
    assert second == tokens.successor(first)
    assert second.session_id == first.session_id
    assert second.secret != first.secret != others.successor(first).secret != second.secret
    assert tokens.read(first.text) == first
    assert others.read(first.text) is None


@given(st.binary(max_size=80))
def test_no_made_up_refresh_token_is_read(raw: bytes) -> None:
    tokens = RefreshTokens(b"r" * 32)
    assert tokens.read("omr1_" + encode(raw)) is None
    assert tokens.read(base64.b64encode(raw).decode()) is None


@given(st.integers(0, 90), st.sampled_from("Aa0-_z="))
def test_a_refresh_token_with_one_changed_character_is_not_read(place: int, char: str) -> None:
    tokens = RefreshTokens(b"r" * 32)
    text = tokens.first("01a20920-1d91-773b-ba6f-acafd9b779ef").text
    changed = text[:place] + char + text[place + 1 :]
    assert (tokens.read(changed) is None) == (changed != text)


def test_refresh_verdicts() -> None:
    grace = timedelta(seconds=10)
    one = session(digest="b" * 64, spent=Spent(digest="a" * 64, at=NOW))
    assert judge(one, "b" * 64, NOW, grace) == "rotate"
    assert judge(one, "a" * 64, NOW + grace, grace) == "repeat"
    assert judge(one, "a" * 64, NOW + grace + timedelta(milliseconds=1), grace) == "reused"
    assert judge(one, "c" * 64, NOW, grace) == "reused"
    assert judge(session(), "c" * 64, NOW, grace) == "reused"
    for over in ({"ended_at": NOW}, {"expires_at": NOW}, {"idle_expires_at": NOW}):
        assert judge(session(**over), "d" * 64, NOW, grace) == "ended"


def test_the_ladder() -> None:
    waits = [LADDER.wait_after(failures).total_seconds() for failures in range(14)]
    assert waits == [0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert LADDER.wait_after(10**6) == timedelta(hours=1)
    failed = Guard(failures=6, last_failed_at=NOW)
    assert LADDER.remaining(failed, NOW + timedelta(seconds=59)) == timedelta(seconds=1)
    assert LADDER.remaining(failed, NOW + timedelta(seconds=60)) == timedelta(0)
    assert LADDER.remaining(None, NOW) == timedelta(0)
    assert LADDER.remaining(Guard(failures=100, last_failed_at=NOW), NOW + 900 * DAY) > timedelta(0)


@pytest.mark.parametrize(
    "unsafe",
    [
        {"password_min_length": 8},
        {"hash_memory_kib": 1024},
        {"hash_time_cost": 1},
        {"guesses_free": 50},
        {"guesses_ceiling": 1000},
        {"guesses_wait": timedelta(seconds=1)},
        {"refresh_grace": timedelta(minutes=5)},
        {"session_overall": timedelta(days=365)},
        {"key_rotation": timedelta(days=90)},
        {"verification_ttl": timedelta(days=1)},
        {"key_published_early": timedelta(minutes=1)},
        {"access_token_ttl": timedelta(hours=1)},
    ],
)
def test_unsafe_settings_are_refused_outside_development(unsafe: dict[str, Any]) -> None:
    for environment in ("test", "production"):
        tokens: dict[str, Any] = {"dapr_api_token": "x", "app_api_token": "x"}
        with pytest.raises(ValidationError):
            AuthSettings(environment=environment, **tokens, **unsafe)


@pytest.mark.parametrize(
    ("public", "given", "accepted"),
    [
        ("https://omnify.example.com", {}, False),
        ("https://omnify.example.com", {"passkey_rp_id": "example.com"}, False),
        ("https://omnify.example.com", {"passkey_rp_id": "evil.com", "passkey_origins": ("https://evil.com",)}, False),
        (
            "https://omnify.example.com",
            {"passkey_rp_id": "example.com", "passkey_origins": ("https://omnify.example.com",)},
            True,
        ),
        (
            "https://notexample.com",
            {"passkey_rp_id": "example.com", "passkey_origins": ("https://omnify.example.com",)},
            False,
        ),
    ],
)
def test_passkeys_are_bound_to_the_public_address_in_production(
    public: str, given: dict[str, Any], accepted: bool
) -> None:
    production: dict[str, Any] = {"environment": "production", "dapr_api_token": "x", "app_api_token": "x"}
    if accepted:
        assert AuthSettings(public_url=public, **production, **given).passkey_rp_id == "example.com"
    else:
        with pytest.raises(ValidationError, match="AUTH_PASSKEY"):
            AuthSettings(public_url=public, **production, **given)


def test_defaults_are_safe() -> None:
    os.environ.pop("AUTH_HASH_MEMORY_KIB", None)
    assert AuthSettings(environment="production", dapr_api_token="x", app_api_token="x").hash_memory_kib == 19_456
