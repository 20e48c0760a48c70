"""Ada's files, in the golden files: one ready, one refused, one deleted, one half-way, and one given up on."""

from typing import Any

from omnify_local.journey import Marketer
from omnify_shared.indexes import Index
from omnify_shared.platform import Platform as Blocks
from support.samples import image


async def leave_pages(blocks: Blocks) -> None:
    """A list of more than a page, which takes more files than anybody wants to wait for."""
    for kind in ("files", "user-files"):
        pages = Index(blocks.state, kind, page_size=1)
        for number in range(2):
            await pages.add("another-one", str(number))


def with_files(ada: Marketer) -> dict[str, Any]:
    """Uploads of every end; the ids that Ada keeps. Needs a scanner: without one no file becomes ready."""
    picture = image("PNG")
    ready, gone = (ada.send_file(f"{name}.png", picture, "creative") for name in ("ready", "gone"))
    refused = ada.send_file("not a picture.png", b"plain words, whatever the name says", "creative")
    half = ada.announce_file("half.png", len(picture), "creative")
    ada.send_bytes(half, picture[:100], offset=0).raise_for_status()
    assert ada.wait_for_file(ready)["state"] == "ready"
    assert ada.wait_for_file(refused)["reason"] == "type-differs"
    ada.wait_for_file(gone)
    ada.ask("DELETE", f"/api/files/{gone}", 204)
    return {"ready_file_id": ready, "half_file_id": half}
