"""A marketer's way through the platform, over HTTP as a browser would take it; the demo and the tests walk it."""

import base64
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2 as httpx

from omnify_local.inbox import Inbox, Mail

CDNOW_SAMPLE = {
    "delimiter": "whitespace",
    "has_header": False,
    "date_format": "%Y%m%d",
    "currency": "USD",
    "columns": {"customer_id": 0, "ordered_at": 2, "quantity": 3, "amount": 4},
}
CDNOW_MASTER = {
    "delimiter": "whitespace",
    "has_header": True,
    "date_format": "%Y%m%d",
    "currency": "USD",
    "columns": {"customer_id": 0, "ordered_at": 1, "quantity": 2, "amount": 3},
}
_LINK = re.compile(
    r"/(?:verify-email|reset-password|confirm-email|accept-invitation|recover-factors)#token=([A-Za-z0-9_.-]+)"
)


_UPLOADS = "/api/files/uploads"
_TUS = {"Tus-Resumable": "1.0.0"}


class JourneyFailed(RuntimeError):
    """A step did not answer as it should; the text names the step and the answer."""


def token_in(mail: Mail) -> str:
    """The token of a mail's link. Raises JourneyFailed."""
    found = _LINK.search(mail.text)
    if found is None:
        raise JourneyFailed("the mail holds no link with a token")
    return found.group(1)


