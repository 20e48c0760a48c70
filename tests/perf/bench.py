"""`make bench`: every figure as a ratio against its floor in the same run; a table, and .omnify/bench.json."""

import asyncio
import json
import os
import platform as machine
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from conformance.probe import CONSUMER, PROBE, running
from omnify_local import paths, system_packages, tools
from omnify_shared import logs
from omnify_shared.testing import Platform, Sidecar
from omnify_shared.testing.backing import Backing
from perf import blocks, processors, services, sidecars
from perf.measure import Row

SETS = ("local", "mongo-kafka")
HEAD = ("figure", "ours", "floor", "unit", "ratio", "goal", "")


async def block_rows(backing: Backing, folder: Path) -> list[Row]:
    """Figures of the building blocks."""
    rows = await processors.token_checks()
    home = backing.home(folder / "saves", "local", [PROBE, CONSUMER])
    with Sidecar(home, "probe") as sidecar:
        async with running(sidecar) as probe:
            rows += await blocks.saves(probe)
    for set_name in SETS:
        rows += await blocks.events(set_name, backing, folder)
    return rows


def service_rows(backing: Backing, folder: Path) -> list[Row]:
    """Figures of the whole platform on the embedded set."""
    home = backing.home(folder / "platform", "local")
    platform = Platform(home, backing.mailbox, {"OMNIFY_LOG_LEVEL": "WARNING"}).start()
    try:
        with services.echo_floor(backing, folder) as echo:
            bench = services.Bench(platform, echo, folder)
            return bench.calls() + bench.logins() + bench.imports() + bench.growth() + bench.memory()
    finally:
        platform.stop()


def start_rows() -> list[Row]:
    """How long `make up` takes when everything is installed, and how long Dapr took to build here."""
    rows = []
    for set_name in SETS:
        seconds = services.time_warm_up(set_name)
        if seconds is not None:
            rows.append(Row(f"warm `make up`, {set_name}", seconds, 1, "s"))
    if (built := tools.build_seconds()) is not None:
        rows.append(Row("cold `make up` adds the build of Dapr", built, 1, "s"))
    return rows


def print_table(rows: Iterable[Row]) -> None:
    """The rows, aligned; a missed goal says so."""
    lines = [HEAD]
    for row in rows:
        verdict = {True: "met", False: "MISSED", None: ""}[row.met]
        figures = (f"{row.ours:,.3g}" if row.ours < 1000 else f"{row.ours:,.0f}", f"{row.floor:,.3g}")
        lines.append((row.figure, *figures, row.unit, f"{row.ratio:.2f}", row.goal, verdict))
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def main() -> int:
    """Runs every benchmark; the exit status does not depend on the goals (the machine may be busy)."""
    logs.configure("bench", "ERROR")
    system_packages.ensure_for_benchmarks()
    rows = start_rows()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        backing = Backing(folder / "servers")
        try:
            rows += sidecars.rows(backing, folder)
            rows += asyncio.run(block_rows(backing, folder))
            rows += service_rows(backing, folder)
        finally:
            backing.stop()
    print_table(rows)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    report = {
        "machine": f"{os.cpu_count()} cores, {machine.machine()}, Python {machine.python_version()}",
        "commit": commit,
        "rows": [asdict(row) | {"ratio": row.ratio, "met": row.met} for row in rows],
    }
    target = paths.repository() / ".omnify" / "bench.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nalso in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
