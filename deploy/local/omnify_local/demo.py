"""`make demo`: the tour against a running platform, with real orders, step by step on the terminal."""

import json
import sys
from pathlib import Path
from typing import Any

import httpx2 as httpx

from omnify_local import data, paths
from omnify_local.errors import LocalError
from omnify_local.inbox import Inbox
from omnify_local.journey import CDNOW_SAMPLE, JourneyFailed, Marketer, token_in

FROM, TO = "1997-01-01", "1998-06-30"


def main() -> int:
    """Walks the journey and prints what a marketer would see; 1 when a step fails."""
    try:
        _walk(_run_file())
    except (JourneyFailed, LocalError, httpx.HTTPError) as error:
        print(f"omnify: the demo stopped: {error}", file=sys.stderr)
        return 1
    return 0


def _run_file() -> dict[str, Any]:
    file = paths.repository() / ".omnify" / "run.json"
    if not file.exists():
        raise JourneyFailed("no running platform: start one with `make up` in another terminal")
    run: dict[str, Any] = json.loads(file.read_text())
    return run


def _walk(run: dict[str, Any]) -> None:
    if not run["mailbox"]:
        raise JourneyFailed("the platform sends its mail elsewhere (OMNIFY_SMTP_URL); the demo reads the local mailbox")
    marketer = Marketer(run["gateway"])
    _join(marketer, run["mailbox"])
    _import(marketer, data.fetch(paths.repository()) / data.SAMPLE)
    _print_overview(marketer.overview(FROM, TO))
    _print_cohorts(marketer.cohorts())
    _leave(marketer)


def _join(marketer: Marketer, mailbox: str) -> None:
    marketer.register()
    print(f"1. registered {marketer.email} of {marketer.organization}")
    mail = Inbox(mailbox).wait_for(marketer.email)[-1]
    print(f'2. mail arrived: "{mail.subject}" (see {mailbox})')
    marketer.verify(token_in(mail))
    print("3. address verified")
    marketer.log_in()
    user = marketer.tokens["user"]
    print(f"4. logged in as {user['full_name']}, roles {', '.join(user['roles'])}")


def _import(marketer: Marketer, file: Path) -> None:
    done = marketer.wait_for_import(marketer.start_import(file, CDNOW_SAMPLE, file.name))
    if done["status"] != "completed":
        raise JourneyFailed(f"the import failed: {done}")
    print(f"5. imported {file.name}: {done['rows_accepted']} orders taken, {done['rows_rejected']} lines rejected")


def _print_overview(overview: dict[str, Any]) -> None:
    repeat = "-" if overview["repeat_rate"] is None else f"{overview['repeat_rate']:.1%}"
    print(f"6. {FROM} to {TO}, in {overview['currency']}:")
    print(f"   revenue {overview['revenue']}   orders {overview['orders']}   customers {overview['customers']}")
    print(f"   new customers {overview['new_customers']}   AOV {overview['aov']}   repeat rate {repeat}")
    print("   month      revenue   orders  customers  new")
    for line in overview["series"]:
        print(
            f"   {line['period']}  {line['revenue']:>10}  {line['orders']:>6}  {line['customers']:>9}"
            f"  {line['new_customers']:>4}"
        )


def _print_cohorts(cohorts: list[dict[str, Any]]) -> None:
    print("7. cohorts by month of the first order: share of them that ordered in month 0, 1, 2, …")
    for cohort in cohorts:
        shares = " ".join(f"{share:4.0%}" for share in cohort["retention"][:12])
        print(f"   {cohort['cohort']}  {cohort['size']:>5}  {shares}")


def _leave(marketer: Marketer) -> None:
    marketer.refresh()
    print("8. tokens refreshed")
    old = marketer.log_out()
    waits = {path: marketer.seconds_until_refused(old, path) for path in ("/api/auth/me", "/api/analytics/imports")}
    print("9. logged out; the old token was refused " + ", ".join(f"by {p} after {s:.1f} s" for p, s in waits.items()))


if __name__ == "__main__":
    sys.exit(main())
