"""What a verified token says about its caller, and what the dependencies of routes make of it: rules alone."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.requests import Request

from omnify_shared import clock, context, identity
from omnify_shared.identity import Grant, Identity, Principal
from omnify_shared.permissions import PERMISSIONS, ROLES, permissions_of
from omnify_shared.problems import Forbidden, Problem, Unauthorized
from support.tokens import Signer

CLAIMS: dict[str, Any] = {
    "sub": "u", "org": "o", "sid": "s", "client_id": "omnify", "roles": ["viewer"], "iat": 1_700_000_000,
    "exp": 1_700_000_300, "jti": "j",
}  # fmt: skip


def principal(**claims: Any) -> Principal:
    return identity._principal(CLAIMS | claims, "text")


def said(problem: Problem) -> tuple[int, str, str, str]:
    return problem.status, problem.type, problem.title, problem.detail


def test_all_that_a_token_says() -> None:
    found = principal(
        roles=["viewer", "manager"], amr=["pwd", "otp"], auth_time=1_699_999_000, parent_sid="p",
        grants={"campaign/17": ["edit publish", 1_700_000_200], "agent/x/y": ["execute", 1_700_000_100]},
    )  # fmt: skip
    assert found == Principal(
        user_id="u",
        organization_id="o",
        session_id="s",
        roles=("viewer", "manager"),
        permissions=ROLES["manager"],
        issued_at=datetime.fromtimestamp(1_700_000_000, UTC),
        expires_at=datetime.fromtimestamp(1_700_000_330, UTC),
        token="text",
        authenticated_at=datetime.fromtimestamp(1_699_999_000, UTC),
        amr=("pwd", "otp"),
        client_id="omnify",
        scopes=None,
        parent_session_id="p",
        limited=False,
        grants=(
            Grant(
                frozenset({"campaign:edit", "campaign:publish"}), "17", datetime.fromtimestamp(1_700_000_200, UTC)
            ),
            Grant(frozenset({"agent:execute"}), "x/y", datetime.fromtimestamp(1_700_000_100, UTC)),
        ),
    )  # fmt: skip


def test_what_a_token_does_not_say() -> None:
    found = principal()
    assert (found.amr, found.parent_session_id, found.limited, found.grants) == ((), None, False, ())
    assert found.authenticated_at == datetime.fromtimestamp(0, UTC)
    assert found.permissions == ROLES["viewer"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"sub": ""}, {"org": 5}, {"sid": None}, {"roles": "owner"}, {"roles": [""]}, {"roles": [5]},
        {"exp": "soon"}, {"exp": 0}, {"exp": -1}, {"exp": 2**33}, {"exp": None},
        {"client_id": 5}, {"client_id": "app", "scope": ["a"]},
    ],
    ids=str,
)  # fmt: skip
def test_a_token_that_says_it_wrong_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(Unauthorized) as caught:
        principal(**wrong)
    assert caught.value.detail == "the access token is not valid"


def test_the_last_moment_that_a_token_may_name() -> None:
    assert principal(exp=2**33 - 1).expires_at == datetime.fromtimestamp(2**33 - 1 + 30, UTC)
    assert principal(exp=1).expires_at == datetime.fromtimestamp(31, UTC)
    assert principal(exp=1.9).expires_at == datetime.fromtimestamp(31, UTC)


@pytest.mark.parametrize(
    ("claim", "seconds"),
    [(1, 1), (5.9, 5), (0, 0), (-5, 0), (2**33, 0), (2**33 - 1, 2**33 - 1), (True, 0), ("7", 0), (None, 0)],
)
def test_when_the_user_proved_who_they_are(claim: Any, seconds: int) -> None:
    assert principal(auth_time=claim).authenticated_at == datetime.fromtimestamp(seconds, UTC)


@pytest.mark.parametrize(("claim", "limited"), [(True, True), (False, False), ("no", True), (None, True), (0, True)])
def test_anything_but_false_holds_a_session_back(claim: Any, limited: bool) -> None:
    assert principal(mfa_enrolment_required=claim).limited is limited


def test_permissions_come_from_roles_and_from_the_organisations_own() -> None:
    own = principal(roles=["r1"], perms=["org:billing", "made:up"])
    assert own.permissions == {"org:billing"}
    assert principal(roles=["viewer"], perms=["org:billing"]).permissions == ROLES["viewer"] | {"org:billing"}
    assert principal(roles=[], perms="org:billing").permissions == frozenset()
    assert principal(roles=["nobody"]).permissions == permissions_of(["nobody"]) == frozenset()


def test_an_app_acts_within_its_scopes() -> None:
    own_name = principal(sub="app", client_id="app", roles=[], scope="org:admin openid made:up")
    assert own_name.permissions == {"org:admin"}
    assert own_name.scopes == frozenset({"org:admin", "openid", "made:up"})
    for_user = principal(client_id="app", roles=["viewer"], scope="org:admin analytics:view")
    assert for_user.client_id == "app"
    assert for_user.permissions == {"analytics:view"}
    without = principal(client_id="app", roles=["owner"])
    assert (without.permissions, without.scopes) == (frozenset(), frozenset())
    granted = principal(client_id="app", scope="campaign:edit", grants={"campaign/1": ["edit", 2**32]})
    assert granted.grants == (), "what was granted to a user is not an app's"
    assert principal(scope="analytics:view").scopes is None, "people's own sign-ins have no scopes"


def test_grants_are_for_one_resource_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.fromtimestamp(1_700_000_000, UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    found = principal(roles=[], grants={"campaign/17": ["edit", 1_700_000_001], "campaign/18": ["view", 1_700_000_000]})
    assert found.may("campaign:edit", "17")
    assert not found.may("campaign:edit", "18")
    assert not found.may("campaign:view", "17")
    assert not found.may("campaign:view", "18"), "it has just ended"
    assert not found.may("campaign:edit")
    assert not found.may("agent:edit", "17")
    assert principal(roles=["manager"]).may("campaign:edit", "any")
    assert principal(roles=[], grants="all").grants == ()
    assert principal(roles=[], grants={"campaign/1": ["fly", 2**32]}).grants[0].permissions == frozenset()


def test_texts_of_the_refusals() -> None:
    outdated = identity.TokenOutdated()
    assert said(outdated) == (
        401, "token-outdated", "The access token is out of date",
        "refresh the token: what its user may do has changed",
    )  # fmt: skip
    again = identity.ReauthenticationRequired()
    assert said(again) == (
        401, "reauthentication-required", "Confirm who you are", "sign in again, or step up: POST /api/auth/step-up"
    )  # fmt: skip
    assert again.extensions == {"max_age": 600}
    assert again.headers == {"WWW-Authenticate": 'Bearer error="insufficient_user_authentication", max_age=600'}
    assert said(identity.EnrolmentRequired()) == (
        403, "mfa-enrolment-required", "Set up a second factor first",
        "the organisation asks for it: POST /api/mfa/totp/setup, then refresh the token",
    )  # fmt: skip
    assert said(identity.NotForApps()) == (
        403, "not-for-apps", "Apps may not do this",
        "sign in as a person: the token was given to an app or an API key",
    )  # fmt: skip


class Nothing:
    """Revocations that can be told what has ended."""

    def __init__(self) -> None:
        self.ended: set[str] = set()
        self.old: set[str] = set()

    def revoked(self, session_id: str) -> bool:
        return session_id in self.ended

    def outdated(self, user_id: str, session_id: str, issued_at: datetime) -> bool:
        assert issued_at <= clock.now()
        assert session_id
        return user_id in self.old


class Asked:
    """A request to an app that takes tokens of `signer`."""

    def __init__(self) -> None:
        self.signer, self.nothing = Signer(), Nothing()
        self.identity = Identity(self.signer.source, self.nothing)  # type: ignore[arg-type]

    def request(self, *headers: tuple[str, str], path: dict[str, str] | None = None) -> Request:
        class App:
            class state:
                class platform:
                    identity = self.identity

        raw = [(name.encode(), value.encode()) for name, value in headers]
        return Request({"type": "http", "headers": raw, "app": App, "path_params": path or {}})

    def bearing(self, path: dict[str, str] | None = None, **claims: Any) -> Request:
        return self.request(("authorization", f"Bearer {self.signer.token(**claims)}"), path=path)


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("BEARER abc def", "abc def")],
)
def test_a_bearer_token(asked: Asked, header: str, token: str) -> None:
    assert identity.bearer_token(asked.request(("authorization", header))) == token


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer   ", "Basic abc", "abc"])
def test_what_is_no_bearer_token(asked: Asked, header: str) -> None:
    for request in (asked.request(("authorization", header)), asked.request()):
        with pytest.raises(Unauthorized) as caught:
            identity.bearer_token(request)
        assert caught.value.detail == "send an access token: Authorization: Bearer …"


async def test_who_is_let_through_by_which_dependency(asked: Asked) -> None:
    people = asked.bearing(sub="u")
    app = asked.bearing(sub="u", client_id="app", scope="analytics:view")
    limited = asked.bearing(sub="u", mfa_enrolment_required=True)
    for check in (identity.scoped_principal, identity.limited_principal, identity.current_principal):
        assert (await check(people)).user_id == "u"
    assert (await identity.scoped_principal(app)).client_id == "app"
    assert (await identity.limited_principal(limited)).limited
    for check, request, refusal in (
        (identity.scoped_principal, limited, identity.EnrolmentRequired),
        (identity.current_principal, limited, identity.EnrolmentRequired),
        (identity.limited_principal, app, identity.NotForApps),
        (identity.current_principal, app, identity.NotForApps),
    ):
        with pytest.raises(refusal):
            await check(request)


async def test_who_asks_is_noted_for_events(asked: Asked) -> None:
    with context.entered(context.RequestContext("r", "t", "auth", "203.0.113.9")):
        await identity.scoped_principal(asked.bearing(sub="u", amr=["pwd", "otp"]))
        noted = context.current()
        assert noted.caller == context.Caller("user", "u", ("pwd", "otp"))
        assert (noted.request_id, noted.traceparent, noted.authorization) == ("r", "t", "auth")
        assert noted.forwarded_for == "203.0.113.9"
        await identity.scoped_principal(asked.bearing(sub="app", client_id="app", amr=[]))
        assert context.current().caller == context.Caller("service_account", "app", ())


async def test_a_fresh_proof_lasts_ten_minutes(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.now()
    found = await identity.current_principal(asked.bearing())
    monkeypatch.setattr(clock, "now", lambda: now)
    just, over = now - timedelta(seconds=600), now - timedelta(seconds=600, microseconds=1)
    for check in (identity.fresh, identity.fresh_limited):
        still = replace(found, authenticated_at=just)
        assert await check(still) is still
        with pytest.raises(identity.ReauthenticationRequired):
            await check(replace(found, authenticated_at=over))


async def test_a_permission_opens_a_route_or_a_grant_its_one_resource(asked: Asked) -> None:
    check = identity.allowed("campaign:edit")
    assert check.permission == "campaign:edit"  # type: ignore[attr-defined]
    manager = await identity.scoped_principal(asked.bearing(roles=["manager"]))
    assert await check(asked.request(), manager) is manager
    ends = int(time.time()) + 60
    granted = await identity.scoped_principal(asked.bearing(grants={"campaign/17": ["edit", ends]}))
    one = identity.allowed("campaign:edit", "campaign_id")
    assert await one(asked.request(path={"campaign_id": "17"}), granted) is granted
    for checked, request in ((check, asked.request()), (one, asked.request(path={"campaign_id": "18"}))):
        with pytest.raises(Forbidden) as caught:
            await checked(request, granted)
        assert caught.value.detail == "this needs the permission campaign:edit"
        assert caught.value.extensions == {"permission": "campaign:edit"}


async def test_a_peers_route_wants_exactly_one_name_of_its_list(asked: Asked) -> None:
    check = identity.require_caller("email", "gateway")
    assert check.callers == ("email", "gateway")  # type: ignore[attr-defined]
    for name in ("email", "gateway"):
        await check(asked.request(("dapr-caller-app-id", name)))
    for names in ((), ("auth",), ("email", "email"), ("auth", "email"), ("email", "auth"), ("Email",)):
        with pytest.raises(Forbidden) as caught:
            await check(asked.request(*(("dapr-caller-app-id", name) for name in names)))
        assert caught.value.detail == "only email, gateway may call this"


async def test_what_has_ended_is_refused_whenever_it_is_asked(asked: Asked) -> None:
    token = asked.signer.token(sub="u", client_id="app", sid="s", parent_sid="p", scope="a")
    assert (await asked.identity.verify(token)).session_id == "s"
    for ended in ("s", "p"):
        asked.nothing.ended = {ended}
        with pytest.raises(Unauthorized) as caught:
            await asked.identity.verify(token)
        assert caught.value.detail == "the session has ended"
    asked.nothing.ended = {""}
    with pytest.raises(Unauthorized):
        await asked.identity.verify(asked.signer.token())  # no parent: as the empty name
    asked.nothing.ended = set()
    for old in ("u", "app"):
        asked.nothing.old = {old}
        with pytest.raises(identity.TokenOutdated):
            await asked.identity.verify(token)
    asked.nothing.old = {"omnify"}
    with pytest.raises(identity.TokenOutdated):
        await asked.identity.verify(asked.signer.token())


async def test_length_and_time_of_a_token_are_bounded(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    for length, detail in ((4097, "the access token is too long"), (4096, "not an access token")):
        with pytest.raises(Unauthorized) as caught:
            await asked.identity.verify("x" * length)
        assert caught.value.detail == detail
    token = asked.signer.token(lives=60)
    ends = (await asked.identity.verify(token)).expires_at
    monkeypatch.setattr(clock, "now", lambda: ends - timedelta(microseconds=1))
    assert await asked.identity.verify(token)
    monkeypatch.setattr(clock, "now", lambda: ends)
    with pytest.raises(Unauthorized) as caught:
        await asked.identity.verify(token)
    assert caught.value.detail == "the access token has expired"


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ({"typ": "JWT"}, "not an access token"),
        ({"typ": None}, "not an access token"),
        ({"alg": "none"}, "not an access token of this platform"),
        ({"kid": 5}, "not an access token"),
        ({"kid": None}, "not an access token of this platform"),
    ],
    ids=str,
)
def test_a_header_that_is_not_ours(asked: Asked, header: dict[str, Any], detail: str) -> None:
    import base64
    import json

    ours = {"typ": "at+jwt", "alg": "ES256", "kid": "k1"} | header
    made = {name: value for name, value in ours.items() if value is not None}
    encoded = base64.urlsafe_b64encode(json.dumps(made).encode()).rstrip(b"=").decode()
    with pytest.raises(Unauthorized) as caught:
        identity._checked_header(f"{encoded}.e30.c2ln")
    assert caught.value.detail == detail


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt"])
async def test_ways_to_write_the_type(asked: Asked, kind: str) -> None:
    assert await asked.identity.verify(asked.signer.token(header={"typ": kind}))


async def test_of_headers_and_tokens_a_bounded_number_is_remembered(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "CACHED_HEADERS", 2)
    monkeypatch.setattr(identity, "CACHED_TOKENS", 2)
    for number in range(3):
        asked.signer.add(f"n{number}")
    tokens = [asked.signer.token(f"n{number}") for number in range(3)]
    known = [await asked.identity.verify(token) for token in tokens]
    assert len(asked.identity._headers) == 1
    assert sorted(asked.identity._headers.values()) == ["n2"]
    assert len(asked.identity._verified) == 2
    assert await asked.identity.verify(tokens[2]) is known[2]
    assert await asked.identity.verify(tokens[1]) is known[1]
    assert await asked.identity.verify(tokens[0]) is not known[0], "the oldest was forgotten"


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp", "iat", "jti", "client_id", "org", "sid", "roles"])
async def test_every_claim_is_needed(asked: Asked, name: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        await asked.identity.check(asked.signer.token(without=(name,)))
    assert caught.value.detail == "the access token is not valid"


async def test_issuer_audience_and_times_are_checked(asked: Asked) -> None:
    now = int(time.time())
    for claims, detail in (
        ({"iss": "other"}, "the access token is not valid"),
        ({"aud": "other"}, "the access token is not valid"),
        ({"exp": now - 31}, "the access token has expired"),
        ({"iat": now + 60}, "the access token is not valid yet: the clocks here and at its issuer differ"),
    ):
        with pytest.raises(Unauthorized) as caught:
            await asked.identity.check(asked.signer.token(**claims))
        assert caught.value.detail == detail
    assert await asked.identity.check(asked.signer.token(exp=now - 20, iat=now + 20))


def test_the_figures_are_those_that_are_written_down() -> None:
    assert (identity.LEEWAY, identity.MAX_TOKEN, identity.MAX_AUTH_AGE) == (30, 4096, 600)
    assert (identity.CACHED_TOKENS, identity.CACHED_HEADERS) == (4096, 64)
    assert len(PERMISSIONS) == 31


async def test_keys_are_asked_for_once_by_many(asked: Asked) -> None:
    tokens = [asked.signer.token() for _ in range(20)]
    await asyncio.gather(*(asked.identity.verify(token) for token in tokens))
    assert asked.signer.fetches == 1
