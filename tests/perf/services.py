"""Benchmarks of the running platform, against bare apps and libraries in the same run."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import psutil

from omnify_local import data, paths, runfile, tools
from omnify_local.journey import CDNOW_MASTER, Marketer
from omnify_local.ports import free_port
from omnify_shared.testing import ExtraApp, Platform, Service, Sidecar
from omnify_shared.testing.backing import Backing
from perf import load, processors
from perf.accounts import AGENT, Accounts
from perf.load import Target
from perf.measure import Row

COLUMNS = {"customer_id": "customer", "ordered_at": "day", "amount": "amount"}
CSV = {"delimiter": ",", "has_header": True, "date_format": "%Y-%m-%d", "currency": "USD", "columns": COLUMNS}


@contextmanager
def echo_floor(backing: Backing, set_name: str, folder: Path) -> Iterator[Target]:
    """A bare FastAPI app behind two sidecars, as every service is."""
    home = backing.home(folder / "echo", set_name, [ExtraApp("caller"), ExtraApp("echo")])
    serving = Service(
        Sidecar(home, "echo", app_port=free_port()),
        "perf.echo:create_app",
        environment={"PYTHONPATH": str(Path(__file__).parents[1])},
    )
    home.find_peers({"echo": serving.sidecar.ports.internal})
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
        self.marketer = self.joined()

    def joined(self) -> Marketer:
        marketer = Marketer(self.platform.url)
        marketer.join(self.platform.inbox)
        return marketer

    def get(self, marketer: Marketer, path: str) -> Target:
        marketer.log_in()
        token = marketer.tokens["access_token"]
        return Target(self.platform.url + path, {"Authorization": f"Bearer {token}"})

    @cached_property
    def accounts(self) -> Accounts:
        """Many accounts, made when a part first needs them."""
        return Accounts(self.platform.url, self.platform.inbox)

    @property
    def sign_ins(self) -> Target:
        """Sign-ins of all of them in turn."""
        return Target(self.platform.url + "/api/auth/login", AGENT, self.accounts.bodies)

    def calls(self) -> list[Row]:
        """`GET /api/auth/me` through the gateway."""
        me = self.get(self.marketer, "/api/auth/me")
        ours, floor = load.rounds([me, self.echo], connections=1, folder=self.folder)
        rows = [Row("gateway → auth /me, p50, 1 connection / echo", ours.p50, floor.p50, "ms", "<= 1.6")]
        ours, floor = load.rounds([me, self.echo], connections=32, folder=self.folder)
        rows.append(Row("the same, throughput, 32 connections / echo", ours.rate, floor.rate, "/s", ">= 0.6"))
        return rows

    def imports(self) -> list[Row]:
        """The big order file, from upload to completion, against pandas."""
        file = data.fetch(paths.repository()) / data.MASTER
        floor, rows = processors.pandas_rows_per_second(file)
        rates = []
        for _ in range(3):
            marketer = self.joined()
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


def synthetic_orders(count: int, seed: int = 7) -> bytes:
    """`count` orders over two years of count/5 customers, as CSV; the same for the same seed."""
    dice = random.Random(seed)
    start = date(2022, 1, 1)
    lines = ["customer,day,amount"]
    for _ in range(count):
        day = start + timedelta(days=dice.randrange(730))
        lines.append(f"c{dice.randrange(max(1, count // 5))},{day},{dice.randrange(100, 20000) / 100:.2f}")
    return "\n".join(lines).encode()


def start(set_name: str) -> list[Row]:
    """How long `make up` takes when everything is installed, and how long Dapr took to build here."""
    rows = []
    seconds = time_warm_up(set_name)
    if seconds is not None:
        rows.append(Row("warm `make up`", seconds, 1, "s"))
    if (built := tools.build_seconds()) is not None and set_name == runfile.DEFAULT_SET:
        rows.append(Row("cold `make up` adds the build of Dapr", built, 1, "s"))
    return rows


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
