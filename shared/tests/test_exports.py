"""What an export says about itself."""

from omnify_shared.exports import MOST, with_what_was_cut


def test_a_list_that_was_cut_is_named() -> None:
    whole, cut = {"files": [{}] * (MOST - 1), "plan": "free"}, {"files": [{}] * MOST, "plan": "free"}
    assert with_what_was_cut({**whole}) == whole
    assert with_what_was_cut({**cut}) == cut | {"cut": ["files"]}
