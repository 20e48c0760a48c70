"""What people do while the files service dies: every file that was promised is there in the end, whole and once."""

import hashlib
import time
from abc import abstractmethod
from collections.abc import Callable

import httpx2 as httpx

from faults.deaths import Deaths
from faults.ledger import Ledger
from omnify_local.journey import Marketer
from omnify_shared.testing import Service
from support.samples import image

Check = Callable[[], None]
PICTURE = image("PNG", (300, 200))
HEAD = len(PICTURE) // 2  # bytes that come first, so that the rest has to replace what is there
WITHIN = 120.0  # seconds: an event's adoption, a lease, a place in the agenda, on a busy machine


class Uploading(Deaths):
    """The journeys of files."""

    def __init__(self, ledger: Ledger, files: Service) -> None:
        super().__init__(ledger)
        self.files = files

    @abstractmethod
    def joined(self) -> Marketer:
        """Somebody new who is signed in."""

    def announcing(self, point: str) -> Check:
        """Files dies while an upload is announced: another one works, and room is taken for what there is, no more."""
        ada = self.joined()
        with self.dying(self.files, point):
            self._whatever(lambda: ada.http.post("/api/files/uploads", headers=announcement(ada)))
        return self._promised(ada, point, ada.send_file("picture.png", PICTURE, "creative"))

    def uploading(self, point: str) -> Check:
        """Files dies while bytes come: the upload goes on where it had got to, and the file has all of them."""
        ada = self.joined()
        file_id = ada.announce_file("picture.png", len(PICTURE), "creative")
        ada.send_bytes(file_id, PICTURE[:HEAD], offset=0).raise_for_status()
        with self.dying(self.files, point):
            self._whatever(lambda: ada.send_bytes(file_id, PICTURE[HEAD:], offset=HEAD))
        self._go_on(ada, file_id)
        return self._promised(ada, point, file_id)

    def judging(self, point: str) -> Check:
        """Files dies while it checks a file, perhaps before it has answered the request that brought the last byte: the
        file is checked again, and comes out once."""
        ada = self.joined()
        file_id = ada.announce_file("picture.png", len(PICTURE), "creative")
        with self.dying(self.files, point):
            self._whatever(lambda: ada.send_bytes(file_id, PICTURE, offset=0))
        self._go_on(ada, file_id)
        return self._promised(ada, point, file_id)

    def dropping(self, point: str) -> Check:
        """Files dies while it drops a file: it is gone all the same, and its room is free."""
        ada = self.joined()
        file_id = ada.send_file("picture.png", PICTURE, "creative")
        ada.wait_for_file(file_id, seconds=WITHIN)
        headers = {"Authorization": f"Bearer {ada.tokens['access_token']}"}
        with self.dying(self.files, point):
            self._whatever(lambda: ada.http.delete(f"/api/files/{file_id}", headers=headers))
        self.ledger.acknowledge(point)

        def check() -> None:
            ada.log_in()
            ada.ask("GET", f"/api/files/{file_id}", 404)
            self._until(lambda: ada.ask("GET", "/api/files/quota", 200)["files"] == 0)
            self.ledger.find(point)

        return check

    def _promised(self, ada: Marketer, point: str, file_id: str) -> Check:
        self.ledger.acknowledge(point)

        def check() -> None:
            ada.log_in()
            file = ada.wait_for_file(file_id, seconds=WITHIN)
            self.ledger.check(file["state"] == "ready", f"{point}: {file['state']}, {file['detail']}")
            url = ada.ask("POST", f"/api/files/{file_id}/links", 201, json={})["url"]
            content = httpx.get(url, timeout=60).content
            whole = hashlib.sha256(content).hexdigest() == file["variants"]["content"]["sha256"]
            self.ledger.check(whole, f"{point}: the content is not what was promised")
            kept = sum(variant["size"] for variant in file["variants"].values())
            self._until(lambda: self._taken(ada, file_id) == kept)
            self.ledger.find(point)

        return check

    def _taken(self, ada: Marketer, file_id: str) -> int:
        """What the quota counts beside uploads that nobody was told of, which go by themselves in a day."""
        listed = ada.ask("GET", "/api/files", 200)["files"]
        others: int = sum(one["length"] for one in listed if one["file_id"] != file_id and one["state"] == "uploading")
        return int(ada.ask("GET", "/api/files/quota", 200)["bytes"]) - others

    def _go_on(self, ada: Marketer, file_id: str) -> None:
        head = ada.ask("GET", f"/api/files/{file_id}", 200)
        if head["offset"] < len(PICTURE):
            ada.send_bytes(file_id, PICTURE[head["offset"] :], offset=head["offset"]).raise_for_status()

    def _whatever(self, request: Callable[[], httpx.Response]) -> None:
        try:
            request()
        except httpx.HTTPError:
            return

    @staticmethod
    def _until(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WITHIN
        while not holds():
            assert time.monotonic() < deadline, "it did not come about in time"
            time.sleep(0.2)


def announcement(ada: Marketer) -> dict[str, str]:
    """The headers of an upload of the picture."""
    return {
        "Authorization": f"Bearer {ada.tokens['access_token']}",
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(len(PICTURE)),
        "Upload-Metadata": "filename cGljdHVyZS5wbmc=,purpose Y3JlYXRpdmU=",
    }
