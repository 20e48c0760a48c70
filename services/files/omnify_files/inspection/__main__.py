"""`python -m omnify_files.inspection KIND PATH FOLDER`: one file, one process, one line of JSON.

It gives up its means before it looks: memory, processor time, size of files, and all but a few open files.
"""

import json
import resource
import sys
from pathlib import Path

from omnify_files.inspection import Findings, Refusal

MEMORY = 768 * 1024 * 1024  # bytes of address space; 40 megapixels take 160 MB, twice while they are turned
SECONDS = 60  # of processor time
LARGEST_FILE = 128 * 1024 * 1024  # bytes


def limit() -> None:
    """Lowers what the kernel gives to this process."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, LARGEST_FILE),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def answer(kind: str, path: Path, folder: Path) -> dict[str, object]:
    """The findings, or the refusal, as JSON."""
    from omnify_files.inspection.looking import look

    try:
        findings: Findings = look(kind, path, folder)
    except Refusal as refusal:
        return {"refused": refusal.reason, "detail": refusal.detail}
    made = {
        name: {"path": one.path.name, "media_type": one.media_type, "extension": one.extension}
        for name, one in findings.made.items()
    }
    return {"facts": findings.facts, "made": made}


if __name__ == "__main__":
    limit()
    sys.stdout.write(json.dumps(answer(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))) + "\n")
