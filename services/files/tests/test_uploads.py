"""tus 1.0.0 as its clients meet it: offsets, versions, checksums, cuts, limits, quotas, races."""

import io
import random
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest
from tusclient.client import TusClient

from support.uploads import CHUNK, TUS, UPLOADS, digest, metadata, wait_for

MiB = 1024 * 1024


def noise(size: int, seed: int = 1) -> bytes:
    """Text that no compression makes small, so that it is a file of the kind txt."""
    return random.Random(seed).randbytes(size // 2 + 1).hex().encode()[:size]


def test_what_the_server_speaks(tenant: Any) -> None:
    answer = tenant.http.options(UPLOADS)
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert set(answer.headers["tus-extension"].split(",")) == {"creation", "expiration", "checksum", "termination"}
    assert answer.headers["tus-max-size"] == str(100 * MiB)
    assert answer.headers["tus-checksum-algorithm"].split(",") == ["sha256", "sha1"]


def test_another_version_is_refused_by_every_method(tenant: Any) -> None:
    path = f"{UPLOADS}/{tenant.created('a.txt', 10)}"
    for method, url in (("POST", UPLOADS), ("HEAD", path), ("PATCH", path), ("DELETE", path)):
        for version in ({}, {"Tus-Resumable": "0.2.2"}):
            answer = tenant.http.request(method, url, headers=version)
            assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0"), method


def test_bytes_come_in_turn_and_only_in_turn(tenant: Any) -> None:
    file_id = tenant.created("notes.txt", 10, "campaign_idea")
    assert tenant.offset(file_id) == 0
    assert tenant.patch(file_id, 0, b"01234").headers["upload-offset"] == "5"
    for wrong in (0, 4, 6, 10):
        answer = tenant.patch(file_id, wrong, b"x")
        assert (answer.status_code, answer.headers["tus-resumable"]) == (409, "1.0.0")
    assert tenant.patch(file_id, 5, b"56789x").status_code == 413
    assert (
        tenant.http.patch(f"{UPLOADS}/{file_id}", headers=TUS | {"Upload-Offset": "5"}, content=b"5").status_code == 415
    )
    assert tenant.patch(file_id, 5, b"56789").headers["upload-offset"] == "10"
    assert tenant.until(file_id, "ready")["variants"]["content"]["size"] == 10
    assert tenant.download(file_id).content == b"0123456789"
    assert tenant.patch(file_id, 10, b"").status_code == 204
    assert tenant.patch(file_id, 5, b"56789").status_code == 409


@pytest.mark.parametrize("algorithm", ["sha256", "sha1"])
def test_a_checksum_that_differs_drops_what_came(files: Any, tenant: Any, algorithm: str) -> None:
    data = noise(5 * MiB)
    file_id = tenant.created("big.txt", len(data))
    wrong = tenant.patch(file_id, 0, data, Upload_Checksum=digest(algorithm, data + b"x"))
    assert (wrong.status_code, tenant.offset(file_id)) == (460, 0)
    assert tenant.patch(file_id, 0, b"x", Upload_Checksum="md5 AAAA").status_code == 400
    right = tenant.patch(file_id, 0, data, Upload_Checksum=digest(algorithm, data))
    assert right.headers["upload-offset"] == str(len(data))
    tenant.until(file_id, "ready")
    wait_for(lambda: len(files.blobs_of(file_id)) == 3)
    assert tenant.download(file_id).content == data


def test_a_public_client_uploads_and_resumes(tenant: Any) -> None:
    """tuspy, the client of the protocol's own project; it takes a second start for a resumption."""
    data = noise(5 * MiB + 123, seed=2)
    client = TusClient(f"{tenant.files.service.url}{UPLOADS}", headers=tenant.headers)
    about = {"filename": "report.txt", "purpose": "analysis_document"}
    file = io.BytesIO(data)
    first = client.uploader(file_stream=file, chunk_size=MiB, metadata=about, upload_checksum=True)
    first.upload(stop_at=2 * MiB + 7)
    second = client.uploader(file_stream=file, chunk_size=3 * MiB, url=first.url)
    assert second.get_offset() == first.offset > 0
    second.upload()
    file_id = str(first.url).rpartition("/")[2]
    assert tenant.until(file_id, "ready", "refused")["state"] == "ready"
    assert tenant.download(file_id).content == data


def cut(tenant: Any, file_id: str, offset: int, data: bytes, announced: int) -> None:
    """Sends the beginning of a body and hangs up, as a train in a tunnel does."""
    address = urlsplit(tenant.files.service.url)
    lines = [f"PATCH {UPLOADS}/{file_id} HTTP/1.1", f"Host: {address.netloc}", f"Content-Length: {announced}"]
    lines += [f"{name}: {value}" for name, value in (CHUNK | tenant.headers | {"Upload-Offset": str(offset)}).items()]
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)


