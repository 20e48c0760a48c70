"""From the first byte to the last trace: upload, checks, download, deletion, on every set."""

import io
import random
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2 as httpx
import pytest
from PIL import Image

from support.samples import image, pdf, photo
from support.uploads import wait_for

LOCATION_TAG = 0x8825
MiB = 1024 * 1024


def test_a_picture_from_upload_to_deletion(files: Any, tenant: Any) -> None:
    data = photo()
    file_id = tenant.upload("Caf\u00e9 by the sea.jpg", data, "creative")
    ready = tenant.until(file_id, "ready", "refused")
    assert ready["state"] == "ready", ready
    assert ready["facts"] == {"width": 80, "height": 120, "frames": 1}
    answer = tenant.download(file_id)
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"Cafe by the sea.jpg\"; filename*=UTF-8''Caf%C3%A9%20by%20the%20sea.jpg"
    )
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == ("image/jpeg", "nosniff")
    assert len(answer.content) == ready["variants"]["content"]["size"] == int(answer.headers["content-length"])
    assert b"Secret Camera Works" in data
    assert b"Secret Camera Works" not in answer.content
    assert b"taken at home" not in answer.content
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.size, len(picture.getexif())) == ((80, 120), 0), "it stands upright, and tells nothing"
    with Image.open(io.BytesIO(tenant.download(file_id, "thumbnail").content)) as small:
        assert (small.format, max(small.size) <= 512) == ("WEBP", True)
    kept = sum(one["size"] for one in ready["variants"].values())
    wait_for(lambda: tenant.quota()["bytes"] == kept)
    assert len(files.blobs_of(file_id)) == 2, "the upload itself is dropped"
    assert tenant.http.delete(f"/api/files/{file_id}").status_code == 204
    assert files.blobs_of(file_id) == []
    assert (tenant.quota()["files"], tenant.quota()["bytes"]) == (0, 0)
    assert tenant.http.get(f"/api/files/{file_id}").status_code == 404
    wait_for(lambda: set(files.events(file_id)) == {"uploaded", "ready", "deleted"})


def test_a_document_gets_its_pages_and_its_text(tenant: Any) -> None:
    ready = tenant.judged("report.pdf", pdf("Quarterly figures", pages=3), "analysis_document")
    assert (ready["state"], ready["facts"]) == ("ready", {"pages": 3}), ready
    text = tenant.download(ready["file_id"], "text")
    assert "Quarterly figures 3" in text.text
    assert text.headers["content-disposition"].startswith('attachment; filename="report-text.txt"')
    assert tenant.download(ready["file_id"]).content == pdf("Quarterly figures", pages=3)


def test_files_are_listed_newest_first_and_only_to_those_who_may_see_them(files: Any, tenant: Any) -> None:
    made = [tenant.created(f"{number}.txt", 5, "other" if number % 2 else "campaign_idea") for number in range(5)]
    page = tenant.http.get("/api/files", params={"limit": 3}).json()
    rest = tenant.http.get("/api/files", params={"limit": 3, "cursor": page["next_cursor"]}).json()
    assert [one["file_id"] for one in page["files"] + rest["files"]] == made[::-1]
    ideas = tenant.http.get("/api/files", params={"purpose": "campaign_idea"}).json()["files"]
    assert [one["filename"] for one in ideas] == ["4.txt", "2.txt", "0.txt"]
    assert tenant.http.get("/api/files", params={"cursor": "nonsense"}).status_code == 400
    viewer = files.tenant("viewer", organization_id=tenant.organization_id)
    assert len(viewer.http.get("/api/files").json()["files"]) == 5
    nobody = files.tenant("somebody", organization_id=tenant.organization_id)
    assert nobody.http.get("/api/files").json()["files"] == []
    assert nobody.http.get(f"/api/files/{made[0]}").status_code == 403


