"""What breaks a caller: a change of a service's OpenAPI document against the released one."""

from collections.abc import Iterator, Mapping
from typing import Any

from omnify_local.contracts.fitting import Fit, Side

Document = Mapping[str, Any]
_Way = Mapping[str, tuple[list[Any], frozenset[str]]]
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_STYLE = ("style", "explode", "allowReserved", "content")
_SCHEME = ("type", "scheme", "in", "name", "flows", "openIdConnectUrl")


def of_api(service: str, old: Document, new: Document) -> Iterator[str]:
    """Breaks between two OpenAPI documents of a service, as its callers see them."""
    for path, item in old.get("paths", {}).items():
        for method in (name for name in _METHODS if name in item):
            name = f"{service} {method.upper()} {path}"
            changed = new.get("paths", {}).get(path, {}).get(method)
            if changed is None:
                yield f"{name}: the route is gone"
                continue
            for reason in _operation(Side(item[method], old), Side(changed, new)):
                yield f"{name}: {reason}"


def _operation(old: Side, new: Side) -> Iterator[str]:
    yield from _security(old, new)
    yield from _parameters(old, new)
    yield from _request(old, new)
    for status, answer in old.node.get("responses", {}).items():
        changed = new.node.get("responses", {}).get(status)
        if changed is not None:
            yield from _answer(old.at(answer).resolved(), new.at(changed).resolved(), status)
        elif status.startswith("2") or status == "default":
            yield f"status {status} is gone"


def _answer(old: Side, new: Side, status: str) -> Iterator[str]:
    for name in sorted(old.node.get("headers", {}).keys() - new.node.get("headers", {}).keys()):
        yield f"status {status}: the header {name} is gone"
    for media_type, content in old.node.get("content", {}).items():
        if media_type not in new.node.get("content", {}):
            yield f"status {status}: {media_type} is gone"
            continue
        after = new.node["content"][media_type].get("schema", {})
        fit = Fit(lost_in_narrow=True)
        yield from fit.misfits(old.at(content.get("schema", {})), new.at(after), f"answer {status}")


def _security(old: Side, new: Side) -> Iterator[str]:
    """A caller's credentials must still do: each way in that was promised must satisfy one that is asked now."""
    before, after = (side.node.get("security", side.root.get("security", [])) for side in (old, new))
    ways = [_way(way, new.root) for way in after]
    for way in before or [{}]:
        if ways and not any(_satisfies(_way(way, old.root), asked) for asked in ways):
            yield f"asks for {_names(after)} now, not {_names(before)}"


def _way(way: Document, root: Document) -> _Way:
    """One security requirement: per scheme what it is and which roles it asks for."""
    known = root.get("components", {}).get("securitySchemes", {})
    return {name: ([known.get(name, {}).get(key) for key in _SCHEME], frozenset(roles)) for name, roles in way.items()}


def _satisfies(held: _Way, asked: _Way) -> bool:
    absent: tuple[list[Any], frozenset[str]] = ([], frozenset())
    found = {name: held.get(name, absent) for name in asked}
    return all(found[name][0] == kind and found[name][1] >= roles for name, (kind, roles) in asked.items())


def _names(ways: list[Document]) -> str:
    words = [" and ".join(" ".join([name, *roles]) for name, roles in way.items()) or "nothing" for way in ways]
    return " or ".join(words) or "nothing"


def _parameters(old: Side, new: Side) -> Iterator[str]:
    before, after = (_listed(side) for side in (old, new))
    for key, parameter in before.items():
        place = f"{key[0]} parameter {key[1]}"
        if key not in after:
            yield f"{place} is gone"
            continue
        for part in _STYLE:
            if after[key].get(part) != parameter.get(part):
                yield f"{place}: its {part} changed"
        fit = Fit(defaults=True)
        yield from fit.misfits(new.at(after[key].get("schema", {})), old.at(parameter.get("schema", {})), place)
    for key, parameter in after.items():
        was_required = before.get(key, {}).get("required", False)
        if parameter.get("required", False) and not was_required:
            yield f"{key[0]} parameter {key[1]} is required now"


def _listed(side: Side) -> dict[tuple[str, str], Any]:
    """An operation's parameters by place and name; names of headers know no case."""
    found = [side.at(one).resolved().node for one in side.node.get("parameters", [])]
    return {(one["in"], one["name"].lower() if one["in"] == "header" else one["name"]): one for one in found}


def _request(old: Side, new: Side) -> Iterator[str]:
    before, after = (side.at(side.node.get("requestBody", {})).resolved().node for side in (old, new))
    if after.get("required", False) and not before.get("required", False):
        yield "a body is required now"
    for media_type, content in before.get("content", {}).items():
        if media_type not in after.get("content", {}):
            yield f"a body of {media_type} is no longer taken"
            continue
        taken = new.at(after["content"][media_type].get("schema", {}))
        yield from Fit(lost_in_wide=True, defaults=True).misfits(taken, old.at(content.get("schema", {})), "body")
