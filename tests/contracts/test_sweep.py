"""Whatever is taken out of the released contracts, or changed in them, is missed: every field in turn."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from omnify_local import paths
from omnify_local.contracts import api_breaks, breaks, files, state

RELEASED = files.stored(paths.repository() / files.FOLDER / files.RELEASED)
NAMES = sorted(name for name in RELEASED if name.startswith(("openapi/", "events/", "state/")))
Path = tuple[Any, ...]
PARTS: list[dict[str, Any]] = [{"responses": {}}, {"security": [{"x": []}]}, {"parameters": []}, {"requestBody": {}}]


def broken(name: str, old: Any, new: Any) -> list[str]:
    if name.startswith("openapi/"):
        return list(api_breaks.of_api("service", old, new))
    if name.startswith("events/"):
        return list(breaks.of_events({"type": old}, {"type": new}))
    return list(state.of_state("form", old, new))


def fields(node: Any, path: Path = ()) -> Iterator[Path]:
    """Where the schema of each field lies."""
    if isinstance(node, list):
        for number, item in enumerate(node):
            yield from fields(item, (*path, number))
    if not isinstance(node, dict):
        return
    named = node.get("properties")
    if isinstance(named, dict) and "type" in node:
        yield from ((*path, "properties", name) for name in named)
    for key, value in node.items():
        yield from fields(value, (*path, key))


def at(node: Any, path: Path) -> Any:
    for step in path:
        node = node[step]
    return node


def drop(holder: Any, name: str) -> None:
    holder["properties"].pop(name)
    make_optional(holder, name)


def make_optional(holder: Any, name: str) -> None:
    holder["required"] = [one for one in holder.get("required", []) if one != name]


def retype(holder: Any, name: str) -> None:
    holder["properties"][name] = {"type": "array", "items": {"type": "array", "items": {"type": "null"}}}


def sweep(name: str, change: Callable[[Any, str], None], wanted: Callable[[Any, Path], bool]) -> None:
    """Makes the change of every wanted field, one at a time; each has to be found."""
    old, new = (json.loads(RELEASED[name]) for _ in range(2))
    for path in filter(lambda path: wanted(old, path), fields(old)):
        holder = at(new, path[:-2])
        before = {key: copy.copy(value) for key, value in holder.items()}
        change(holder, path[-1])
        assert broken(name, old, new), f"{change.__name__} {path}"
        holder.clear()
        holder.update(before)
    assert new == old


def written(_: Any, path: Path) -> bool:
    return bool(path[0] != "reads")


def relied_upon(old: Any, path: Path) -> bool:
    """Whether the released reader asks for the field: one with a default may be left out."""
    holder = ("reads", "1", *path[1:-2]) if path[0] == "written" else path[:-2]
    required: list[str] = at(old, holder).get("required", [])
    return written(old, path) and path[-1] in required


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", [drop, retype])
def test_a_change_of_any_field_is_a_break(name: str, change: Callable[[Any, str], None]) -> None:
    sweep(name, change, written)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith(("events/", "state/"))])
def test_a_promised_field_that_becomes_optional_is_a_break(name: str) -> None:
    sweep(name, make_optional, relied_upon)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("openapi/")])
def test_a_change_of_any_route_is_a_break(name: str) -> None:
    old, new = (json.loads(RELEASED[name]) for _ in range(2))
    for path, item in old["paths"].items():
        for method, operation in item.items():
            for part in PARTS:
                if "security" in part or any(operation.get(key) for key in part):
                    new["paths"][path][method] = operation | part
                    assert broken(name, old, new), (path, method, part)
                    new["paths"][path][method] = operation


def test_the_released_contracts_are_swept() -> None:
    assert len(NAMES) > 40
    assert sum(1 for name in NAMES for _ in fields(json.loads(RELEASED[name]))) > 500