def test_a_link_opens_one_thing_for_five_minutes(files: Any, tenant: Any) -> None:
    one, other = (tenant.judged(f"{name}.txt", name.encode() * 9, "other")["file_id"] for name in ("one", "two"))
    made = tenant.link(one).json()
    url, query = urlsplit(made["url"]), {key: value[0] for key, value in parse_qs(urlsplit(made["url"]).query).items()}

    def opened(path: str = url.path, **changed: str) -> httpx.Response:
        return httpx.get(f"{files.service.url}{path}", params=query | changed, headers=files.service.headers)

    assert opened().content == b"one" * 9
    for changed in (
        {"signature": "0" * 64},
        {"signature": "\u00e9"},
        {"expires": str(int(query["expires"]) + 1)},
        {"organization": files.tenant().organization_id},
        {"variant": "text"},
    ):
        assert opened(**changed).status_code == 403, changed
    assert opened(path=url.path.replace(one, other)).status_code == 403
    assert opened(expires="100").status_code == 403
    assert tenant.link(one, "thumbnail").status_code == 404
    assert tenant.http.delete(f"/api/files/{one}").status_code == 204
    assert opened().status_code == 404
    assert tenant.link(tenant.created("later.txt", 5)).status_code == 409


@pytest.mark.one_set("a signature and a clock, as everywhere")
def test_a_link_whose_time_is_over(new_files: Any) -> None:
    tenant = new_files(link_life="PT1S").tenant()
    made = tenant.judged("one.txt", b"words")
    url = tenant.link(made["file_id"]).json()["url"]
    headers = tenant.files.service.headers
    wait_for(lambda: httpx.get(url, headers=headers).status_code == 403, 20)


def test_a_download_goes_on_where_it_broke_off(files: Any, tenant: Any) -> None:
    data = random.Random(9).randbytes(5 * MiB // 2).hex().encode()
    file_id = tenant.judged("long.txt", data)["file_id"]
    url, size = tenant.link(file_id).json()["url"], len(data)
    whole = httpx.get(url, headers=files.service.headers, timeout=60)
    assert (whole.status_code, whole.headers["accept-ranges"], whole.content == data) == (200, "bytes", True)
    etag = whole.headers["etag"]
    files.blobs_of(file_id)[2].unlink()  # nobody reads the last piece for what is in the others

    def part(wanted: str, **headers: str) -> tuple[int, str | None, bytes]:
        answer = httpx.get(url, headers=files.service.headers | {"range": wanted} | headers, timeout=60)
        return answer.status_code, answer.headers.get("content-range"), answer.content

    for wanted, first, last in (
        ("bytes=0-9", 0, 9),
        ("bytes=0-0", 0, 0),
        (f"Bytes={2 * MiB - 5}-{2 * MiB + 4}", 2 * MiB - 5, 2 * MiB + 4),
    ):
        assert part(wanted) == (206, f"bytes {first}-{last}/{size}", data[first : last + 1]), wanted
    assert part("bytes=3-5", **{"if-range": etag}) == (206, f"bytes 3-5/{size}", data[3:6])
    for wanted in (f"bytes={size}-", f"bytes={size}-{size + 5}", "bytes=-0"):
        assert part(wanted)[:2] == (416, f"bytes */{size}")


def test_a_large_file_comes_back_whole_through_the_sidecar(files: Any, tenant: Any) -> None:
    """The body limits of a sidecar hold for a message, not for a stream."""
    data = image("PNG", (1400, 1400), compress_level=0)
    assert len(data) > 5 * 1024 * 1024
    file_id = tenant.judged("large.png", data, "creative")["file_id"]
    wanted = tenant.download(file_id)
    url = (
        tenant.link(file_id)
        .json()["url"]
        .replace(files.service.url, f"{files.service.sidecar.url}/v1.0/invoke/files/method")
    )
    answer = httpx.get(url, headers=files.service.sidecar.headers, timeout=60)
    assert (answer.status_code, answer.content == wanted.content) == (200, True)
