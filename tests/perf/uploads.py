"""How fast a file of 100 MiB comes in, against the same bytes written straight to the same disk.

A round writes the file twice by hand, in the pieces that the service stores, and sends it twice, each in one request as
a client without a library would. Floors: the pieces in one file, synced at its end, so that they outlive a power cut;
and the same without the sync, which is what the local binding does. Figures are medians over the rounds.
"""

import os
import random
import statistics
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from omnify_local.journey import Marketer
from perf.measure import Row
from perf.services import Bench
from support.uploads import CHUNK, UPLOADS, wait_for

MIB = 1024 * 1024
SIZE = 100 * MIB
PIECE = 2 * MIB  # bytes of an object that the service stores
ROUNDS = 7


def rows(bench: Bench) -> list[Row]:
    """Uploads to the service itself, and through the gateway and two sidecars."""
    data, disk, marketer = random.Random(1).randbytes(SIZE), bench.platform.home.path, bench.joined()
    files = bench.platform.services["files"]
    works: list[Callable[[], float]] = [
        lambda: _written(data, disk / "floor", synced=True),
        lambda: _written(data, disk / "floor", synced=False),
        lambda: _uploaded(marketer, data, files.url, files.headers, disk),
        lambda: _uploaded(marketer, data, bench.platform.url, {}, disk),
    ]
    times: list[list[float]] = [[] for _ in works]
    for number in range(1 + ROUNDS):
        marketer.log_in()
        for kept, work in zip(times, works, strict=True):
            seconds = work()
            if number:
                kept.append(seconds)
    synced, cached, direct, through = (SIZE / MIB / statistics.median(kept) for kept in times)
    return [
        Row("upload of 100 MiB to files / written to disk and synced", direct, synced, "MiB/s", ">= 0.5"),
        Row("the same / written and left to the system", direct, cached, "MiB/s"),
        Row("upload of 100 MiB through the gateway / written to disk and synced", through, synced, "MiB/s"),
        Row("the same / written and left to the system", through, cached, "MiB/s"),
    ]


def _written(data: bytes, path: Path, *, synced: bool) -> float:
    """Seconds that writing takes."""
    started = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for start in range(0, len(data), PIECE):
            file.write(data[start : start + PIECE])
        if synced:
            os.fsync(file.fileno())
    seconds = time.perf_counter() - started
    path.unlink()
    return seconds


def _uploaded(marketer: Marketer, data: bytes, url: str, headers: dict[str, str], disk: Path) -> float:
    """Seconds from the request's first byte to the answer that all of them count. The file is dropped at once."""
    file_id = marketer.announce_file("measured.txt", len(data))
    bearer = {"Authorization": f"Bearer {marketer.tokens['access_token']}"}
    connection = HTTPConnection(urlsplit(url).netloc, timeout=120)
    connection.connect()
    started = time.perf_counter()
    connection.request("PATCH", f"{UPLOADS}/{file_id}", data, CHUNK | bearer | headers | {"Upload-Offset": "0"})
    answer = connection.getresponse()
    answer.read()
    seconds = time.perf_counter() - started
    if answer.getheader("upload-offset") != str(len(data)):
        raise SystemExit(f"the benchmark's upload went wrong: {answer.status}")
    connection.close()
    marketer.ask("DELETE", f"/api/files/{file_id}", 204)
    wait_for(lambda: not any((disk / ".omnify/data/files").rglob(f"{file_id}.*")))
    return seconds
