"""`make matrix`: docs/component-sets.md, which set gives which guarantee, from what the last runs of the tests found.

The results are those of `.omnify/conformance.json` (omnify_shared.testing.guarantees): per set, guarantee and test.
"""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from omnify_local import paths, runfile
from omnify_local.errors import LocalError
from omnify_local.guarantees import GUARANTEES, not_offered
from omnify_local.tools import DAPR_VERSION

PAGE = Path("docs") / "component-sets.md"
RESULTS = Path(".omnify") / "conformance.json"
Outcomes = Mapping[str, Mapping[str, Mapping[str, str]]]

_HEAD = f"""# What each component set gives

Made by `make matrix` from the last run of `make test` on all sets, with daprd {DAPR_VERSION}. A figure is the number of
tests that passed; they are the same tests on every set. *Not offered*: the set's servers cannot give it, and the
services do not need it.
"""


def page(root: Path, outcomes: Outcomes) -> str:
    """The whole page. Raises LocalError for a guarantee that failed, or was not tried, on a set."""
    sets = runfile.sets(root)
    if missing := [*_unproven(root, sets, outcomes)]:
        raise LocalError("\n".join(["the matrix can't be made:", *missing]))
    parts = [_HEAD, _table(["Set", "Components"], [[f"`{name}`", _types(root, name)] for name in sets])]
    rows = [
        [f"**{name}**: {meaning}", *(_cell(root, each, name, outcomes) for each in sets)]
        for name, meaning in GUARANTEES.items()
    ]
    return "\n".join([*parts, _table(["Guarantee", *(f"`{name}`" for name in sets)], rows)])


def _unproven(root: Path, sets: Sequence[str], outcomes: Outcomes) -> Iterator[str]:
    for set_name in sets:
        for name in GUARANTEES.keys() - not_offered(root / "components" / set_name):
            tests = outcomes.get(set_name, {}).get(name, {})
            if not tests:
                yield f"{set_name}: {name}: not tried"
            yield from (f"{set_name}: {name}: {test} {end}" for test, end in tests.items() if end == "failed")


def _cell(root: Path, set_name: str, name: str, outcomes: Outcomes) -> str:
    if name in not_offered(root / "components" / set_name):
        return "not offered"
    return f"{sum(end == 'passed' for end in outcomes[set_name][name].values())} passed"


def _types(root: Path, set_name: str) -> str:
    kinds = runfile.component_types(root, set_name)
    return ", ".join(f"`{kind}`" for kind in sorted(kinds) if not kind.startswith("secretstores."))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> int:
    """Write the page; status 1 with the reason when it can't be made."""
    root = paths.repository()
    try:
        if not (root / RESULTS).exists():
            raise LocalError("there are no results: run `make test` first")
        text = page(root, json.loads((root / RESULTS).read_text()))
    except LocalError as error:
        print(f"omnify: {error}", file=sys.stderr)
        return 1
    (root / PAGE).write_text(text)
    print(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
