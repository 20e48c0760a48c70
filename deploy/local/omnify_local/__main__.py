"""`python -m omnify_local COMMAND`: what the Makefile's targets call."""

import argparse
import shutil
import sys

from omnify_local import bundles, data, guests, locks, monitoring, paths, runfile, secrets, system_packages, tools
from omnify_local.errors import LocalError
from omnify_local.servers.collector import collector
from omnify_local.up import up


def _clean() -> None:
    root = paths.repository()
    for name in (".omnify", ".dapr"):
        shutil.rmtree(root / name, ignore_errors=True)


def _functions() -> None:
    root = paths.repository()
    print(*bundles.make(root, root / ".omnify" / "functions"), sep="\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="omnify_local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("up", help="run the platform until Ctrl-C")
    run.add_argument("--set", default=runfile.DEFAULT_SET, dest="set_name", help="component set")
    run.add_argument("--profile", default="plain", choices=("plain", "secure"), help="secure: mTLS and allow lists")
    app = commands.add_parser("app", help="run a sidecar for an app of yours beside the platform, until Ctrl-C")
    app.add_argument("app_id", help="its app-id")
    app.add_argument("--port", type=int, help="where it listens for events")
    app.add_argument("--topic", action="append", default=[], dest="topics", help="topic it reads (repeatable)")
    commands.add_parser("secrets", help="make what is missing under .omnify/")
    commands.add_parser("tools", help="find or build Dapr, and toxiproxy and the collector of the tests")
    commands.add_parser("monitor", help="run Prometheus beside a running platform")
    commands.add_parser("data", help="fetch the order files of the tour")
    commands.add_parser("system", help="install the system packages that tests use")
    lock = commands.add_parser("lock", help="renew the requirement locks")
    lock.add_argument("--upgrade", action="store_true", help="take the newest versions")
    commands.add_parser("functions", help="write the source folders of the functions")
    commands.add_parser("check-locks", help="fail when a lock is stale or names a host")
    commands.add_parser("clean", help="drop data, secrets and logs")
    return parser


def main() -> int:
    """Run one command; a LocalError becomes one line on standard error and status 1."""
    arguments = _parser().parse_args()
    actions = {
        "up": lambda: up(arguments.set_name, arguments.profile),
        "app": lambda: guests.run(arguments.app_id, arguments.port, arguments.topics),
        "secrets": lambda: secrets.ensure(paths.repository()),
        "tools": lambda: print(tools.dapr().daprd, tools.toxiproxy(), collector(), sep="\n"),
        "monitor": monitoring.run,
        "data": lambda: print(data.fetch(paths.repository())),
        "system": system_packages.ensure,
        "lock": lambda: locks.renew(paths.repository(), upgrade=arguments.upgrade),
        "functions": _functions,
        "check-locks": lambda: locks.check(paths.repository()),
        "clean": _clean,
    }
    try:
        actions[arguments.command]()
    except LocalError as error:
        print(f"omnify: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
