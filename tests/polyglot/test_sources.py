"""The programs' sources: formatted, sound by their languages' own checks, and locked without a host."""

import json
import subprocess
from pathlib import Path

import pytest

from omnify_local import golang, nodejs
from polyglot.programs import SOURCES

# The first test may have to compile Go's own library.
pytestmark = pytest.mark.timeout(400)
NODE, GO = SOURCES / "node", SOURCES / "go"


@pytest.mark.parametrize("file", sorted(NODE.glob("*.mjs")), ids=lambda file: file.name)
def test_node_takes_the_file(file: Path) -> None:
    answer = subprocess.run([nodejs.program(), "--check", file], capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")


def test_go_is_formatted_and_vetted() -> None:
    gofmt = Path(golang.run(GO, "env", "GOROOT").strip()) / "bin" / "gofmt"
    answer = subprocess.run([gofmt, "-l", str(GO)], capture_output=True, text=True, check=True)
    assert answer.stdout == ""
    assert golang.run(GO, "vet", "./...") == ""
    assert golang.run(GO, "mod", "verify")


def test_the_npm_lock_is_whole_and_names_no_address() -> None:
    text = (NODE / "package-lock.json").read_text()
    lock = json.loads(text)
    wanted = json.loads((NODE / "package.json").read_text())["dependencies"]
    assert lock["packages"][""]["dependencies"] == wanted
    packages = [package for name, package in lock["packages"].items() if name]
    assert packages
    assert all(package["integrity"].startswith("sha512-") and "resolved" not in package for package in packages)
    assert "://" not in text


def test_the_programs_know_omnify_by_its_contracts_alone() -> None:
    """A stranger's view: nothing of the services' code, the tests or their folders."""
    for file in (*NODE.glob("*.mjs"), *GO.glob("*.go")):
        text = file.read_text()
        assert "services/" not in text, file
        assert "components/" not in text, file
        assert "omnify_" not in text, file
