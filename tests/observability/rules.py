"""The rules and dashboards of deploy/monitoring, as tests read them."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from omnify_local import paths

FOLDER = paths.repository() / "deploy" / "monitoring"
BOARDS = sorted((FOLDER / "grafana").glob("*.json"))
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_GROUPING = re.compile(r"\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?=\s*[\[{)]|\s*$|\s+[^\s(])")
_MATCHERS = re.compile(r"\{[^}]*\}")
_WORDS = {"and", "or", "unless", "bool", "offset"}


def groups(file: str) -> list[dict[str, Any]]:
    """The rules of one file of rules/, of all its groups."""
    document = yaml.safe_load((FOLDER / "rules" / file).read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Every alert."""
    return groups("alerts.yaml")


def board(file: Path) -> dict[str, Any]:
    """A dashboard."""
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def board_expressions() -> Iterator[tuple[str, str]]:
    """Where it stands, and the expression, of everything that a dashboard asks."""
    for file in BOARDS:
        for panel in board(file)["panels"]:
            for target in panel["targets"]:
                yield f"{file.stem}: {panel['title']}", target["expr"].replace("$app", "auth")


def rule_expressions() -> Iterator[tuple[str, str]]:
    """The same of every rule."""
    for file in ("recording.yaml", "alerts.yaml"):
        for rule in groups(file):
            yield rule.get("alert") or rule["record"], rule["expr"]


def series_of(expression: str) -> set[str]:
    """Names of the series in an expression."""
    plain = _GROUPING.sub(" ", _STRING.sub('""', expression))
    plain = re.sub(r"\[[^\]]*\]", " ", _MATCHERS.sub("{}", plain))
    return {name for name in _NAME.findall(plain) if name not in _WORDS and not name.isdigit()}


def promtool(*arguments: str) -> str:
    """What Prometheus' own checker says; fails the test when it complains."""
    answer = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout
