"""Benchmarks of the running platform on the embedded set, against bare apps and libraries in the same run."""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import psutil

from omnify_local import data, paths
from omnify_local.journey import CDNOW_MASTER, Marketer
from omnify_local.ports import free_port
from omnify_shared.ids import new_id
from omnify_shared.testing import ExtraApp, Platform, Service, Sidecar
from omnify_shared.testing.backing import Backing
from perf import load, processors
from perf.load import Target
from perf.measure import Row

MANY = 100_000
FEW = 1_000
COLUMNS = {"customer_id": "customer", "ordered_at": "day", "amount": "amount"}
CSV = {"delimiter": ",", "has_header": True, "date_format": "%Y-%m-%d", "currency": "USD", "columns": COLUMNS}


@contextmanager
def echo_floor(backing: Backing, folder: Path) -> Iterator[Target]:
    """A bare FastAPI app behind two sidecars, as every service is."""
    home = backing.home(folder / "echo", "local", [ExtraApp("caller"), ExtraApp("echo")])
    serving = Service(
        Sidecar(home, "echo", app_port=free_port()),
        "perf.echo:create_app",
        environment={"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    with Sidecar(home, "caller") as caller, serving.sidecar:
        serving.start(ready=False)
        serving.sidecar.wait_for_app()
        try:
            yield Target(f"{caller.url}/echo", caller.headers | {"dapr-app-id": "echo"})
        finally:
            serving.terminate()


class Bench:
    """The platform under measurement, with one user who has signed in."""

    def __init__(self, platform: Platform, echo: Target, folder: Path) -> None:
        self.platform, self.echo, self.folder = platform, echo, folder
        self.marketer = self._joined()

    def _joined(self) -> Marketer:
        marketer = Marketer(self.platform.url)
        marketer.join(self.platform.inbox)
        return marketer

    def _get(self, marketer: Marketer, path: str) -> Target:
        marketer.log_in()
        token = marketer.tokens["access_token"]
        return Target(self.platform.url + path, {"Authorization": f"Bearer {token}"})

    def calls(self) -> list[Row]:
        """`GET /api/auth/me` through the gateway."""
        me = self._get(self.marketer, "/api/auth/me")
        ours, floor = load.in_turn(me, self.echo, connections=1, folder=self.folder)
        _no_errors(ours, floor)
        rows = [Row("gateway → auth /me, p50, 1 connection / echo", ours.p50, floor.p50, "ms", "<= 1.6")]
        ours, floor = load.in_turn(me, self.echo, connections=32, folder=self.folder)
        _no_errors(ours, floor)
        rows.append(Row("the same, throughput, 32 connections / echo", ours.rate, floor.rate, "/s", ">= 0.6"))
        return rows

    def logins(self) -> list[Row]:
        """Logins per second against the Argon2 verifications that the same cores can do."""
        body = json.dumps({"email": self.marketer.email, "password": self.marketer.password})
        target = Target(self.platform.url + "/api/auth/login", {}, body)
        load.run(target, connections=2, seconds=1, folder=self.folder)
        rates, floors = [], []
        for _ in range(3):
            done = load.run(target, connections=4, seconds=5, folder=self.folder)
            _no_errors(done)
            rates.append(done.rate)
            floors.append(processors.argon2_per_second(4))
        return [Row("logins / Argon2 verifications", sorted(rates)[1], sorted(floors)[1], "/s", ">= 0.85")]

    def imports(self) -> list[Row]:
        """The big order file, from upload to completion, against pandas."""
        file = data.fetch(paths.repository()) / data.MASTER
        floor, rows = processors.pandas_rows_per_second(file)
        rates = []
        for _ in range(3):
            marketer = self._joined()
            started = time.perf_counter()
            status = marketer.wait_for_import(marketer.start_import(file, CDNOW_MASTER), 120)
            rates.append(rows / (time.perf_counter() - started))
            if (status["status"], status["rows_accepted"]) != ("completed", rows):
                raise SystemExit(f"the benchmark's import went wrong: {status}")
        ours = sorted(rates)[1]
        return [
            Row("import / pandas parse and group", ours, floor, "rows/s", ">= 0.1"),
            Row("import / 5,000 rows per second", ours, 5000, "rows/s", ">= 1"),
        ]

    def growth(self) -> list[Row]:
        """The same requests at a small and at a large size, and the warm overview against the echo."""
        small, large = self._joined(), self._joined()
        for marketer, size in ((small, FEW), (large, MANY)):
            marketer.wait_for_import(marketer.start_import(synthetic_orders(size), CSV), 120)
        query = "/api/analytics/overview?from=2022-01-01&to=2023-12-31&granularity=month"
        at_small, at_large = self._get(small, query), self._get(large, query)
        ours, floor = load.in_turn(at_large, self.echo, connections=1, folder=self.folder)
        _no_errors(ours, floor)
        rows = [Row("overview of two years, 100,000 orders, warm, p50 / echo", ours.p50, floor.p50, "ms", "<= 3")]
        big, few = load.in_turn(at_large, at_small, connections=1, folder=self.folder)
        rows.append(Row("overview at 100,000 / at 1,000 orders, p50", big.p50, few.p50, "ms", "<= 1.3"))
        return rows + self._users()

    def _users(self) -> list[Row]:
        me = self._get(self.marketer, "/api/auth/me")
        few = load.run(me, connections=1, seconds=5, folder=self.folder)
        asyncio.run(_add_users(self.platform, MANY))
        me = self._get(self.marketer, "/api/auth/me")
        many = load.run(me, connections=1, seconds=5, folder=self.folder)
        _no_errors(few, many)
        return [Row("/me with 100,000 more users / before, p50", many.p50, few.p50, "ms", "<= 1.3")]

    def memory(self) -> list[Row]:
        """Resident memory of every service and sidecar after all of the above, in MiB."""
        rows = []
        for name, service in self.platform.services.items():
            for kind, process in (("service", service.process), ("sidecar", service.sidecar.process)):
                if process is not None:
                    resident = psutil.Process(process.pid).memory_info().rss / 2**20
                    rows.append(
                        Row(f"RSS of {name}, {kind}", resident, 100, "MiB", "<= 1" if kind == "service" else "")
                    )
        return rows


def _no_errors(*loads: load.Load) -> None:
    if failed := sum(one.errors for one in loads):
        raise SystemExit(f"{failed} requests of a benchmark failed: its figures would mean nothing")


def synthetic_orders(count: int, seed: int = 7) -> bytes:
    """`count` orders over two years of count/5 customers, as CSV; the same for the same seed."""
    dice = random.Random(seed)
    start = date(2022, 1, 1)
    lines = ["customer,day,amount"]
    for _ in range(count):
        day = start + timedelta(days=dice.randrange(730))
        lines.append(f"c{dice.randrange(max(1, count // 5))},{day},{dice.randrange(100, 20000) / 100:.2f}")
    return "\n".join(lines).encode()


async def _add_users(platform: Platform, count: int) -> None:
    """Fills auth's store with as many user documents as a large installation has."""
    from conformance.probe import ProbeSettings, settings_for
    from omnify_shared.dapr.sidecar import Sidecar as Connection
    from omnify_shared.state import StateStore

    connection = Connection(settings_for(platform.services["auth"].sidecar, ProbeSettings))
    watching = asyncio.create_task(connection.watch())
    await connection.wait_ready(10)
    state, filler = StateStore(connection), "x" * 400
    for _ in range(count // 500):
        await state.put_many([(f"user/{new_id()}", json.dumps({"filler": filler}).encode()) for _ in range(500)])
    watching.cancel()
    await connection.close()


def time_warm_up(set_name: str) -> float | None:
    """Seconds from `make up` to its table, everything installed and built; None while its ports are taken."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "omnify_local", "up", "--set", set_name]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=paths.repository()
    )
    seconds = None
    for line in process.stdout or ():
        if "Ctrl-C stops everything" in line:
            seconds = time.perf_counter() - started
            break
    process.terminate()
    process.wait(60)
    return seconds
