"""The repository as the architecture tests read it."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
Resource = dict[str, Any]


def services() -> list[str]:
    """Folder names under services/."""
    return sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))


def sets() -> list[str]:
    """Folder names under components/."""
    return sorted(path.name for path in (ROOT / "components").iterdir() if path.is_dir())


def resources(set_name: str) -> list[Resource]:
    """Every document of a component set."""
    files = sorted((ROOT / "components" / set_name).glob("*.yaml"))
    return [item for file in files for item in yaml.safe_load_all(file.read_text()) if item]


def components(set_name: str) -> dict[str, Resource]:
    """Components of a set by name."""
    return {item["metadata"]["name"]: item for item in resources(set_name) if item["kind"] == "Component"}


def kind(set_name: str, wanted: str) -> Resource:
    """The one Configuration or Resiliency of a set."""
    [found] = [item for item in resources(set_name) if item["kind"] == wanted]
    return found


def fields(component: Resource) -> dict[str, Any]:
    """Metadata of a component by name."""
    return {item["name"]: item.get("value", item.get("secretKeyRef")) for item in component["spec"]["metadata"]}


def run_file() -> dict[str, Any]:
    """dapr.yaml."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "dapr.yaml").read_text())
    return document


def project(folder: str) -> dict[str, Any]:
    """pyproject.toml of a member."""
    return tomllib.loads((ROOT / folder / "pyproject.toml").read_text())


def sources(folder: str) -> Iterator[Path]:
    """Python files of a folder that are part of a package (not its tests)."""
    return (path for path in sorted((ROOT / folder).rglob("*.py")) if "tests" not in path.relative_to(ROOT).parts)
