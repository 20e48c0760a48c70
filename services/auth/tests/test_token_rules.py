"""What stands in a token, when access ends, and how refresh tokens follow each other: rules alone."""

import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from omnify_auth.access import access_changed, cut_of, has_ended, sessions_ended
from omnify_auth.events import AccessChanged
from omnify_auth.guard import Ladder
from omnify_auth.records import Guard, Membership, PasswordHash, ResourceGrant, Session, Spent, User
from omnify_auth.refresh import RefreshTokens, judge
from omnify_auth.service.grants import ROOM
from omnify_auth.settings import AuthSettings
from omnify_auth.system_roles import SYSTEM_ROLES
from omnify_auth.tokens import AccessToken, AccessTokens, App, grants_claim
from omnify_auth.vault import decode, derive, encode
from omnify_shared.events import EventData
from omnify_shared.identity import MAX_TOKEN
from omnify_shared.ids import new_id
from omnify_shared.permissions import PERMISSIONS, ROLES
from omnify_shared.revocations import Cut

NOW = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)
START = int(NOW.timestamp())
SESSION = Session(
    session_id="01a22031-62a3-7011-aa65-f7af58f2f401",
    user_id="u",
    organization_id="o",
    amr=("pwd", "otp"),
    signed_in_at=NOW - timedelta(hours=1),
    expires_at=NOW + timedelta(hours=23),
    idle_expires_at=NOW + timedelta(hours=1),
    digest="d" * 64,
    spent=None,
    ended_at=None,
    ended_because=None,
)


class Ring:
    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())

    async def signer(self) -> tuple[str, ec.EllipticCurvePrivateKey]:
        return "k7", self.key


def tokens() -> AccessTokens:
    return AccessTokens(Ring(), timedelta(minutes=5))  # type: ignore[arg-type]


def read(token: AccessToken | str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header, and claims without the token's own id."""
    text = token if isinstance(token, str) else token.text
    claims = jwt.decode(text, options={"verify_signature": False})
    return jwt.get_unverified_header(text), claims


def with_changes(**fields: Any) -> Session:
    return SESSION.model_copy(update=fields)


def grant(number: int = 17, *permissions: str, ends: timedelta = timedelta(days=1)) -> ResourceGrant:
    return ResourceGrant(
        resource_type="campaign",
        resource_id=str(number),
        permissions=permissions or ("campaign:edit", "campaign:publish"),
        expires_at=NOW + ends,
        given_by="a",
    )


async def test_what_stands_in_a_token() -> None:
    made = await tokens().issue(
        SESSION, ("manager", "r1"), NOW, permissions={"org:billing", "agent:view"}, grants=(grant(),)
    )
    header, claims = read(made)
    assert header == {"alg": "ES256", "kid": "k7", "typ": "at+jwt"}
    assert str(UUID(claims.pop("jti")))
    assert claims == {
        "iss": "omnify",
        "aud": "omnify",
        "sub": "u",
        "client_id": "omnify",
        "org": "o",
        "sid": SESSION.session_id,
        "roles": ["manager", "r1"],
        "iat": START,
        "exp": START + 300,
        "auth_time": START - 3600,
        "amr": ["pwd", "otp"],
        "perms": ["agent:view", "org:billing"],
        "grants": {"campaign/17": ["edit publish", START + 86400]},
    }
    assert (made.expires_in, made.limited) == (300, False)


async def test_what_is_empty_is_left_out() -> None:
    made = await tokens().issue(SESSION, (), NOW, grants=(grant(ends=timedelta(0)), grant(18, ends=-timedelta(days=1))))
    assert not {"perms", "grants", "scope", "parent_sid", "mfa_enrolment_required"} & read(made)[1].keys()


async def test_who_must_enrol_gets_no_rights() -> None:
    made = await tokens().issue(SESSION, ("owner",), NOW, permissions={"org:admin"}, grants=(grant(),), limited=True)
    claims = read(made)[1]
    assert (claims["roles"], claims["mfa_enrolment_required"], made.limited) == ([], True, True)
    assert not {"perms", "grants"} & claims.keys()


async def test_an_apps_session_names_app_scope_and_parent() -> None:
    session = with_changes(client_id="app", scope=("openid", "analytics:view"), parent_id="p")
    claims = read(await tokens().issue(session, ("viewer",), NOW))[1]
    assert (claims["client_id"], claims["scope"], claims["parent_sid"]) == ("app", "openid analytics:view", "p")


async def test_when_the_user_proved_who_they_are() -> None:
    stepped_up = with_changes(authenticated_at=NOW - timedelta(minutes=3))
    assert read(await tokens().issue(stepped_up, (), NOW))[1]["auth_time"] == START - 180


@pytest.mark.parametrize(
    ("changed", "issued"),
    [
        (None, START),
        (NOW - timedelta(days=1), START),
        (NOW, START + 1),
        (NOW.replace(microsecond=0), START),
        (NOW + timedelta(seconds=3), START + 4),
    ],
)
async def test_a_token_is_of_the_time_after_a_change(changed: datetime | None, issued: int) -> None:
    made = await tokens().issue(SESSION, (), NOW, changed_at=changed)
    claims = read(made)[1]
    assert claims["iat"] == issued
    assert made.expires_in == claims["exp"] - issued == START + 300 - issued
    of_app = await tokens().issue_to(app(changed_at=changed), NOW)
    claims = read(of_app)[1]
    assert claims["iat"] == issued
    assert of_app.expires_in == START + 300 - issued


async def test_a_token_ends_with_its_session() -> None:
    made = await tokens().issue(with_changes(expires_at=NOW + timedelta(seconds=20)), (), NOW)
    assert (read(made)[1]["exp"], made.expires_in) == (START + 20, 20)


def app(**fields: Any) -> App:
    known: dict[str, Any] = {
        "subject": "u", "client_id": "c", "organization_id": "o", "session_id": "k", "roles": ("viewer",),
        "scope": ("analytics:view", "org:admin"), "changed_at": None,
    }  # fmt: skip
    return App(**(known | fields))


async def test_what_stands_in_the_token_of_an_app() -> None:
    made = await tokens().issue_to(app(permissions=frozenset({"org:billing", "agent:view"})), NOW)
    header, claims = read(made)
    assert header == {"alg": "ES256", "kid": "k7", "typ": "at+jwt"}
    assert str(UUID(claims.pop("jti")))
    assert claims == {
        "iss": "omnify",
        "aud": "omnify",
        "sub": "u",
        "client_id": "c",
        "org": "o",
        "sid": "k",
        "roles": ["viewer"],
        "scope": "analytics:view org:admin",
        "iat": START,
        "exp": START + 300,
        "perms": ["agent:view", "org:billing"],
    }
    assert (made.expires_in, made.limited) == (300, False)
    assert "perms" not in read(await tokens().issue_to(app(), NOW))[1]


async def test_an_id_token_is_of_another_type() -> None:
    header, claims = read(await tokens().id_token({"sub": "u", "aud": "c", "nonce": "n"}))
    assert header == {"alg": "ES256", "kid": "k7", "typ": "JWT"}
    assert claims == {"sub": "u", "aud": "c", "nonce": "n"}


async def test_the_largest_token_that_can_come_about_is_taken() -> None:
    """Ten roles with all permissions, and as much granted as there is room for."""
    grants: list[ResourceGrant] = []
    while len(str(grants_claim([*grants, grant(10**63 + len(grants))]))) <= ROOM:
        grants.append(grant(10**63 + len(grants)))
    session = with_changes(
        session_id=new_id(), user_id=new_id(), organization_id=new_id(), client_id=new_id(), parent_id=new_id(),
        amr=("pwd", "pop", "user", "otp", "mfa"), scope=(),
    )  # fmt: skip
    roles = tuple(new_id() for _ in range(10))
    made = await tokens().issue(session, roles, NOW, permissions=PERMISSIONS, grants=grants)
    assert len(made.text) <= MAX_TOKEN


def user(**fields: Any) -> User:
    known: dict[str, Any] = {
        "user_id": "u", "email": "a@b.example", "full_name": "A", "verification_id": "v", "created_at": NOW,
        "password": PasswordHash(encoded="x", pepper=1), "verified_at": NOW,
        "memberships": (Membership(organization_id="o", roles=("owner",)),),
    }  # fmt: skip
    return User(**(known | fields))


def test_a_change_of_access_is_told_in_whole_seconds() -> None:
    told: list[EventData] = []
    fields = access_changed(user(), told.append, NOW, organization_id="o", kept="k")
    whole = NOW.replace(microsecond=0) + timedelta(seconds=1)
    assert fields == {"access_changed_at": NOW}
    assert told == [AccessChanged(user_id="u", organization_id="o", before=whole, kept_session_id="k")]
    told.clear()
    access_changed(user(), told.append, whole)
    assert told == [AccessChanged(user_id="u", organization_id=None, before=whole, kept_session_id=None)]


@pytest.mark.parametrize(
    ("last", "at"),
    [
        (NOW - timedelta(seconds=1), NOW),
        (NOW.replace(microsecond=100), NOW.replace(microsecond=0) + timedelta(seconds=2)),
        (NOW.replace(microsecond=0), NOW),
        (NOW + timedelta(seconds=5), NOW.replace(microsecond=0) + timedelta(seconds=7)),
    ],
)
def test_two_changes_in_one_second_are_two(last: datetime, at: datetime) -> None:
    told: list[EventData] = []
    assert access_changed(user(access_changed_at=last), told.append, NOW)["access_changed_at"] == at


def test_sessions_end_but_the_kept_one() -> None:
    told: list[EventData] = []
    fields = sessions_ended(user(), told.append, NOW, kept="k")
    assert fields == {"access_changed_at": NOW, "sessions_from": NOW, "kept_session_id": "k"}
    [event] = told
    assert isinstance(event, AccessChanged)
    assert (event.organization_id, event.kept_session_id) == (None, "k")
    after = user(**fields)
    before, later = NOW - timedelta(microseconds=1), NOW
    assert has_ended(with_changes(signed_in_at=before), after)
    assert not has_ended(with_changes(signed_in_at=later), after)
    assert not has_ended(with_changes(signed_in_at=before, session_id="k"), after)
    assert not has_ended(with_changes(signed_in_at=before), user())
    whole = NOW.replace(microsecond=0) + timedelta(seconds=1)
    assert cut_of(after) == Cut(before=whole, kept="k")
    assert cut_of(user()) == Cut(before=whole, kept=None), "as old as the account"


def test_the_parts_of_a_refresh_token() -> None:
    made, key = RefreshTokens(b"r" * 32), b"r" * 32
    first = made.first(SESSION.session_id)
    assert first.session_id == SESSION.session_id
    assert len(first.secret) == 32
    assert first.text.startswith("omr1_")
    body = UUID(SESSION.session_id).bytes + first.secret
    tag = hmac.digest(derive(key, "refresh tag"), body, "sha256")[:16]
    assert decode(first.text.removeprefix("omr1_")) == body + tag
    following = made.successor(first)
    assert following.secret == hmac.digest(derive(key, "refresh successor"), body, "sha256")
    assert following.session_id == first.session_id
    assert made.successor(first) == following
    assert made.read(following.text) == following


def test_what_is_no_refresh_token() -> None:
    made = RefreshTokens(b"r" * 32)
    good = made.first(SESSION.session_id)
    raw = decode(good.text.removeprefix("omr1_"))
    assert made.read(good.text) == good
    wrong = [
        good.text.removeprefix("omr1_"),
        "omr1_omr1_" + good.text.removeprefix("omr1_"),
        "omr1_" + encode(raw[:-1]),
        "omr1_" + encode(raw + b"x"),
        "omr1_" + encode(raw[:-16] + bytes(16)),
        "omr1_" + encode(bytes([raw[0] ^ 1]) + raw[1:]),
        "omr1_§",
        "",
        good.text + "=",
    ]
    assert [text for text in wrong if made.read(text) is not None] == []
    assert RefreshTokens(b"s" * 32).read(good.text) is None


def test_the_verdict_on_a_refresh_token_at_its_very_edges() -> None:
    grace = timedelta(seconds=10)
    spent = with_changes(spent=Spent(digest="e" * 64, at=NOW - grace))
    assert judge(spent, "d" * 64, NOW, grace) == "rotate"
    assert judge(spent, "e" * 64, NOW, grace) == "repeat"
    assert judge(spent, "e" * 64, NOW + timedelta(microseconds=1), grace) == "reused"
    assert judge(spent, "f" * 64, NOW, grace) == "reused"
    assert judge(SESSION, "f" * 64, NOW, grace) == "reused"
    for over in ({"ended_at": NOW}, {"expires_at": NOW}, {"idle_expires_at": NOW}):
        assert judge(with_changes(**over), "d" * 64, NOW, grace) == "ended"
    for not_yet in ("expires_at", "idle_expires_at"):
        assert judge(with_changes(**{not_yet: NOW + timedelta(microseconds=1)}), "d" * 64, NOW, grace) == "rotate"


def test_the_ladder_is_that_of_the_settings() -> None:
    settings = AuthSettings(
        environment="development", dapr_http_port=1, dapr_grpc_port=2, guesses_free=3,
        guesses_wait=timedelta(seconds=7), guesses_longest_wait=timedelta(minutes=2), guesses_ceiling=9,
    )  # fmt: skip
    ladder = Ladder.of(settings)
    assert ladder == Ladder(3, timedelta(seconds=7), timedelta(minutes=2), 9)
    waits = [ladder.wait_after(failures).total_seconds() for failures in range(10)]
    assert waits == [0, 0, 0, 7, 14, 28, 56, 112, 120, 120]
    assert ladder.wait_after(10**6) == timedelta(minutes=2)
    long = Ladder(0, timedelta(microseconds=1), timedelta(days=10**6), 10**9)
    assert long.wait_after(32) == long.wait_after(33) == timedelta(microseconds=2**32)
    assert long.wait_after(31) == timedelta(microseconds=2**31)
    assert ladder.remaining(None, NOW) == timedelta(0)
    assert ladder.remaining(Guard(failures=3, last_failed_at=NOW), NOW) == timedelta(seconds=7)
    assert ladder.remaining(Guard(failures=3, last_failed_at=NOW - timedelta(seconds=8)), NOW) == timedelta(0)
    closed = Guard(failures=9, last_failed_at=NOW - timedelta(days=40))
    assert ladder.remaining(closed, NOW) == timedelta(minutes=2)
    assert ladder.remaining(closed.model_copy(update={"failures": 8}), NOW) == timedelta(0)


def test_the_five_roles_are_described() -> None:
    assert [role.role_id for role in SYSTEM_ROLES] == list(ROLES)
    for role in SYSTEM_ROLES:
        assert role.permissions == tuple(sorted(ROLES[role.role_id]))
        assert role.description.endswith(".")
