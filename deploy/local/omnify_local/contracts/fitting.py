"""Whether one JSON Schema takes everything that another one allows: the part of the question that our schemas ask.

Structural, for the keywords that pydantic writes. What it does not know it reports, rather than letting it pass.
A field that a schema does not name is taken as absent, though the schema may allow it: nobody sends what is not named.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

Node = Any
_NOTES = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$defs", "$id"}
)
_NOTES |= {"$schema", "$comment", "discriminator"}
_KNOWN = {
    "string": frozenset({"minLength", "maxLength", "pattern", "format", "contentMediaType", "contentEncoding"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "format"}),
    "array": frozenset({"items", "prefixItems", "minItems", "maxItems", "uniqueItems"}),
    "object": frozenset({"properties", "required", "additionalProperties", "propertyNames"}),
    "boolean": frozenset[str](),
    "null": frozenset[str](),
}
_LOWER = ("minLength", "minItems", "minimum", "exclusiveMinimum")
_UPPER = ("maxLength", "maxItems", "maximum", "exclusiveMaximum")
_SAME = ("pattern", "format", "multipleOf", "uniqueItems", "propertyNames")
_EQUAL = ("contentMediaType", "contentEncoding")  # neither is wider than the other


@dataclass(frozen=True)
class Side:
    """A schema and the document that its references point into."""

    node: Node
    root: Mapping[str, Any]

    def at(self, node: Node) -> "Side":
        return Side(node, self.root)

    def resolved(self) -> "Side":
        """Behind references; a reference with siblings other than notes is left to be reported."""
        side = self
        while isinstance(side.node, dict) and "$ref" in side.node and not set(side.node) - _NOTES - {"$ref"}:
            target: Any = side.root
            for part in side.node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            side = side.at(target)
        return side

    def alternatives(self) -> Iterator["Side"]:
        """The schemas that a value may fit, without unions."""
        side = self.resolved()
        node = side.node
        if not isinstance(node, dict):
            yield side
            return
        rest = {key: value for key, value in node.items() if key not in _NOTES}
        for union in ("anyOf", "oneOf"):
            if set(rest) == {union}:
                for option in rest[union]:
                    yield from side.at(option).alternatives()
                return
        if set(rest) == {"allOf"} and len(rest["allOf"]) == 1:
            yield from side.at(rest["allOf"][0]).alternatives()
        elif isinstance(rest.get("type"), list):
            for kind in rest["type"]:
                yield side.at(rest | {"type": kind})
        else:
            yield side.at({"enum": [rest["const"]]} if "const" in rest else rest)


@dataclass(frozen=True)
class Fit:
    """How strictly to compare. `lost` also reports fields of one side that the other does not have; `defaults` values
    that stand for an absent field and are others now."""

    required: bool = True
    lost_in_narrow: bool = False
    lost_in_wide: bool = False
    defaults: bool = False
    _seen: set[tuple[int, int]] = field(default_factory=set)

    def misfits(self, wide: Side, narrow: Side, where: str = "") -> list[str]:
        """Why a value that `narrow` allows may be refused by `wide`; empty when none is."""
        other = self._defaults(wide.node, narrow.node, where) if self.defaults else []
        return other + self._fitting(wide, narrow, where)

    @staticmethod
    def _defaults(wide: Node, narrow: Node, where: str) -> list[str]:
        now, before = (node.get("default", ...) if isinstance(node, dict) else ... for node in (wide, narrow))
        changed = ... not in (now, before) and now != before
        return [f"{where}: left out it means {now!r}, not {before!r}"] if changed else []

    def _fitting(self, wide: Side, narrow: Side, where: str) -> list[str]:
        wide, narrow = wide.resolved(), narrow.resolved()
        pair = (id(wide.node), id(narrow.node))
        if pair in self._seen or wide.node == {} or wide.node is True:
            return []
        self._seen.add(pair)
        try:
            return self._over_unions(wide, narrow, where)
        finally:
            self._seen.discard(pair)

    def _over_unions(self, wide: Side, narrow: Side, where: str) -> list[str]:
        found: list[str] = []
        options = list(wide.alternatives())
        if any(option.node in ({}, True) for option in options):
            return []
        for value in narrow.alternatives():
            tries: list[list[str]] = [self._one(option, value, where) for option in options]
            if all(tries):
                tries.sort(key=_distance)
                found += tries[0]
        return found

    def _one(self, wide: Side, narrow: Side, where: str) -> list[str]:
        if narrow.node in ({}, True):
            return [f"{where}: any value is possible, not only {_words(wide.node)}"]
        if "enum" in narrow.node:
            return self._values(wide, narrow.node["enum"], where)
        if "enum" in wide.node:
            return [f"{where}: {_words(narrow.node)} is possible, not only {_words(wide.node)}"]
        kind, other = wide.node.get("type"), narrow.node.get("type")
        if kind != other and (kind, other) != ("number", "integer"):
            return [f"{where}: type {other} is possible, not only {kind}"]
        unknown = (set(wide.node) | set(narrow.node)) - {"type", "enum"} - _KNOWN.get(_family(kind), frozenset())
        found = [f"{where}: can't be compared: {', '.join(sorted(unknown))}"] if unknown else []
        found += _bounds(wide.node, narrow.node, where)
        if kind == "object":
            found += self._objects(wide, narrow, where)
        if kind == "array":
            found += self._arrays(wide, narrow, where)
        return found

    def _values(self, wide: Side, values: list[Any], where: str) -> list[str]:
        schema = dict(wide.node) | {"$defs": wide.root.get("$defs", {})}
        validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
        refused = [value for value in values if not validator.is_valid(value)]
        return (
            [f"{where}: {', '.join(map(repr, refused))} is possible, not only {_words(wide.node)}"] if refused else []
        )

    def _objects(self, wide: Side, narrow: Side, where: str) -> list[str]:
        ours, theirs = wide.node.get("properties", {}), narrow.node.get("properties", {})
        extra, rest = wide.node.get("additionalProperties", True), narrow.node.get("additionalProperties", True)
        found: list[str] = []
        for name in wide.node.get("required", []):
            if self.required and name not in narrow.node.get("required", []):
                found.append(f"{_at(where, name)}: is required and {'may be' if name in theirs else 'is'} missing")
        for name in sorted(ours.keys() | theirs.keys()):
            found += self._field(wide, narrow, name, where)
        if extra is False and rest is not False:
            found.append(f"{where}: fields that are not named are no longer taken")
        if isinstance(extra, dict) and (isinstance(rest, dict) or "additionalProperties" in narrow.node):
            found += self.misfits(wide.at(extra), narrow.at(rest), _at(where, "*")) if rest is not False else []
        return found

    def _field(self, wide: Side, narrow: Side, name: str, where: str) -> list[str]:
        ours, theirs = wide.node.get("properties", {}), narrow.node.get("properties", {})
        extra, rest = wide.node.get("additionalProperties", True), narrow.node.get("additionalProperties", True)
        place = _at(where, name)
        if name in ours and name in theirs:
            return self.misfits(wide.at(ours[name]), narrow.at(theirs[name]), place)
        if name in theirs:
            if isinstance(extra, dict):
                return self.misfits(wide.at(extra), narrow.at(theirs[name]), place)
            return [f"{place}: is not taken"] if extra is False or self.lost_in_wide else []
        if isinstance(rest, dict):
            return self.misfits(wide.at(ours[name]), narrow.at(rest), place)
        if name in narrow.node.get("required", []):
            return self.misfits(wide.at(ours[name]), narrow.at({}), place)
        gone = self.lost_in_narrow and not (self.required and name in wide.node.get("required", []))
        return [f"{place}: is gone"] if gone else []

    def _arrays(self, wide: Side, narrow: Side, where: str) -> list[str]:
        ours, theirs = wide.node.get("prefixItems", []), narrow.node.get("prefixItems", [])
        found: list[str] = []
        if len(ours) != len(theirs):
            found.append(f"{where}: {len(theirs)} leading items are possible, not {len(ours)}")
        for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
            found += self.misfits(wide.at(one), narrow.at(other), f"{where}[{number}]")
        items = wide.at(wide.node.get("items", True)), narrow.at(narrow.node.get("items", True))
        return found + (self.misfits(*items, f"{where}[]") if items[0].node is not False else [])


def _bounds(wide: Node, narrow: Node, where: str) -> list[str]:
    found = []
    for name in (*_LOWER, *_UPPER):
        limit, other = wide.get(name), narrow.get(name)
        if limit is None:
            continue
        tight = other is not None and (other >= limit if name in _LOWER else other <= limit)
        if not tight:
            found.append(f"{where}: {name} {limit} is asked, {'nothing' if other is None else other} is promised")
    for name in _SAME:
        if wide.get(name) not in (None, False, narrow.get(name)):
            found.append(f"{where}: {name} {wide[name]!r} is asked, {narrow.get(name)!r} is promised")
    for name in _EQUAL:
        if wide.get(name) != narrow.get(name):
            found.append(f"{where}: {name} is {narrow.get(name)!r} on one side and {wide.get(name)!r} on the other")
    return found


def _family(kind: str | None) -> str:
    return "number" if kind == "integer" else str(kind)


def _distance(errors: list[str]) -> tuple[bool, int]:
    return any(": type " in error for error in errors), len(errors)


def _words(node: Node) -> str:
    if not isinstance(node, dict):
        return str(node)
    return " or ".join(map(repr, node["enum"])) if "enum" in node else str(node.get("type", node))


def _at(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