@dataclass
class Marketer:
    """One user of the platform at `gateway`; the steps are its methods, in their usual order."""

    gateway: str
    email: str = field(default_factory=lambda: f"ada.{secrets.token_hex(5)}@example.com")
    password: str = field(default_factory=lambda: f"a long enough {secrets.token_hex(6)} phrase")
    organization: str = "Analytical Engines"
    full_name: str = "Ada Lovelace"
    tokens: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.gateway, timeout=60)

    def close(self) -> None:
        """Closes the connections."""
        self.http.close()

    def ask(self, method: str, path: str, expected: int, **options: Any) -> Any:
        """One request, with the access token when there is one. Raises JourneyFailed on another status."""
        headers = options.pop("headers", {})
        if self.tokens:
            headers = {"Authorization": f"Bearer {self.tokens['access_token']}"} | headers
        answer = self.http.request(method, path, headers=headers, **options)
        if answer.status_code != expected:
            raise JourneyFailed(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json() if answer.content else None

    def register(self) -> None:
        """Signs up; a mail with a link follows."""
        body = {
            "email": self.email,
            "password": self.password,
            "full_name": self.full_name,
            "organization_name": self.organization,
        }
        self.ask("POST", "/api/auth/register", 202, json=body)

    def verify(self, token: str) -> None:
        """Proves the address with the token of the mail's link."""
        self.ask("POST", "/api/auth/verify-email", 200, json={"token": token})

    def log_in(self) -> None:
        """Signs in and keeps the tokens."""
        body = {"email": self.email, "password": self.password}
        self.tokens = self.ask("POST", "/api/auth/login", 200, json=body)

    def join(self, inbox: Inbox, *, timeout: float = 60) -> "Marketer":
        """From sign-up to signed in; the mail may take `timeout` seconds."""
        self.register()
        self.verify(token_in(inbox.wait_for(self.email, timeout=timeout)[-1]))
        self.log_in()
        return self

    def start_import(self, file: Path | bytes, options: dict[str, Any], name: str = "orders.txt") -> str:
        """Uploads orders; returns the import's id."""
        content = file if isinstance(file, bytes) else file.read_bytes()
        parts = {"file": (name, content, "text/plain")}
        data = {"options": json.dumps(options)}
        answer = self.ask("POST", "/api/analytics/imports/orders", 202, files=parts, data=data)
        return str(answer["import_id"])

    def wait_for_import(self, import_id: str, seconds: float = 60) -> dict[str, Any]:
        """The import once it has ended. Raises JourneyFailed when it does not within `seconds`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            status: dict[str, Any] = self.ask("GET", f"/api/analytics/imports/{import_id}", 200)
            if status["status"] in {"completed", "failed"}:
                return status
            time.sleep(0.05)
        raise JourneyFailed(f"import {import_id} did not end within {seconds:g} s")

    def announce_file(self, name: str, size: int, purpose: str = "other") -> str:
        """Begins an upload by tus; returns the file's id."""
        pairs = {"filename": name, "purpose": purpose}
        told = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
        headers = _TUS | {"Upload-Length": str(size), "Upload-Metadata": told, **self._bearer}
        answer = self.http.post(_UPLOADS, headers=headers)
        if answer.status_code != 201:
            raise JourneyFailed(f"POST {_UPLOADS}: {answer.status_code} {answer.text[:300]}")
        return answer.headers["location"].rpartition("/")[2]

    def send_bytes(self, file_id: str, data: bytes, *, offset: int | None = None) -> httpx.Response:
        """Adds bytes to an upload, where it has got to unless told otherwise; whatever comes of it."""
        path = f"{_UPLOADS}/{file_id}"
        if offset is None:
            head = self.http.head(path, headers=_TUS | self._bearer)
            offset = int(head.raise_for_status().headers["upload-offset"])
        more = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
        return self.http.patch(path, headers=_TUS | more | self._bearer, content=data)

    def send_file(self, name: str, data: bytes, purpose: str = "other") -> str:
        """Uploads a file; returns its id."""
        file_id = self.announce_file(name, len(data), purpose)
        self.send_bytes(file_id, data, offset=0).raise_for_status()
        return file_id

    def wait_for_file(self, file_id: str, *states: str, seconds: float = 60) -> dict[str, Any]:
        """The file once it is in one of these states, by default ready or refused. Raises JourneyFailed."""
        deadline, wanted = time.monotonic() + seconds, states or ("ready", "refused")
        while time.monotonic() < deadline:
            file: dict[str, Any] = self.ask("GET", f"/api/files/{file_id}", 200)
            if file["state"] in wanted:
                return file
            time.sleep(0.05)
        raise JourneyFailed(f"file {file_id} did not become {' or '.join(wanted)} within {seconds:g} s")

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens['access_token']}"}

    def overview(self, start: str, end: str, granularity: str = "month") -> dict[str, Any]:
        """Revenue, orders, customers, AOV and repeat rate of a range of days."""
        params = {"from": start, "to": end, "granularity": granularity}
        answer: dict[str, Any] = self.ask("GET", "/api/analytics/overview", 200, params=params)
        return answer

    def cohorts(self) -> list[dict[str, Any]]:
        """Monthly cohorts by first order."""
        answer: list[dict[str, Any]] = self.ask("GET", "/api/analytics/cohorts", 200, params={"granularity": "month"})[
            "cohorts"
        ]
        return answer

    def refresh(self) -> None:
        """Trades the refresh token for new tokens."""
        fresh = self.http.post("/api/auth/refresh", json={"refresh_token": self.tokens["refresh_token"]})
        if fresh.status_code != 200:
            raise JourneyFailed(f"refresh: {fresh.status_code} {fresh.text[:300]}")
        self.tokens = self.tokens | fresh.json()

    def log_out(self) -> str:
        """Ends the session; returns the access token that is to be refused from now on."""
        old = str(self.tokens["access_token"])
        answer = self.http.post("/api/auth/logout", headers={"Authorization": f"Bearer {old}"})
        if answer.status_code not in {200, 204}:
            raise JourneyFailed(f"logout: {answer.status_code} {answer.text[:300]}")
        return old

    def seconds_until_refused(self, token: str, path: str, limit: float = 30) -> float:
        """How long after now a service still took an ended session's token. Raises JourneyFailed past `limit`."""
        started = time.monotonic()
        while time.monotonic() - started < limit:
            if self.http.get(path, headers={"Authorization": f"Bearer {token}"}).status_code == 401:
                return time.monotonic() - started
            time.sleep(0.05)
        raise JourneyFailed(f"{path} still takes the old token after {limit:g} s")
