"""What may become a file and what may not: each refusal by its reason, a scanner that is away, cancelling."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from omnify_local.ports import free_port
from omnify_local.servers import Clamd
from omnify_local.servers.clamd import SIGNATURE, TEST_MARK
from support.samples import archive, docx, huge_png, image, mp4, pdf
from support.uploads import wait_for

PNG, JPEG, PDF = image("PNG"), image("JPEG"), pdf()
BOMB = archive({"zeros.txt": bytes(20 * 1024 * 1024)})
LINK = zipfile.ZipInfo("link.txt")
LINK.external_attr = 0o120777 << 16


def linked() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr(LINK, "/etc/passwd")
    return out.getvalue()


def nested(depth: int) -> bytes:
    data = b"words"
    for number in range(depth):
        data = archive({f"{number}.zip" if number else "words.txt": data})
    return data


def moving() -> bytes:
    frames = [Image.new("RGB", (20, 10), color) for color in ("red", "green", "blue")]
    out = io.BytesIO()
    frames[0].save(out, format="GIF", save_all=True, append_images=frames[1:], duration=50, loop=0)
    return out.getvalue()


GOOD: dict[str, bytes] = {
    "a.png": PNG,
    "a.jpg": JPEG,
    "a.webp": image("WEBP"),
    "a.gif": moving(),
    "a.mp4": mp4(),
    "a.pdf": PDF,
    "a.docx": docx(),
    "a.csv": b"name,amount\nann,1\n",
    "a.txt": "words, in \u20ac too\n".encode(),
    "a.zip": archive({"words.txt": b"words", "inner.zip": archive({"more.txt": b"more"})}),
}
BAD: dict[str, tuple[str, bytes, str]] = {
    "another kind": ("a.png", JPEG, "type-differs"),
    "a program": ("a.png", b"MZ\x90\x00" + bytes(500), "type-differs"),
    "an archive behind a picture": ("a.png", PNG + archive({"x.txt": b"x"}), "polyglot"),
    "a document in front of an archive": ("a.pdf", PDF + archive({"x.txt": b"x"}), "polyglot"),
    "something in front of a document": ("a.pdf", b"hello\n" + PDF, "type-differs"),
    "something in front of an archive": ("a.zip", b"#!/bin/sh\n" + archive({"x.txt": b"x"}), "type-differs"),
    "something behind an archive": ("a.zip", archive({"x.txt": b"x"}) + b"more", "polyglot"),
    "a page in a text": ("a.txt", b"<!DOCTYPE html><script>alert(1)</script>", "polyglot"),
    "a page in a picture": ("a.gif", b"GIF89a/*<script>alert(1)</script>*/=1;" + bytes(99), "polyglot"),
    "bytes in a text": ("a.csv", b"a,b\n\xff\xfe\x00\n", "type-differs"),
    "half a picture": ("a.png", PNG[: len(PNG) // 2], "unreadable"),
    "a picture of many pixels": ("a.png", huge_png(50_000, 50_000), "too-many-pixels"),
    "an archive of many bytes": ("a.zip", BOMB, "archive-too-large"),
    "a document of many bytes": (
        "a.docx", archive({"[Content_Types].xml": b"", "word/x": bytes(20 << 20)}), "archive-too-large",
    ),
    "an archive of many entries": ("a.zip", archive({f"{n}.txt": b"" for n in range(1001)}), "archive-too-large"),
    "archives in archives": ("a.zip", nested(4), "archive-entry"),
    "an archive with a link": ("a.zip", linked(), "archive-entry"),
    "an archive with a way out": ("a.zip", archive({"../../etc/x.txt": b"x"}), "archive-entry"),
    "an archive in another archive": ("a.zip", archive({"x.bin": b"7z\xbc\xaf\x27\x1c" + bytes(99)}), "archive-entry"),
    "an archive with a program": ("a.zip", archive({"setup.exe": b"MZ"}), "active-content"),
    "an archive as a document": ("a.docx", archive({"x.txt": b"x"}), "type-differs"),
    "a document with macros": (
        "a.docx", archive({"[Content_Types].xml": b"", "word/x": b"", "word/vbaProject.bin": b"x"}), "active-content",
    ),
    "a document with a script": (
        "a.pdf", pdf(catalog="/OpenAction << /S /JavaScript /JS (app.alert(1)) >> "), "active-content",
    ),
    "malware": ("a.txt", b"words and " + TEST_MARK, "malware"),
    "malware in an archive": ("a.zip", archive({"x.txt": b"words and " + TEST_MARK}), "malware"),
}  # fmt: skip


def test_all_kinds_are_taken(tenant: Any) -> None:
    ids = {name: tenant.upload(name, data) for name, data in GOOD.items()}
    for name, file_id in ids.items():
        judged = tenant.until(file_id, "ready", "refused")
        assert judged["state"] == "ready", (name, judged["reason"], judged["detail"])
        if name not in {"a.png", "a.jpg", "a.webp", "a.gif"}:
            assert tenant.download(file_id).content == GOOD[name], name
    with Image.open(io.BytesIO(tenant.download(ids["a.gif"]).content)) as picture:
        assert getattr(picture, "n_frames", 1) == 3


def test_everything_else_is_refused_with_its_reason(files: Any, tenant: Any) -> None:
    ids = {what: tenant.upload(name, data) for what, (name, data, _) in BAD.items()}
    wrong = {}
    for what, file_id in ids.items():
        judged = tenant.until(file_id, "ready", "refused", seconds=120)
        if (judged["state"], judged["reason"]) != ("refused", BAD[what][2]):
            wrong[what] = judged["state"], judged["reason"], judged["detail"]
    assert wrong == {}
    assert SIGNATURE in tenant.file(ids["malware"])["detail"]
    wait_for(lambda: tenant.quota()["files"] == 0)
    assert [path for file_id in ids.values() for path in files.blobs_of(file_id)] == []
    assert all(tenant.link(file_id).status_code == 409 for file_id in ids.values())
    wait_for(lambda: all(set(files.events(file_id)) == {"uploaded", "refused"} for file_id in ids.values()))


@pytest.mark.one_set("one connection to clamd, as everywhere")
def test_nothing_is_released_while_the_scanner_is_away(
    new_files: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    scanner = Clamd(tmp_path_factory.mktemp("clamd"), free_port())
    files = new_files(clamd=scanner.url)
    tenant = files.tenant()
    clean, bad = tenant.upload("a.txt", b"words"), tenant.upload("b.txt", TEST_MARK)
    waiting = wait_for(lambda: (now := tenant.file(clean))["detail"] and now["state"] == "quarantined" and now)
    assert "scanner does not answer" in waiting["detail"]
    assert tenant.link(clean).status_code == 409
    scanner.start()
    try:
        assert tenant.until(clean, "ready", "refused")["state"] == "ready"
        assert tenant.until(bad, "ready", "refused")["reason"] == "malware"
    finally:
        scanner.stop()


@pytest.mark.one_set("the same loop as with a scanner that is away")
def test_without_a_scanner_files_stay_in_quarantine_and_can_be_cancelled(new_files: Callable[..., Any]) -> None:
    files = new_files(clamd=None)
    tenant = files.tenant()
    file_id = tenant.upload("a.txt", b"words")
    waiting = wait_for(lambda: (now := tenant.file(file_id))["detail"] and now)
    assert (waiting["state"], "FILES_CLAMD_URL" in waiting["detail"]) == ("quarantined", True)
    assert tenant.http.post(f"/api/files/{file_id}/cancel").json()["state"] == "cancelled"
    assert files.blobs_of(file_id) == []
    assert tenant.quota()["files"] == 0
    assert tenant.http.post(f"/api/files/{file_id}/cancel").status_code == 200
    ready = tenant.http.delete(f"/api/files/{file_id}")
    assert ready.status_code == 204
