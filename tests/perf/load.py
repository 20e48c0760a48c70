"""HTTP load by wrk (Debian's package), which takes little of the processors that it shares with what it measures."""

import json
import random
import shutil
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPORT, BODIES, CHAIN = (Path(__file__).with_name(f"{name}.lua") for name in ("report", "bodies", "chain"))


@dataclass(frozen=True)
class Target:
    """What to request."""

    url: str
    headers: Mapping[str, str]
    bodies: Sequence[str] = ()
    """Posted one after the other, from anywhere on; none is a GET."""
    chain: Sequence[str] = ()
    """Refresh tokens to post: each goes into one request, and the one that is answered into a later one."""


@dataclass(frozen=True)
class Load:
    """Requests per second, milliseconds, and how many requests failed."""

    rate: float
    p50: float
    p99: float
    errors: int


def run(target: Target, *, connections: int, seconds: int, folder: Path) -> Load:
    """One bounded run against loopback."""
    program = shutil.which("wrk")
    if program is None:
        raise SystemExit("omnify: the benchmarks need wrk: apt-get install wrk")
    script = folder / "wrk.lua"
    script.write_text(_script(target) + REPORT.read_text())
    command = [program, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script)]
    for name, value in target.headers.items():
        command += ["-H", f"{name}: {value}"]
    answer = subprocess.run([*command, target.url], capture_output=True, text=True, check=True)
    found = json.loads(answer.stdout.strip().splitlines()[-1])
    return Load(found["requests"] / found["seconds"], found["p50"], found["p99"], found["errors"])


def _script(target: Target) -> str:
    if target.chain:
        return f"tokens = {_lua(target.chain)}\n" + CHAIN.read_text()
    if target.bodies:
        return f"bodies, number = {_lua(target.bodies)}, {random.randrange(len(target.bodies))}\n" + BODIES.read_text()
    return ""


def _lua(texts: Sequence[str]) -> str:
    return "{" + ",".join(f"[==[{text}]==]" for text in texts) + "}"


def rounds(
    targets: Sequence[Target], *, connections: int, folder: Path, times: int = 3, seconds: int = 4
) -> list[Load]:
    """All targets, alternately, so that a drift of the machine hits all; medians. SystemExit when a request failed."""
    loads: list[list[Load]] = [[] for _ in targets]
    for target in targets:
        run(target, connections=connections, seconds=1, folder=folder)
    for number in range(times):
        for kept, target in (list if number % 2 else reversed)(list(zip(loads, targets, strict=True))):
            kept.append(run(target, connections=connections, seconds=seconds, folder=folder))
    medians = [_median(each) for each in loads]
    if failed := sum(one.errors for one in medians):
        raise SystemExit(f"{failed} requests of a benchmark failed: its figures would mean nothing")
    return medians


def _median(loads: list[Load]) -> Load:
    return Load(
        statistics.median(load.rate for load in loads),
        statistics.median(load.p50 for load in loads),
        statistics.median(load.p99 for load in loads),
        sum(load.errors for load in loads),
    )
