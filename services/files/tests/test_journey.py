"""From the first byte to the last trace: upload, checks, download, deletion, on every set."""

from typing import Any

from support.samples import photo


def test_smoke(files: Any, tenant: Any) -> None:
    data = photo()
    file_id = tenant.upload("Beach photo.jpg", data, "creative")
    ready = tenant.until(file_id, "ready", "refused")
    print(ready)
    assert ready["state"] == "ready"
    answer = tenant.download(file_id)
    print(answer.headers)
    assert answer.status_code == 200
    assert tenant.http.delete(f"/api/files/{file_id}").status_code == 204
    assert files.blobs == []
    print(files.events(file_id))