def test_fifty_cuts_and_not_a_byte_lost(files: Any, tenant: Any) -> None:
    data, chance = noise(24 * MiB, seed=3), random.Random(50)
    file_id = tenant.created("long.txt", len(data))
    offset = sent = cuts = 0
    while cuts < 50:
        length = chance.randint(0, max(1, (len(data) - offset) // (60 - cuts)) * 2)
        cut(tenant, file_id, offset, data[offset : offset + length], len(data) - offset)
        cuts += 1
        # An earlier cut may still have been at work when the offset was asked for.
        sent = max(sent, offset + length)
        now = tenant.offset(file_id)
        assert offset <= now <= sent
        offset = now
    while offset < len(data):
        answer = tenant.patch(file_id, offset, data[offset:])
        # The last cut may still be at work with what it got.
        offset = int(answer.headers["upload-offset"]) if answer.status_code == 204 else tenant.offset(file_id)
    ready = tenant.until(file_id, "ready", "refused")
    assert ready["state"] == "ready"
    assert tenant.download(file_id).content == data
    wait_for(lambda: len(files.blobs_of(file_id)) == 12, 30)


def test_of_two_writers_the_newest_goes_on_and_nothing_is_mixed(tenant: Any) -> None:
    size = 6 * MiB
    bodies = [noise(size, seed) for seed in range(4, 8)]
    file_id = tenant.created("race.txt", size)
    start = threading.Barrier(len(bodies))

    def send(body: bytes) -> int:
        start.wait()
        return int(tenant.patch(file_id, 0, body).status_code)

    with ThreadPoolExecutor(len(bodies)) as pool:
        seen = list(pool.map(send, bodies))
    assert set(seen) <= {204, 409, 423}
    if 204 not in seen:  # each was taken over by the next, and the newest lost to one that had gone on already
        offset = tenant.offset(file_id)
        assert tenant.patch(file_id, offset, bodies[0][offset:]).status_code == 204
    else:
        assert seen.count(204) == 1
    tenant.until(file_id, "ready")
    if 204 in seen:
        assert tenant.download(file_id).content == bodies[seen.index(204)]


def test_what_is_announced_wrongly_leaves_nothing_behind(files: Any, tenant: Any) -> None:
    def asked(length: str | None, told: str | None) -> int:
        headers = {**TUS, "Upload-Length": length, "Upload-Metadata": told}
        return int(tenant.http.post(UPLOADS, headers={k: v for k, v in headers.items() if v is not None}).status_code)

    good = metadata(filename="a.txt", purpose="other")
    assert asked(None, good) == asked("-1", good) == asked("ten", good) == asked("0", good) == 400
    assert asked("10", None) == asked("10", "filename ???") == asked("10", f"{good},{good}") == 400
    assert asked("10", metadata(filename="a.txt", purpose="fun")) == 422
    assert asked(str(100 * MiB + 1), good) == 413
    assert asked(str(5 * MiB + 1), metadata(filename="a.png", purpose="logo")) == 413
    assert asked(str(50 * MiB + 1), metadata(filename="a.mp4", purpose="creative")) == 413
    for name in (
        "",
        "a",
        "a.exe",
        "a.svg",
        "a.html",
        ".txt",
        "a.php.txt",
        "a.png.txt",
        "a/b.txt",
        "a\u202etxt.txt",
        "a.pdf",
    ):
        purpose = "creative" if name == "a.pdf" else "other"
        assert asked("10", metadata(filename=name, purpose=purpose)) == 422, name
    assert tenant.quota()["files"] == 0


def test_roles_and_foreigners(files: Any, tenant: Any) -> None:
    viewer = files.tenant("viewer", organization_id=tenant.organization_id)
    member = files.tenant("member", organization_id=tenant.organization_id)
    stranger = files.tenant()
    assert viewer.create("a.png", 10, "creative").status_code == 403
    assert member.create("a.png", 10, "logo").status_code == 403
    file_id = member.created("a.txt", 10)
    assert viewer.patch(file_id, 0, b"x").status_code == 403
    assert viewer.file(file_id)["state"] == "uploading"
    assert member.http.delete(f"/api/files/{file_id}").status_code == 403
    for answer in (
        stranger.patch(file_id, 0, b"0123456789"),
        stranger.http.head(f"{UPLOADS}/{file_id}", headers=TUS),
        stranger.http.delete(f"{UPLOADS}/{file_id}", headers=TUS),
        stranger.http.get(f"/api/files/{file_id}"),
        stranger.http.delete(f"/api/files/{file_id}"),
        stranger.http.post(f"/api/files/{file_id}/cancel"),
        stranger.link(file_id),
    ):
        assert answer.status_code == 404
    assert stranger.http.get("/api/files").json() == {"files": [], "next_cursor": None}
    assert files.tenant().http.get("/api/files", headers={"authorization": ""}).status_code == 401


def test_giving_up_drops_the_bytes_and_frees_the_room(files: Any, tenant: Any) -> None:
    file_id = tenant.created("a.txt", 10)
    tenant.patch(file_id, 0, b"01234")
    assert tenant.quota() | {"max_files": 0, "max_bytes": 0} == {
        "files": 1,
        "bytes": 10,
        "max_files": 0,
        "max_bytes": 0,
    }
    assert files.blobs_of(file_id) != []
    assert tenant.http.delete(f"{UPLOADS}/{file_id}", headers=TUS).status_code == 204
    assert files.blobs_of(file_id) == []
    assert tenant.quota()["files"] == 0
    assert tenant.patch(file_id, 5, b"56789").status_code == 410
    assert tenant.http.head(f"{UPLOADS}/{file_id}", headers=TUS).status_code == 410
    assert tenant.file(file_id)["state"] == "cancelled"


def test_giving_up_while_bytes_come_leaves_none(files: Any, tenant: Any) -> None:
    """Those that are on their way to the store when the others are dropped go, too."""
    data = noise(12 * MiB)
    file_id = tenant.created("a.txt", len(data))

    def body() -> Iterator[bytes]:
        yield data[: 5 * MiB]
        wait_for(lambda: tenant.offset(file_id) >= 4 * MiB)
        assert tenant.http.delete(f"/api/files/{file_id}").status_code == 204
        yield data[5 * MiB :]

    assert tenant.patch(file_id, 0, body()).status_code == 410
    assert files.blobs_of(file_id) == []


@pytest.mark.one_set("one document and its ETag, as everywhere")
def test_the_room_of_an_organisation_is_taken_once_by_many_at_once(new_files: Any) -> None:
    files = new_files(quota_bytes="1000", quota_files="7", upload_rate="24")
    tenant = files.tenant()

    def race(size: int) -> list[int]:
        with ThreadPoolExecutor(12) as pool:
            return sorted(pool.map(lambda _: int(tenant.create("a.txt", size).status_code), range(12)))

    assert race(300) == [201] * 3 + [413] * 9
    assert tenant.quota()["bytes"] == 900
    assert race(1) == [201] * 4 + [413] * 8
    for one in tenant.http.get("/api/files").json()["files"]:
        assert tenant.http.delete(f"/api/files/{one['file_id']}").status_code == 204
    assert tenant.quota() == {"files": 0, "bytes": 0, "max_files": 7, "max_bytes": 1000}
    answer = tenant.create("a.txt", 1)
    assert (answer.status_code, 0 < int(answer.headers["retry-after"]) <= 3600) == (429, True)
    assert files.tenant().create("a.txt", 1).status_code == 201
    shown = httpx.get(f"{files.service.url}/metrics", headers=files.service.headers).text
    counted = dict(re.findall(r'omnify_files_announced_total\{[^}]*outcome="(\w+)"[^}]*\} (\d+)', shown))
    assert counted == {"taken": "8", "quota": "17", "rate": "1"}


@pytest.mark.one_set("one loop over documents, as everywhere")
def test_an_upload_whose_time_is_over_goes_by_itself(new_files: Any) -> None:
    files = new_files(upload_life="PT2S")
    tenant = files.tenant()
    file_id = tenant.created("a.txt", 10)
    tenant.patch(file_id, 0, b"01234")
    files.service.kill()
    files.service.start()
    gone = tenant.until(file_id, "cancelled")
    assert gone["reason"] == "expired"
    wait_for(lambda: files.blobs_of(file_id) == [] and tenant.quota()["files"] == 0)
    assert tenant.patch(file_id, 5, b"56789").status_code == 410
