"""Legal documents and consents on real sidecars."""

import asyncio
from datetime import date
from typing import Any

import httpx2 as httpx
import pytest

from omnify_auth.legal import Library, read

SAW = {"x-forwarded-for": "203.0.113.7, 10.0.0.1", "user-agent": "a browser"}


def bearer(signed_in: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {signed_in['access_token']}"}


async def accept(lab: Any, who: dict[str, Any], **body: str) -> httpx.Response:
    answer: httpx.Response = await lab.auth.http.post("/api/legal/accept", json=body, headers=bearer(who) | SAW)
    return answer


def test_the_newest_effective_version_counts() -> None:
    head = "---\ndocument_type: terms\nversion: {}\neffective_date: {}\n---\n# Terms\n"
    library = Library(tuple(read(head.format(*of).encode()) for of in (("2", "2030-01-01"), ("1", "2020-01-01"))))
    assert library.current("terms", date(2029, 12, 31)).version == "1"
    assert library.current("terms", date(2030, 1, 1)).version == "2"
    with pytest.raises(LookupError):
        library.current("terms", date(2019, 1, 1))
    with pytest.raises(ValueError, match="begins with"):
        read(b"# no front matter")


async def test_documents_are_for_everybody_and_cached(lab: Any) -> None:
    for name, version, required in (("terms", "1.0", True), ("privacy", "1.0", True), ("cookie", "1.1", False)):
        answer = await lab.auth.http.get(f"/api/legal/{name}")
        shown = answer.json()
        assert (shown["document_type"], shown["version"], shown["acceptance_required"]) == (name, version, required)
        assert shown["content"].startswith("# ")
        assert answer.headers["cache-control"].startswith("public")
        again = await lab.auth.http.get(f"/api/legal/{name}", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert (await lab.auth.http.get("/api/legal/nothing")).status_code == 404


async def test_acceptance_withdrawal_and_what_the_server_saw(lab: Any) -> None:
    who = await lab.signed_in()
    due = (await lab.auth.http.get("/api/legal/due", headers=bearer(who))).json()["due"]
    assert [document["document_type"] for document in due] == ["terms", "privacy"]
    given = await accept(lab, who, document_type="terms", version="1.0")
    assert given.status_code == 200, given.text
    assert (given.json()["ip_address"], given.json()["user_agent"]) == ("203.0.113.7", "a browser")
    assert given.json()["sha256"] == (await lab.auth.http.get("/api/legal/terms")).json()["sha256"]
    assert (await accept(lab, who, document_type="terms", version="1.0")).json() == given.json(), "repeated"
    withdraw = {"json": {"document_type": "terms"}, "headers": bearer(who)}
    assert (await lab.auth.http.post("/api/legal/withdraw", **withdraw)).json()["action"] == "withdrawn"
    assert (await lab.auth.http.post("/api/legal/withdraw", **withdraw)).status_code == 409
    listed = (await lab.auth.http.get("/api/legal/acceptances", headers=bearer(who))).json()
    assert [entry["action"] for entry in listed["acceptances"]] == ["withdrawn", "accepted"]
    assert len(listed["due"]) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"document_type": "terms", "version": "0.9"}, 409),
        ({"document_type": "other", "version": "1.0"}, 422),
        ({"document_type": "terms", "version": "1.0", "ip_address": "198.51.100.1"}, 422),
        ({"document_type": "terms", "version": "1.0", "user_agent": "another"}, 422),
    ],
)
async def test_what_is_refused(lab: Any, body: dict[str, str], status: int) -> None:
    assert (await accept(lab, await lab.signed_in(), **body)).status_code == status


async def test_of_many_acceptances_at_once_one_is_recorded(lab: Any) -> None:
    who = await lab.signed_in()
    answers = await asyncio.gather(*(accept(lab, who, document_type="privacy", version="1.0") for _ in range(8)))
    assert {answer.status_code for answer in answers} <= {200, 503}
    listed = (await lab.auth.http.get("/api/legal/acceptances", headers=bearer(who))).json()
    assert listed["count"] == 1
