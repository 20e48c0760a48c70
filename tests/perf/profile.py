"""`make profile`: where the CPU of the hot paths goes, in the services (py-spy) and in their sidecars (pprof).

Each path is under load while both look. Shares are of the samples in which the process was running.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx

sys.path.insert(0, str(Path(__file__).parents[1]))

from omnify_local import system_packages, tools
from omnify_local.ports import LOOPBACK, free_port
from omnify_shared import logs
from omnify_shared.testing import Platform
from omnify_shared.testing.backing import Backing
from perf import load
from perf.services import CSV, Bench, synthetic_orders

SECONDS = 10
TOP = 12
Work = Callable[[Bench], None]


def _me(bench: Bench) -> None:
    load.run(bench.get(bench.marketer, "/api/auth/me"), connections=16, seconds=SECONDS + 2, folder=bench.folder)


def _login(bench: Bench) -> None:
    load.run(bench.sign_ins, connections=4, seconds=SECONDS + 2, folder=bench.folder)


def _import(bench: Bench) -> None:
    end = time.monotonic() + SECONDS + 2
    while time.monotonic() < end:
        marketer = bench.joined()
        marketer.wait_for_import(marketer.start_import(synthetic_orders(100_000), CSV), 120)


def _events(bench: Bench) -> None:
    """Each joining is three events for the mail service, and a session's end one for everybody."""
    end = time.monotonic() + SECONDS + 2
    while time.monotonic() < end:
        bench.joined()


@dataclass(frozen=True)
class HotPath:
    """Work that loads the platform, and the apps to look at while it does."""

    work: Work
    apps: tuple[str, ...]


PATHS = {
    "me": HotPath(_me, ("gateway", "auth")),
    "login": HotPath(_login, ("auth",)),
    "import": HotPath(_import, ("analytics",)),
    "events": HotPath(_events, ("auth", "email")),
}


def _samples(pid: int, file: Path) -> Counter[str]:
    """Samples by function, as py-spy found them in SECONDS."""
    program = Path(sys.executable).with_name("py-spy")
    command = [program, "record", "--pid", pid, "--duration", SECONDS, "--rate", 200, "--format", "raw", "-o", file]
    answer = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(
            f"omnify: py-spy can't look into a process here (as root it can): {answer.stderr.strip()[-200:]}"
        )
    found: Counter[str] = Counter()
    for line in file.read_text().splitlines():
        stack, _, count = line.rpartition(" ")
        found[_short(stack.split(";")[-1])] += int(count)
    return found


def _short(frame: str) -> str:
    """`verify (identity.py:180)` without its line: one function is one cost."""
    name, _, place = frame.partition(" (")
    return f"{name} ({place.partition(':')[0]})"


def _sidecar_costs(port: int, file: Path) -> list[tuple[float, str]]:
    """The known costs of a daprd, in percent of its CPU, by pprof's cumulative table."""
    address = f"http://{LOOPBACK}:{port}/debug/pprof/profile?seconds={SECONDS}"
    file.write_bytes(httpx.get(address, timeout=SECONDS + 20).raise_for_status().content)
    command = ["go", "tool", "pprof", "-top", "-cum", "-nodefraction=0", "-nodecount=4000", tools.dapr().daprd, file]
    answer = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=True)
    lines = [line.split(maxsplit=5) for line in answer.stdout.splitlines() if line.count("%") == 3]
    shares = {line[5].removesuffix(" (inline)"): float(line[4].rstrip("%")) for line in lines if len(line) == 6}
    found = [
        (max((share for name, share in shares.items() if name.endswith(end)), default=0.0), cost) for cost, end in COSTS
    ]
    return sorted(found, reverse=True)


# What daprd does with its time: the function under which all of it is. Some lie within others.
COSTS = (
    ("collecting garbage", "runtime.gcBgMarkWorker"),
    ("allocating", "runtime.mallocgc"),
    ("system calls", "linux.Syscall6"),
    ("metrics", "go.opencensus.io/stats.RecordWithOptions"),
    ("counting policy runs", "(*Resiliency).addMetricsToPolicy"),
    ("finding the peer", "(*directMessaging).getRemoteApp"),
    ("growing stacks", "runtime.copystack"),
    ("scheduling goroutines", "runtime.schedule"),
    ("spans", "trace.(*tracer).Start"),
    ("state calls", "(*Universal).GetState"),
)


def _profiled(name: str, bench: Bench, ports: dict[str, int]) -> None:
    """Loads one path, looks at its apps and their sidecars at once, prints what it saw."""
    path, seen, costs = PATHS[name], dict[str, Counter[str]](), dict[str, list[tuple[float, str]]]()
    loading = threading.Thread(target=path.work, args=(bench,))
    looks = []
    for app in path.apps:
        process = bench.platform.services[app].process
        assert process is not None
        looks.append(threading.Thread(target=_look, args=(seen, app, process.pid, bench.folder / f"{name}-{app}.raw")))
        if shutil.which("go"):
            looks.append(
                threading.Thread(target=_ask, args=(costs, app, ports[app], bench.folder / f"{name}-{app}.pb"))
            )
    for thread in (loading, *looks):
        thread.start()
    for thread in (loading, *looks):
        thread.join()
    print(f"\n== {name}")
    for app in path.apps:
        _print_service(app, seen[app])
        _print_sidecar(app, costs.get(app, []))


def _look(seen: dict[str, Counter[str]], app: str, pid: int, file: Path) -> None:
    seen[app] = _samples(pid, file)


def _ask(costs: dict[str, list[tuple[float, str]]], app: str, port: int, file: Path) -> None:
    costs[app] = _sidecar_costs(port, file)


def _print_service(app: str, found: Counter[str]) -> None:
    total = max(1, found.total())
    print(f"{app}, service ({total} samples)")
    for function, count in found.most_common(TOP):
        print(f"  {count / total:6.1%}  {function}")


def _print_sidecar(app: str, costs: list[tuple[float, str]]) -> None:
    print(f"{app}, sidecar" if costs else f"{app}, sidecar: pprof needs Go on the PATH")
    for share, cost in costs:
        print(f"  {share:5.1f}%  {cost}")


def main() -> int:
    """Profiles the chosen paths on the embedded set."""
    parser = argparse.ArgumentParser(prog="profile", description=__doc__)
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(PATHS), help=f"of {', '.join(PATHS)}")
    chosen = parser.parse_args()
    if unknown := set(chosen.only) - set(PATHS):
        parser.error(f"no path {', '.join(unknown)}; there are: {', '.join(PATHS)}")
    logs.configure("profile", "ERROR")
    system_packages.ensure_for_benchmarks()
    with tempfile.TemporaryDirectory() as name:
        backing = Backing(Path(name) / "servers")
        platform = Platform(
            backing.home(Path(name) / "platform", "local"), backing.mailbox, {"OMNIFY_LOG_LEVEL": "WARNING"}
        )
        ports = {app: free_port() for app in platform.services}
        for app, service in platform.services.items():
            service.sidecar.options += ("--enable-profiling", f"--profile-port={ports[app]}")
        try:
            bench = Bench(platform.start(), load.Target("", {}), Path(name))
            if "login" in chosen.only:
                print(f"{len(bench.accounts.addresses)} accounts made", file=sys.stderr)  # before anybody looks
            for path in chosen.only:
                _profiled(path, bench, ports)
        finally:
            platform.stop()
            backing.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
