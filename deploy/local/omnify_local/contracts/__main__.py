"""The command line of the contracts."""

import argparse
import sys

from omnify_local import paths
from omnify_local.contracts import files, golden, services


def main(arguments: list[str] | None = None) -> int:
    """0 when all is well; 1 when the files are stale or something breaks, with the reasons printed."""
    parser = argparse.ArgumentParser(prog="python -m omnify_local.contracts", description="The published contracts.")
    parser.add_argument("--check", action="store_true", help="change nothing; fail when stale or broken")
    parser.add_argument("--release", action="store_true", help="promise what is published now")
    options = parser.parse_args(arguments)

    loaded = services.load(paths.repository())
    folder = paths.repository() / files.FOLDER
    made = files.generated(loaded)
    if options.check:
        problems = files.drift(folder, made)
        if problems:
            problems.append("The contracts are stale: run `make contracts` and commit docs/contracts.")
    else:
        problems = []
        print("\n".join(files.write(folder, made)) or "contracts: nothing changed")
    found = files.broken(folder, made, loaded)
    kept = paths.repository() / golden.FOLDER
    found += golden.rewritten(kept, files.released_golden(folder))
    problems += [f"BREAKS {reason}" for reason in found]
    missing = list(golden.problems(kept, loaded))
    if options.check or options.release:
        problems += missing
    elif missing:
        print("\n".join(missing), file=sys.stderr)  # what `make golden`, which follows, is for
    if options.release and not problems:
        files.write(
            folder / files.RELEASED, files.promises(made) | {golden.MANIFEST: files.text_of(golden.digests(kept))}
        )
    print("\n".join(problems), file=sys.stderr, end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
