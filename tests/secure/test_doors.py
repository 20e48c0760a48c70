"""Forged callbacks, foreign tokens, foreign certificates and none at all: every door stays shut."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest
from cryptography import x509

from omnify_local.access.grants import routes_of
from omnify_local.daprd import Identity
from omnify_local.errors import LocalError
from omnify_local.ports import LOOPBACK, free_port
from omnify_local.sentry import Sentry
from omnify_shared.access import OPERATOR
from omnify_shared.edge import OPEN_PATHS
from omnify_shared.testing import Sidecar
from secure import apis
from secure.stage import Stage


def test_no_app_answers_to_anybody_but_its_sidecar(stage: Stage) -> None:
    """Events, subscriptions, internal routes, dead letters: forged with no token, a wrong one, or another app's."""
    for name, service in stage.platform.services.items():
        tokens = service.sidecar.tokens
        others = [one.sidecar.tokens.app for other, one in stage.platform.services.items() if other != name]
        routes = {(call.method, call.path) for call, _ in routes_of(stage.services[name])}
        routes |= {("POST", "/events/auth-events"), ("GET", "/dapr/subscribe"), ("GET", "/internal/anything")}
        if name == "gateway":
            routes = {(method, path) for method, path in routes if path.startswith(("/dapr/", "/metrics"))}
        with httpx.Client(base_url=service.url, timeout=20) as client:
            for method, path in sorted(routes):
                for forged in (None, "", "guess", tokens.api, others[0]):
                    headers = {} if forged is None else {"dapr-api-token": forged}
                    status = client.request(method, path, headers=headers).status_code
                    open_door = path in OPEN_PATHS
                    assert (status == 401) != open_door, f"{name} {method} {path}: {status}"


async def test_no_sidecar_answers_to_anybody_but_its_app(stage: Stage) -> None:
    for name, sidecar in stage.sidecars.items():
        foreign = [other.tokens.api for app, other in stage.sidecars.items() if app != name]
        forgeries: list[Mapping[str, str]] = [{}] + [
            {"dapr-api-token": one} for one in ("", "guess", sidecar.tokens.app, *foreign)
        ]
        async with apis.channel(sidecar) as channel, httpx.AsyncClient(base_url=sidecar.url, timeout=20) as client:
            for headers in forgeries:
                for path in ("/v1.0/metadata", "/v1.0/invoke/auth/method/api/auth/me", "/v1.0/state/statestore/k"):
                    assert (await client.get(path, headers=headers)).status_code == 401, (name, path)
                seen = await apis.answer(channel, "GetState", metadata=tuple(headers.items()))
                assert seen in {"UNAUTHENTICATED", "refused"}, (name, seen)


def test_everything_listens_on_loopback_only(stage: Stage) -> None:
    services = stage.platform.services.values()
    processes = [*(one.process for one in stage.sidecars.values()), *(one.process for one in services)]
    found = {
        item.laddr.ip
        for process in processes
        if process is not None
        for item in psutil.Process(process.pid).net_connections("tcp")
        if item.status == psutil.CONN_LISTEN
    }
    assert found == {LOOPBACK}


def test_sentry_opens_one_port_to_the_world_and_it_is_the_health_port(stage: Stage) -> None:
    """Upstream takes --healthz-listen-address and does not use it (1.18): goes red when that is mended."""
    assert stage.sentry.process is not None
    listening = psutil.Process(stage.sentry.process.pid).net_connections("tcp")
    open_ports = {item.laddr.port for item in listening if item.status == psutil.CONN_LISTEN}
    everywhere = {item.laddr.port for item in listening if item.laddr.ip != LOOPBACK}
    assert (open_ports, everywhere) == ({stage.sentry.port, stage.sentry.health_port}, {stage.sentry.health_port})


def test_keys_and_tokens_are_for_their_owner_alone(stage: Stage) -> None:
    files = [file for file in stage.sentry.folder.rglob("*") if file.is_file() and file.suffix != ".log"]
    assert {"issuer.key", "jwks.json"} <= {file.name for file in files}
    assert {file.name: oct(file.stat().st_mode & 0o777) for file in files} == {file.name: "0o600" for file in files}
    folders = {oct(file.parent.stat().st_mode & 0o777) for file in files}
    assert folders == {"0o700"}
    issuer_key = (stage.sentry.credentials / "issuer.key").read_text()
    for sidecar in stage.sidecars.values():
        assert sidecar.identity is not None
        assert issuer_key not in sidecar.identity.environment.values(), "a sidecar could sign for others"


def test_a_certificate_lives_an_hour_and_names_its_app(stage: Stage) -> None:
    """Sidecars show their certificate to whoever connects, and want one in return."""
    shown, answer = _greet(stage.sidecars["auth"].ports.internal)
    certificate = x509.load_der_x509_certificate(shown)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://public/ns/default/auth"]
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert 3600 <= lifetime.total_seconds() <= 3600 + 2 * 60
    assert answer == b"", "it talks to somebody without a certificate"


def _greet(port: int) -> tuple[bytes, bytes]:
    """Connects without a certificate: the other side's, and what it answers to a greeting."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((LOOPBACK, port), timeout=20) as raw,
        context.wrap_socket(raw) as connection,
    ):
        shown = connection.getpeercert(binary_form=True)
        assert shown is not None
        try:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            return shown, connection.recv(4096)
        except (ssl.SSLError, ConnectionError):
            return shown, b""


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sentry]:
    """Another root of trust, with the same names."""
    other = Sentry(tmp_path_factory.mktemp("other") / "sentry", free_port(), free_port())
    other.start()
    yield other
    other.stop()


@pytest.mark.timeout(240)
def test_only_a_certificate_of_ours_gets_a_call_through(stage: Stage, other_authority: Sentry) -> None:
    """The operator may read dead letters; the same sidecar without its certificate, or with another's, may not."""
    ours = stage.sentry.identity(OPERATOR)
    plain = Identity(ours.tokens, flags={}, environment={}, configurations=ours.configurations)
    cases = {
        "as it should be": (ours, {200}),
        "no certificate": (plain, {500}),
        "another root": (other_authority.identity(OPERATOR), {500}),
        "another namespace": (stage.sentry.identity(OPERATOR, namespace="other"), {403}),
    }
    with ExitStack() as stack:
        sidecars = {}
        for name, (identity, _) in cases.items():
            sidecars[name] = Sidecar(stage.home, OPERATOR, identity=identity)
            stack.callback(sidecars[name].kill)
            sidecars[name].launch()
        for name, sidecar in sidecars.items():
            sidecar.wait(90)
            headers = sidecar.headers | {"dapr-app-id": "auth" if name != "another namespace" else "auth.default"}
            answer = httpx.get(f"{sidecar.url}/dead-letters", headers=headers, timeout=60)
            assert answer.status_code in cases[name][1], f"{name}: {answer.status_code} {answer.text[:300]}"


@pytest.mark.timeout(180)
def test_the_authority_gives_nobody_another_name(stage: Stage, tmp_path: Path) -> None:
    """Without a token, or with one for another app, there is no certificate, and a daprd that wants one ends."""
    ours = stage.sentry.identity("auth-impostor", token_for="email")  # a token that says email
    bare = {name: value for name, value in ours.environment.items() if name != "DAPR_SENTRY_TOKEN_FILE"}
    for identity in (ours, replace(ours, environment=bare)):
        sidecar = Sidecar(stage.home, "auth-impostor", identity=identity)
        try:
            with pytest.raises(LocalError, match=r"sentry|PermissionDenied|certificate"):
                sidecar.start(timeout=60)
        finally:
            sidecar.kill()
