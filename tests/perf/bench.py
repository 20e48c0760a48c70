"""`make bench`: every figure as a ratio against its floor in the same run; a table, and .omnify/bench.json.

`make bench SET=nats ONLY=calls,logins SIZES=1000,10000` runs less of it. Parts that a component set bears on run once
per set, the others once.
"""

import argparse
import asyncio
import json
import os
import platform as machine
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from omnify_local import paths, runfile, system_packages
from omnify_shared import logs
from omnify_shared.testing.backing import Backing
from perf import (
    blocks,
    enumeration,
    functions,
    growth,
    hooks,
    mails,
    processors,
    revocation,
    rotation,
    services,
    sidecars,
    signing_in,
    uploads,
)
from perf.measure import Row
from perf.run import Run

HEAD = ("set", "figure", "ours", "floor", "unit", "ratio", "goal", "")
Part = Callable[[Run], list[Row]]

ONCE: dict[str, Part] = {
    "sidecars": lambda run: sidecars.rows(run.backing, run.folder),
    "tokens": lambda run: asyncio.run(processors.token_checks()),
    "functions": lambda run: functions.rows(run),
}
PER_SET: dict[str, Part] = {
    "start": lambda run: services.start(run.set_name),
    "saves": lambda run: asyncio.run(blocks.saves(run)),
    "events": lambda run: asyncio.run(blocks.events(run)),
    "backlog": lambda run: asyncio.run(growth.backlog(run)),
    "lists": lambda run: asyncio.run(growth.lists(run)),
    "calls": lambda run: run.bench.calls(),
    "logins": lambda run: signing_in.logins(run.bench),
    "refreshes": lambda run: signing_in.refreshes(run.bench),
    "revocations": lambda run: revocation.rows(run.bench),
    "rotation": lambda run: rotation.rows(run.bench),
    "enumeration": lambda run: enumeration.rows(run.bench),
    "imports": lambda run: run.bench.imports(),
    "mails": lambda run: mails.rows(run.bench),
    "orders": lambda run: growth.orders(run.bench, run.sizes),
    "uploads": lambda run: uploads.rows(run.bench),
    "webhooks": lambda run: hooks.rows(run),
    "users": lambda run: growth.users(run, run.sizes),
    "memory": lambda run: run.bench.memory(),
}


def measure(sets: Sequence[str], parts: Sequence[str], sizes: Sequence[int]) -> Iterable[Row]:
    """The rows of all chosen parts, each as soon as its part is done."""
    with tempfile.TemporaryDirectory() as name:
        backing = Backing(Path(name) / "servers")
        try:
            with Run("", backing, Path(name), sizes) as once:
                for part in (each for each in ONCE if each in parts):
                    yield from ONCE[part](once)
            for set_name in sets:
                with Run(set_name, backing, Path(name) / set_name, sizes) as run:
                    for part in (each for each in PER_SET if each in parts):
                        yield from (replace(row, set_name=set_name) for row in PER_SET[part](run))
        finally:
            backing.stop()


def print_table(rows: Iterable[Row]) -> None:
    """The rows, aligned; a missed goal says so."""
    lines: list[tuple[str, ...]] = [HEAD]
    for row in rows:
        verdict = {True: "met", False: "MISSED", None: ""}[row.met]
        figures = [f"{value:,.3g}" if value < 1000 else f"{value:,.0f}" for value in (row.ours, row.floor)]
        lines.append((row.set_name, row.figure, *figures, row.unit, f"{row.ratio:.2f}", row.goal, verdict))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def write_report(rows: Sequence[Row]) -> Path:
    """The rows with what they were measured on, as JSON."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    report = {
        "machine": f"{os.cpu_count()} cores, {machine.machine()}, Python {machine.python_version()}",
        "load": os.getloadavg(),
        "commit": commit,
        "rows": [asdict(row) | {"ratio": row.ratio, "met": row.met} for row in rows],
    }
    target = paths.repository() / ".omnify" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(report, indent=2) + "\n")
    return target


def _arguments() -> argparse.Namespace:
    known, parts = runfile.sets(paths.repository()), [*ONCE, *PER_SET]
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--set", action="append", choices=known, dest="sets", help="a component set (repeatable)")
    parser.add_argument("--only", type=lambda text: text.split(","), default=parts, help=f"of {', '.join(parts)}")
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=growth.SIZES)
    chosen = parser.parse_args()
    if unknown := set(chosen.only) - set(parts):
        parser.error(f"no part {', '.join(unknown)}; there are: {', '.join(parts)}")
    chosen.sets = chosen.sets or known
    return chosen


def main() -> int:
    """Runs the chosen benchmarks; the exit status does not depend on the goals (the machine may be busy)."""
    chosen = _arguments()
    logs.configure("bench", "ERROR")
    system_packages.ensure_for_benchmarks()
    rows: list[Row] = []
    for row in measure(chosen.sets, chosen.only, chosen.sizes):
        rows.append(row)
        print(f"{row.set_name:>20}  {row.figure}: {row.ratio:.2f}", file=sys.stderr, flush=True)
    print_table(rows)
    print(f"\nalso in {write_report(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
