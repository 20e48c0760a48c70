"""The page of component sets: made from results, refused when one is missing or failed."""

import pytest

from omnify_local import matrix, paths, runfile
from omnify_local.errors import LocalError
from omnify_local.guarantees import GUARANTEES, not_offered

ROOT = paths.repository()
Outcomes = dict[str, dict[str, dict[str, str]]]


def all_passed() -> Outcomes:
    return {
        name: {
            guarantee: {"one": "passed", "two": "passed"}
            for guarantee in GUARANTEES.keys() - not_offered(ROOT / "components" / name)
        }
        for name in runfile.sets(ROOT)
    }


def test_the_page_counts_what_passed_and_names_what_is_not_offered() -> None:
    text = matrix.page(ROOT, all_passed())
    for name, meaning in GUARANTEES.items():
        [row] = [line for line in text.splitlines() if line.startswith(f"| **{name}**: {meaning} |")]
        missing = sum(name in not_offered(ROOT / "components" / each) for each in runfile.sets(ROOT))
        assert (row.count("2 passed"), row.count("not offered")) == (len(runfile.sets(ROOT)) - missing, missing)


def test_a_failure_and_a_gap_keep_the_page_from_being_made() -> None:
    outcomes = all_passed()
    outcomes["local"]["outbox"]["two"] = "failed"
    del outcomes["nats"]["replay"]
    with pytest.raises(LocalError) as refused:
        matrix.page(ROOT, outcomes)
    assert str(refused.value).splitlines()[1:] == ["local: outbox: two failed", "nats: replay: not tried"]
