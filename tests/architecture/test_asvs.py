"""The table of ASVS ids tells what there is: every id once, every test that it names, and no empty claim."""

import ast
import re
from pathlib import Path

import pytest

from omnify_local import paths

TABLE = paths.repository() / "docs" / "security" / "asvs.md"
ROW = re.compile(r"^\| (?P<id>[\d.]+) \| (?P<level>[123]) \| (?P<what>[^|]+) \| (?P<by>[^|]+) \|$", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")
DOCUMENT = re.compile(r"\b(?:docs|services)/[\w./-]+\.md\b")

# Counted from the published text (OWASP ASVS 5.0.0): section -> its last id, by level.
LEVEL_1 = "6.1.1 6.2.1-8 6.3.1-2 6.4.1-2 7.2.1-4 7.4.1-2 8.1.1 8.2.1-2 8.3.1 9.1.1-3 9.2.1 10.4.1-5"
LEVEL_2 = (
    "6.1.2-3 6.2.9-12 6.3.3-4 6.4.3-4 6.5.1-5 6.6.1-3 6.8.1-4 7.1.1-3 7.3.1-2 7.4.3-5 7.5.1-2 7.6.1-2 8.1.2 8.2.3 "
    "8.4.1 9.2.2-4 10.1.1-2 10.2.1-2 10.3.1-4 10.4.6-11 10.5.1-5 10.6.1-2 10.7.1-3"
)
LOGGING = "16.2.1-5 16.3.1-4"
CHOSEN = "6.3.5-8 6.4.6 6.5.6 6.5.8 6.7.2 7.5.3 8.3.2-3 11.2.4 15.4.2"


def ids(text: str) -> list[str]:
    """`6.2.1-3` as its three ids."""
    found = []
    for part in text.split():
        first, _, last = part.partition("-")
        section, _, number = first.rpartition(".")
        found += [f"{section}.{each}" for each in range(int(number), int(last or number) + 1)]
    return found


def rows() -> list[dict[str, str]]:
    return [match.groupdict() for match in ROW.finditer(TABLE.read_text())]


def named_tests() -> dict[str, set[str]]:
    """The test functions of the repository by the name of their file; of files of one name all together."""
    found: dict[str, set[str]] = {}
    for folder in ("services", "shared", "deploy", "tests"):
        for path in (paths.repository() / folder).rglob("test_*.py"):
            nodes = ast.walk(ast.parse(path.read_text()))
            names = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
            found.setdefault(path.name, set()).update(names)
    return found


@pytest.mark.parametrize(
    ("level", "wanted", "count"), [("1", LEVEL_1, 32), ("2", f"{LEVEL_2} {LOGGING}", 64 + 9), ("3", CHOSEN, 13)]
)
def test_every_id_has_one_row(level: str, wanted: str, count: int) -> None:
    listed = [row["id"] for row in rows() if row["level"] == level]
    assert sorted(listed) == sorted(ids(wanted))
    assert len(listed) == count


def test_every_test_that_is_named_exists() -> None:
    known = named_tests()
    named = [(row["id"], *match) for row in rows() for match in NAMED.findall(row["by"])]
    assert len(named) > len(rows()) / 2
    assert [one for one in named if one[2] not in known.get(one[1], set())] == []


def test_no_row_claims_without_a_test_a_document_or_a_reason() -> None:
    def shown(by: str) -> bool:
        documents = [paths.repository() / Path(name) for name in DOCUMENT.findall(by)]
        reason = by.startswith(("open: ", "n/a: ", "there are none"))
        return bool(NAMED.search(by)) or reason or (bool(documents) and all(one.is_file() for one in documents))

    assert [row["id"] for row in rows() if not shown(row["by"])] == []
