"""Bombs: refused in little memory, measured in the process that looks at them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.samples import archive, huge_png, image

MEASURED = """
import json, sys
from pathlib import Path
from omnify_files.inspection.__main__ import answer, limit
from omnify_files.inspection import archives, images, pdfs

def most():
    # Not ru_maxrss: it begins with what the parent had.
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

limit()
before = most()
said = answer(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
print(json.dumps(said | {"kib": most() - before}))
"""
MOST = 64 * 1024  # KiB
MiB = 1024 * 1024


def looked_at(kind: str, data: bytes, folder: Path) -> dict[str, Any]:
    """What the inspection says, and by how much its memory grew."""
    (folder / "upload").write_bytes(data)
    command = [sys.executable, "-c", MEASURED, kind, str(folder / "upload"), str(folder)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=120).stdout)
    return found


def zeros(size: int) -> bytes:
    return archive({"zeros.txt": bytes(size)})


def many_names() -> bytes:
    """A directory that claims few entries and holds many."""
    data = bytearray(archive({f"{number}": b"" for number in range(60_000)}))
    end = data.rfind(b"PK\x05\x06")
    data[end + 8 : end + 12] = (1).to_bytes(2, "little") * 2
    return bytes(data)


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "zeros": ("zip", lambda: zeros(150 * MiB), "archive-too-large"),
    "zeros inside": ("zip", lambda: archive({"inner.zip": zeros(100 * MiB)}), "archive-too-large"),
    "names": ("zip", many_names, "archive-too-large"),
    "document": (
        "docx",
        lambda: archive({"[Content_Types].xml": b"", "word/a.xml": bytes(100 * MiB)}),
        "archive-too-large",
    ),
    "pixels": ("png", lambda: huge_png(100_000, 100_000), "too-many-pixels"),
    "one line": ("png", lambda: huge_png(2_000_000, 1_000), "too-many-pixels"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_little_memory(name: str, tmp_path: Path) -> None:
    kind, make, reason = BOMBS[name]
    said = looked_at(kind, make(), tmp_path)
    print(f"{name}: {said['kib']} KiB more")
    assert said["refused"] == reason, said
    assert said["kib"] < MOST


def test_the_measure_sees_what_a_picture_takes(tmp_path: Path) -> None:
    """39.9 megapixels are taken, and their memory is seen by what the bombs are measured with."""
    said = looked_at("jpeg", image("JPEG", (7000, 5700)), tmp_path)
    assert said["facts"] == {"width": 7000, "height": 5700, "frames": 1}
    assert said["kib"] > MOST
