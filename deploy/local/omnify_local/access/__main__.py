"""The command line of the allow lists."""

import argparse
import difflib
import sys
from collections.abc import Mapping
from pathlib import Path

from omnify_local import paths
from omnify_local.access import lists, table
from omnify_local.access.grants import grants_of
from omnify_local.contracts import services
from omnify_local.errors import LocalError
from omnify_local.sentry import ALLOW_LISTS, GUEST


def generated(root: Path) -> dict[str, str]:
    """Every made file by its path below `root`. Raises LocalError when the declarations contradict each other."""
    loaded = services.load(root)
    grants = grants_of(loaded)
    files = {f"{ALLOW_LISTS.as_posix()}/{one.name}.yaml": lists.configuration(one, grants) for one in loaded}
    files[f"{ALLOW_LISTS.as_posix()}/{GUEST}.yaml"] = lists.guest()
    return files | {"docs/permissions.md": table.document(root, loaded, grants)}


def stored(root: Path) -> dict[str, str]:
    """The files as they lie there."""
    found = [*(root / ALLOW_LISTS).glob("*.yaml"), *(root / "docs").glob("permissions.md")]
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted(found)}


def drift(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The difference as lines; empty when there is none."""
    lines: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        lines += difflib.unified_diff(old, new, f"stored {name}", f"made from the code {name}", lineterm="", n=1)
    return lines


def write(root: Path, files: Mapping[str, str]) -> None:
    """Makes the repository hold exactly these."""
    for name in stored(root).keys() - files.keys():
        (root / name).unlink()
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def main(arguments: list[str] | None = None) -> int:
    """0 when all is well, 1 with the reason otherwise."""
    parser = argparse.ArgumentParser(prog="python -m omnify_local.access", description="The allow lists.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when stale")
    options = parser.parse_args(arguments)
    root = paths.repository()
    try:
        files = generated(root)
    except LocalError as error:
        print(f"omnify: {error}", file=sys.stderr)
        return 1
    changes = drift(stored(root), files)
    if not options.check:
        write(root, files)
        print("access: written" if changes else "access: nothing changed")
    elif changes:
        print("\n".join([*changes, "The allow lists are stale: run `make access` and commit."]), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
