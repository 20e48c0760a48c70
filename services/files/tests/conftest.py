"""The files service as a process beside a real daprd and a real clamd, with a stand-in for auth that publishes keys."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from omnify_local.errors import LocalError
from omnify_local.ports import free_port
from omnify_shared.ids import new_id
from omnify_shared.testing import ExtraApp, Home, Peer, Sidecar
from omnify_shared.testing.backing import Backing
from omnify_shared.testing.plugin import make_home
from omnify_shared.testing.service import Service
from support.tokens import Signer
from support.uploads import CHUNK, TUS, UPLOADS, metadata, wait_for

JSON = dict[str, Any]
LISTENER = "listener"


class Files:
    """The service, its sidecar, auth's stand-in and a listener to its events. Tests keep apart by organisation."""

    def __init__(self, home: Home, clamd_url: str | None, **settings: str) -> None:
        self.home, self.signer = home, Signer()
        jwks = self.signer.document()
        self.auth, self.listener = Peer(jwks), Peer(jwks, "files-events")
        self.sidecars = [Sidecar(home, "auth", app_port=self.auth.port)]
        self.sidecars.append(Sidecar(home, LISTENER, app_port=self.listener.port))
        self.service = Service(Sidecar(home, "files", app_port=free_port(), max_body_mib=101), environment=settings)
        self.service.environment |= {"FILES_CLAMD_URL": clamd_url or "", "OMNIFY_PUBLIC_URL": self.service.url}
        self.tenants: list[Tenant] = []

    def start(self) -> "Files":
        for sidecar in (*self.sidecars, self.service.sidecar):
            sidecar.launch()
        self.service.launch()
        for sidecar in (*self.sidecars, self.service.sidecar):
            sidecar.wait()
            # Subscriptions of an app start once it is seen.
        self.service.wait()
        for sidecar in (*self.sidecars, self.service.sidecar):
            sidecar.wait_for_app()
        return self

    def stop(self) -> None:
        for tenant in self.tenants:
            tenant.http.close()
        self.service.terminate()
        for sidecar in (self.service.sidecar, *self.sidecars):
            sidecar.terminate()
        for peer in (self.auth, self.listener):
            peer.stop()

    @property
    def blobs(self) -> list[Path]:
        """What lies in the binding's folder."""
        return sorted(path for path in (self.home.path / ".omnify/data/files").rglob("*") if path.is_file())

    def blobs_of(self, file_id: str) -> list[Path]:
        return [path for path in self.blobs if path.name.startswith(file_id)]

    def tenant(self, *roles: str, organization_id: str | None = None, user_id: str | None = None) -> "Tenant":
        made = Tenant(self, organization_id or new_id(), user_id or new_id(), *(roles or ("owner",)))
        self.tenants.append(made)
        return made

    def events(self, file_id: str) -> list[str]:
        """The verbs of the events about a file, in the order in which they came; each id once."""
        seen = {
            event["id"]: event["type"].split(".")[3] for event in self.listener.events if event["subject"] == file_id
        }
        return list(seen.values())


class Tenant:
    """Calls the API as a user of one organisation, as the service's sidecar would."""

    def __init__(self, files: Files, organization_id: str, user_id: str, *roles: str) -> None:
        self.files, self.organization_id, self.user_id = files, organization_id, user_id
        token = files.signer.token(org=organization_id, sub=user_id, roles=list(roles), lives=3600)
        self.headers = {"authorization": f"Bearer {token}", **files.service.headers}
        self.http = httpx.Client(base_url=files.service.url, headers=self.headers, timeout=60)

    def create(self, name: str, size: int, purpose: str = "other") -> httpx.Response:
        headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata(filename=name, purpose=purpose)}
        return self.http.post(UPLOADS, headers=headers)

    def created(self, name: str, size: int, purpose: str = "other") -> str:
        """The id of a new upload."""
        answer = self.create(name, size, purpose)
        assert answer.status_code == 201, answer.text
        return answer.headers["location"].rpartition("/")[2]

    def patch(self, file_id: str, offset: int, data: Any, **headers: str) -> httpx.Response:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.patch(
            f"{UPLOADS}/{file_id}", headers={**CHUNK, "Upload-Offset": str(offset), **more}, content=data
        )

    def offset(self, file_id: str) -> int:
        answer = self.http.head(f"{UPLOADS}/{file_id}", headers=TUS)
        assert answer.status_code == 200
        return int(answer.headers["upload-offset"])

    def upload(self, name: str, data: bytes, purpose: str = "other") -> str:
        """Sends a file whole."""
        file_id = self.created(name, len(data), purpose)
        answer = self.patch(file_id, 0, data)
        assert answer.status_code == 204, answer.text
        assert answer.headers["upload-offset"] == str(len(data))
        return file_id

    def file(self, file_id: str) -> JSON:
        answer = self.http.get(f"/api/files/{file_id}")
        assert answer.status_code == 200, answer.text
        found: JSON = answer.json()
        return found

    def until(self, file_id: str, *states: str, seconds: float = 60) -> JSON:
        """The file once its state is one of these."""
        found: JSON = wait_for(lambda: (now := self.file(file_id))["state"] in states and now, seconds)
        return found

    def judged(self, name: str, data: bytes, purpose: str = "other") -> JSON:
        """A file sent whole, once it is ready or refused."""
        return self.until(self.upload(name, data, purpose), "ready", "refused")

    def link(self, file_id: str, variant: str = "content") -> httpx.Response:
        return self.http.post(f"/api/files/{file_id}/links", json={"variant": variant})

    def download(self, file_id: str, variant: str = "content") -> httpx.Response:
        url = self.link(file_id, variant).raise_for_status().json()["url"]
        return httpx.get(url, headers=self.files.service.headers, timeout=60)

    def quota(self) -> JSON:
        found: JSON = self.http.get("/api/files/quota").raise_for_status().json()
        return found


NewFiles = Callable[..., Files]


@pytest.fixture(scope="session")
def clamd_url(backing: Backing) -> str:
    try:
        return backing.clamd.url
    except LocalError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def new_files(
    backing: Backing, tmp_path_factory: pytest.TempPathFactory, set_name: str, clamd_url: str
) -> Iterator[NewFiles]:
    """`new_files(clamd=…, **settings)`: a service in a home of its own; settings without their prefix."""
    made: list[Files] = []

    def make(*, clamd: str | None = clamd_url, **settings: str) -> Files:
        listener = ExtraApp(LISTENER, subscribes=("files-events",))
        home = make_home(backing, tmp_path_factory.mktemp("files") / "home", set_name, [listener])
        quick = {"poll_interval": "PT0.3S", "retry_first": "PT0.5S", "lease": "PT4S", "announce_lease": "PT10S"}
        environment = {f"FILES_{name.upper()}": value for name, value in (quick | settings).items()}
        made.append(Files(home, clamd, **environment))
        return made[-1].start()

    yield make
    for files in made:
        files.stop()


@pytest.fixture(scope="module")
def files(new_files: NewFiles) -> Files:
    """One running service per module and set."""
    return new_files()


@pytest.fixture
def tenant(files: Files) -> Tenant:
    """An owner in an organisation of its own."""
    return files.tenant()
