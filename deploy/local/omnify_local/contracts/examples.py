"""An example of what a JSON Schema describes, for schemas of the kind that our events have."""

from collections.abc import Mapping
from typing import Any

_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
_BY_NAME = {
    "subject": _ID,
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "currency": "EUR",
    "sequence": "3",
}
_BY_FORMAT = {"date-time": "2026-01-31T12:00:00Z", "date": "2026-01-31"}


def of(schema: Mapping[str, Any]) -> Any:
    """A value that the schema takes, the same each time."""
    return _value("", schema, schema)


def _value(name: str, node: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    if "$ref" in node:
        return _value(name, root["$defs"][node["$ref"].rpartition("/")[2]], root)
    for union in ("anyOf", "oneOf", "allOf"):
        if union in node:
            return _value(name, node[union][0], root)
    if "const" in node or "enum" in node:
        return node["const"] if "const" in node else node["enum"][0]
    match node.get("type"):
        case "object":
            return {key: _value(key, inner, root) for key, inner in node.get("properties", {}).items()}
        case "array":
            return [_value(name, node["items"], root)] if "items" in node else []
        case "integer" | "number":
            return node.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
    if "format" in node:
        return _BY_FORMAT[node["format"]]
    return _BY_NAME.get(name, _ID if name == "id" or name.endswith("_id") else "text")
