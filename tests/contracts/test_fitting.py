"""What the comparison of two schemas says is true of values."""

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from omnify_local.contracts.fitting import Fit, Side

SCALARS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [{}, {"type": "string"}, {"type": "integer"}, {"type": "number"}, {"type": "null"}, {"type": "boolean"}]
    ),
    st.builds(
        lambda low, high: {"type": "integer", "minimum": low, "maximum": high}, st.integers(0, 3), st.integers(0, 4)
    ),
    st.builds(lambda high: {"type": "string", "maxLength": high}, st.integers(0, 3)),
    st.builds(lambda values: {"enum": values}, st.lists(st.sampled_from(["a", "b", 1, None]), min_size=1, unique=True)),
)


def _object(fields: dict[str, Any], required: bool, more: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": fields}
    return (
        schema | ({"required": sorted(fields)} if required else {}) | ({} if more else {"additionalProperties": False})
    )


SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda item: {"type": "array", "items": item}, inner),
        st.builds(
            _object, st.dictionaries(st.sampled_from(["x", "y"]), inner, max_size=2), st.booleans(), st.booleans()
        ),
    ),
    max_leaves=6,
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(["", "a", "b", "long text", 0, 1, 2, 5, -1, 1.5, None, True]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["x", "y", "z"]), inner, max_size=2),
    max_leaves=4,
)


def closed(node: Any) -> Any:
    """The schema without fields that it does not name, as the comparison takes it."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    inner = {key: closed(value) for key, value in node.items()}
    return inner | ({"additionalProperties": False} if inner.get("type") == "object" else {})


@given(wide=SCHEMAS, narrow=SCHEMAS, values=st.lists(VALUES, max_size=20))
@settings(max_examples=300, deadline=None)
def test_what_is_said_to_fit_fits(wide: Any, narrow: Any, values: list[Any]) -> None:
    narrow = closed(narrow)
    if Fit().misfits(Side(wide, wide), Side(narrow, narrow)):
        return
    for value in values:
        if Draft202012Validator(narrow).is_valid(value):
            assert Draft202012Validator(wide).is_valid(value)


@given(schema=SCHEMAS)
@settings(max_examples=100, deadline=None)
def test_a_schema_fits_itself(schema: Any) -> None:
    again = copy.deepcopy(schema)
    assert Fit(lost_in_narrow=True, lost_in_wide=True).misfits(Side(schema, schema), Side(again, again)) == []
