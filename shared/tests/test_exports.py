"""What an export says about itself."""

from pydantic import JsonValue

from omnify_shared.exports import MOST, with_what_was_cut


def test_a_list_that_was_cut_is_named() -> None:
    def found(files: int) -> dict[str, JsonValue]:
        return {"files": [{}] * files, "plan": "free"}

    assert with_what_was_cut(found(MOST - 1)) == found(MOST - 1)
    assert with_what_was_cut(found(MOST)) == found(MOST) | {"cut": ["files"]}
