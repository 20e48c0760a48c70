"""The service killed after each of its steps: no file lost, none doubled, nothing left lying."""

import fcntl
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from omnify_files.workspace import PREFIX, YOUNG
from support.samples import image
from support.uploads import TUS, UPLOADS, metadata, wait_for

PICTURE = image("PNG", (300, 200))
HEAD = len(PICTURE) // 2  # bytes that come first, so that the rest has to replace what is there
ANNOUNCING = ("noted", "reserved", "listed", "created")
UPLOADING = ("taken", "stored", "committed", "tidied")
JUDGING = (
    "process.leased", "process.fetched", "process.scanned", "process.looked", "process.planned", "process.made",
    "process.judged", "clean.dropped", "clean.resized",
)  # fmt: skip
DROPPING = ("purge.dropped", "purge.freed")


@pytest.fixture(autouse=True)
def alive(files: Any) -> None:
    """The service may have been left dead by a test that failed."""
    if files.service.process is None or not files.service.process.running:
        files.service.kill()
        files.service.start(timeout=120)


def dying(files: Any, point: str, request: Any) -> None:
    """A request in which, or after which, the service dies and comes back."""
    files.service.die_at(f"files.{point}")
    with suppress(httpx.HTTPError):
        request()
    files.service.wait_for_death()
    files.service.start(timeout=120)
    files.service.sidecar.wait_for_app(90)


def whole(files: Any, tenant: Any, file_id: str) -> None:
    """The file is ready, once, with all its bytes; the quota and the binding hold it and nothing else."""
    ready = tenant.until(file_id, "ready", "refused", seconds=90)
    assert ready["state"] == "ready", ready
    variants = ready["variants"].values()
    wait_for(lambda: tenant.quota()["bytes"] == sum(one["size"] for one in variants), 90)
    assert len(tenant.download(file_id).content) == ready["variants"]["content"]["size"]
    wait_for(lambda: len(files.blobs_of(file_id)) == len(variants), 90)
    wait_for(lambda: {"uploaded", "ready"} <= set(files.events(file_id)), 90)
    assert sorted(files.events(file_id)) == ["ready", "uploaded"], "each once, by its id"


@pytest.mark.parametrize("point", ANNOUNCING)
def test_while_an_upload_is_announced(files: Any, tenant: Any, point: str) -> None:
    dying(files, f"upload.{point}", lambda: tenant.create("lost.png", len(PICTURE), "creative"))
    file_id = tenant.upload("picture.png", PICTURE, "creative")
    lost = [one["file_id"] for one in tenant.http.get("/api/files").json()["files"] if one["file_id"] != file_id]
    assert len(lost) == (point == "created"), "it is there, and goes with its time, or when somebody drops it"
    for one in lost:
        tenant.http.delete(f"/api/files/{one}").raise_for_status()
    wait_for(lambda: tenant.quota()["files"] == 1, 90)
    whole(files, tenant, file_id)


@pytest.mark.parametrize("point", UPLOADING)
def test_while_bytes_come(files: Any, tenant: Any, point: str) -> None:
    file_id = tenant.created("picture.png", len(PICTURE), "creative")
    tenant.patch(file_id, 0, PICTURE[:HEAD])
    dying(files, f"upload.{point}", lambda: tenant.patch(file_id, HEAD, PICTURE[HEAD:]))
    offset = tenant.offset(file_id)
    assert offset == (HEAD if point in ("taken", "stored") else len(PICTURE))
    if offset < len(PICTURE):
        assert tenant.patch(file_id, offset, PICTURE[offset:]).status_code == 204
    whole(files, tenant, file_id)


@pytest.mark.parametrize("point", JUDGING)
def test_while_a_file_is_checked(files: Any, tenant: Any, point: str) -> None:
    file_id = tenant.created("picture.png", len(PICTURE), "creative")
    dying(files, point, lambda: tenant.patch(file_id, 0, PICTURE))
    whole(files, tenant, file_id)


@pytest.mark.one_set("the machine's own disk")
def test_what_a_dead_process_had_on_the_disk_is_deleted(new_files: Callable[..., Any]) -> None:
    left, held, young = (Path(tempfile.mkdtemp(prefix=PREFIX)) for _ in range(3))
    (left / "upload").write_bytes(b"quarantined")
    for path in (left, held):
        os.utime(path, times=(time.time() - 2 * YOUNG,) * 2)
    lock = os.open(held, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        files = new_files()
        wait_for(lambda: not left.exists())
        assert files.tenant().judged("one.txt", b"words")["state"] == "ready"
        assert held.exists(), "somebody works there"
        assert young.exists(), "somebody may be about to"
    finally:
        os.close(lock)
        held.rmdir()
        young.rmdir()


@pytest.mark.parametrize("point", DROPPING)
def test_while_a_file_is_dropped(files: Any, tenant: Any, point: str) -> None:
    file_id = tenant.judged("picture.png", PICTURE, "creative")["file_id"]
    dying(files, point, lambda: tenant.http.delete(f"/api/files/{file_id}"))
    assert tenant.http.get(f"/api/files/{file_id}").status_code == 404
    wait_for(lambda: files.blobs_of(file_id) == [] and tenant.quota()["files"] == 0, 90)
    wait_for(lambda: files.events(file_id).count("deleted") == 1, 90)


def test_a_file_that_is_deleted_as_soon_as_it_is_ready(files: Any, tenant: Any) -> None:
    """What is still to be done with a ready file must not hide that it is to be dropped by now."""
    file_id = tenant.upload("picture.png", PICTURE, "creative")
    while tenant.file(file_id)["state"] != "ready":
        continue
    files.service.die_at("files.purge.dropped")
    with suppress(httpx.HTTPError):
        tenant.http.delete(f"/api/files/{file_id}")
    files.service.wait_for_death()
    files.service.start(timeout=120)
    # Another test's file may have been dropped first, and the service died of that.
    assert tenant.http.delete(f"/api/files/{file_id}").status_code in {204, 404}
    wait_for(lambda: files.blobs_of(file_id) == [] and tenant.quota()["files"] == 0, 90)


@pytest.mark.parametrize("wait", [0.0, 0.1, 0.3, 0.6])
def test_a_file_that_is_cancelled_while_it_is_checked_is_not_released(files: Any, tenant: Any, wait: float) -> None:
    """Both at once: in the end it is one or the other, and nothing of the other is left."""
    file_id = tenant.upload("picture.png", PICTURE, "creative")
    time.sleep(wait)
    answer = tenant.http.post(f"/api/files/{file_id}/cancel")
    ended = tenant.until(file_id, "ready", "cancelled")["state"]
    assert (answer.status_code, ended) in {(200, "cancelled"), (409, "ready")}
    wait_for(lambda: len(files.blobs_of(file_id)) == (0 if ended == "cancelled" else 2))


def test_what_is_announced_by_hand_and_left_is_found(files: Any, tenant: Any) -> None:
    headers = {**TUS, "Upload-Length": "5", "Upload-Metadata": metadata(filename="a.txt", purpose="other")}
    files.service.die_at("files.upload.reserved")
    with suppress(httpx.HTTPError):
        tenant.http.post(UPLOADS, headers=headers)
    files.service.wait_for_death()
    files.service.start(timeout=120)
    assert tenant.quota()["files"] == 1
    wait_for(lambda: tenant.quota()["files"] == 0, 120)
