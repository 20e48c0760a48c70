"""The ledgers of a run as a table, and as `.omnify/faults.json`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HEADS = ("drill", "ack", "found", "lost", "doubled", "order", "wrong ok", "recovery", "seconds", "")
Result = dict[str, Any]


def table(results: Sequence[Result]) -> list[str]:
    """One line per drill, and below it what it noted and what is wrong."""
    rows = [HEADS, *(_cells(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADS))]
    lines = []
    for row, result in zip(rows, [None, *results], strict=True):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
        if result:
            lines += [f"    {line}" for line in _remarks(result)]
    return lines


def _cells(result: Result) -> tuple[str, ...]:
    counts = (str(result[name]) for name in ("acknowledged", "found", "lost", "doubled", "order_breaks", "wrong_ok"))
    recovery = result["recovery_seconds"]
    return (
        f"{result['drill']} {result['title']}",
        *counts,
        "-" if recovery is None else f"{recovery:.1f} s",
        f"{result['seconds']:.0f}",
        "pass" if result["passed"] else "FAIL",
    )


def _remarks(result: Result) -> list[str]:
    facts = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in result["facts"].items())
    return [*([facts] if facts else []), *(f"FAIL: {failure}" for failure in result["failures"])]


def write(path: Path, *, seed: int, scale: str, set_name: str, results: Sequence[Result]) -> None:
    """The same for programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"seed": seed, "scale": scale, "set": set_name, "drills": list(results)}
    path.write_text(json.dumps(told, indent=2) + "\n")
