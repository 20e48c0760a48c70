"""The analytics service as a process beside a real daprd, with a stand-in for auth that publishes keys."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2 as httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from omnify_local.ports import free_port
from omnify_local.processes import Process
from omnify_shared.testing import ExtraApp, Home, Peer, Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home

JSON = dict[str, Any]
SAMPLE_OPTIONS: JSON = {
    "delimiter": "whitespace",
    "has_header": False,
    "date_format": "%Y%m%d",
    "currency": "USD",
    "columns": {"customer_id": 0, "ordered_at": 2, "amount": 4, "quantity": 3},
}


class Issuer:
    """Signs access tokens and publishes the key, as auth does."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        public = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        self.jwks = {"keys": [public | {"kid": "test", "use": "sig", "alg": "ES256"}]}

    def token(self, organization_id: str, *roles: str) -> str:
        now = int(time.time())
        claims = {
            "iss": "omnify", "aud": "omnify", "sub": str(uuid4()), "client_id": "omnify", "org": organization_id,
            "sid": str(uuid4()), "roles": list(roles), "iat": now, "exp": now + 300, "jti": str(uuid4()),
        }  # fmt: skip
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": "test", "typ": "at+jwt"})


@dataclass
class Analytics:
    """The service and its sidecar; `client` calls it as its sidecar would."""

    home: Home
    issuer: Issuer
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: Process | None = None
    tenants: list["Tenant"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.keys = Peer(self.issuer.jwks)
        self.auth = Sidecar(self.home, "auth", app_port=self.keys.port).start()
        self.sidecar = Sidecar(self.home, "analytics", app_port=self.port).start()
        self.start()

    def start(self) -> None:
        arguments = ["-m", "uvicorn", "--factory", "omnify_analytics.app:create_app", "--host", "127.0.0.1"]
        self.process = Process(
            "analytics",
            [sys.executable, *arguments, "--port", str(self.port), "--no-access-log"],
            log=self.home.logs / "analytics.log",
            env={
                **self.sidecar.app_environment,
                "OMNIFY_ENVIRONMENT": "test",
                "OMNIFY_FAULT_POINT": str(self._orders),
                **self.settings,
            },
        )
        self.process.wait_until(self._ready, timeout=30)

    @property
    def _orders(self) -> Path:
        return self.home.path / "analytics.die"

    def die_at(self, point: str, *, passing: int = 1) -> None:
        """Have it kill itself when it comes to this point for the given time (see omnify_shared/faults.py)."""
        self._orders.write_text(f"{point} {passing}")

    def wait_for_death(self) -> None:
        """Wait until it has died of `die_at`."""
        assert self.process is not None
        deadline = time.monotonic() + 60
        while self.process.running:
            assert time.monotonic() < deadline, "it did not come to the point"
            time.sleep(0.02)
        self.process.kill()

    def _ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=1).is_success
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.sidecar.terminate()
        self.auth.terminate()
        self.keys.stop()
        for tenant in self.tenants:
            tenant.client.close()

    def tenant(self, *roles: str, organization_id: str | None = None) -> "Tenant":
        organization_id = organization_id or str(uuid4())
        made = Tenant(self, organization_id, self.issuer.token(organization_id, *(roles or ("owner",))))
        self.tenants.append(made)
        return made


@dataclass
class Tenant:
    """Calls the API as a user of one organisation."""

    service: Analytics
    organization_id: str
    token: str

    def __post_init__(self) -> None:
        self.client = httpx.Client(
            base_url=f"http://127.0.0.1:{self.service.port}/api/analytics",
            headers={"dapr-api-token": self.service.home.app_api_token, "authorization": f"Bearer {self.token}"},
            timeout=60,
        )

    def upload(self, content: bytes, options: JSON | str = SAMPLE_OPTIONS, name: str = "orders.csv") -> httpx.Response:
        text = options if isinstance(options, str) else json.dumps(options)
        return self.client.post("/imports/orders", files={"file": (name, content)}, data={"options": text})

    def done(self, import_id: str, timeout: float = 60) -> JSON:
        deadline = time.monotonic() + timeout
        while True:
            status: JSON = self.client.get(f"/imports/{import_id}").raise_for_status().json()
            if status["status"] in ("completed", "failed"):
                return status
            assert time.monotonic() < deadline, status
            time.sleep(0.02)

    def imported(self, content: bytes, options: JSON = SAMPLE_OPTIONS) -> JSON:
        answer = self.upload(content, options)
        assert answer.status_code == 202, answer.text
        return self.done(answer.json()["import_id"])

    def get(self, path: str, **params: str) -> JSON:
        answer = self.client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        body: JSON = answer.json()
        return body


@pytest.fixture
def new_peer(issuer: Issuer, new_sidecar: Callable[..., Sidecar]) -> Iterator[Callable[..., Peer]]:
    """`new_peer(home, app_id, topics)`: an app that listens, behind a sidecar of its own."""
    made: list[Peer] = []

    def make(home: Home, app_id: str, *topics: str) -> Peer:
        made.append(Peer(issuer.jwks, *topics))
        new_sidecar(home, app_id, app_port=made[-1].port).wait_for_app()
        return made[-1]

    yield make
    for peer in made:
        peer.stop()


NewAnalytics = Callable[..., Analytics]


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="session")
def analytics(
    backing: Backing, tmp_path_factory: pytest.TempPathFactory, set_name: str, issuer: Issuer
) -> Iterator[Analytics]:
    """One running service per component set; tests keep apart by organisation."""
    service = Analytics(make_home(backing, tmp_path_factory.mktemp("analytics") / "home", set_name), issuer)
    yield service
    service.stop()


@pytest.fixture
def new_analytics(backing: Backing, tmp_path: Path, set_name: str, issuer: Issuer) -> Iterator[NewAnalytics]:
    """A service of the test's own, which it may kill."""
    made: list[Analytics] = []

    def make(**settings: str) -> Analytics:
        listener = ExtraApp("listener", subscribes=("analytics-events",))
        home = make_home(backing, tmp_path / f"home{len(made)}", set_name, [listener])
        made.append(Analytics(home, issuer, {f"ANALYTICS_{name.upper()}": value for name, value in settings.items()}))
        return made[-1]

    yield make
    for service in made:
        service.stop()


@pytest.fixture
def tenant(analytics: Analytics) -> Tenant:
    """An owner in an organisation of its own."""
    return analytics.tenant()
