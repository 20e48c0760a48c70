"""From sign-up to the first numbers, on each component set, held against an independent pandas calculation."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from omnify_local.journey import CDNOW_SAMPLE, Marketer, token_in
from omnify_shared.testing import Platform

NewMarketer = Callable[..., Marketer]
pytestmark = pytest.mark.guarantee("journeys")


@pytest.fixture(scope="session")
def orders(cdnow_sample: Path) -> pd.DataFrame:
    names = ["customer", "sample", "day", "quantity", "amount"]
    frame = pd.read_csv(cdnow_sample, sep=r"\s+", header=None, names=names, dtype={"customer": str, "day": str})
    frame["day"] = pd.to_datetime(frame["day"], format="%Y%m%d")
    frame["cents"] = (frame["amount"] * 100).round().astype("int64")
    frame["month"] = frame["day"].dt.to_period("M")
    frame = frame.sort_values("day", kind="stable")
    frame["first"] = ~frame.duplicated("customer")
    return frame


def expected_overview(orders: pd.DataFrame) -> dict[str, Any]:
    cents, count = int(orders["cents"].sum()), len(orders)
    return {
        "currency": "USD",
        "revenue": f"{cents // 100}.{cents % 100:02d}",
        "orders": count,
        "customers": orders["customer"].nunique(),
        "new_customers": int(orders["first"].sum()),
        "repeat_rate": pytest.approx(1 - orders["first"].sum() / count, abs=1e-9),
    }


def expected_series(orders: pd.DataFrame) -> list[dict[str, Any]]:
    rows = []
    for month, part in orders.groupby("month"):
        cents = int(part["cents"].sum())
        rows.append(
            {
                "period": str(month),
                "revenue": f"{cents // 100}.{cents % 100:02d}",
                "orders": len(part),
                "customers": part["customer"].nunique(),
                "new_customers": int(part["first"].sum()),
            }
        )
    return rows


def expected_cohorts(orders: pd.DataFrame) -> dict[str, list[float]]:
    first = orders.groupby("customer")["month"].min()
    born = orders["customer"].map(first)
    age = (orders["month"] - born).map(lambda gap: gap.n)
    active = orders.assign(born=born, age=age).groupby(["born", "age"])["customer"].nunique()
    last = orders["month"].max()
    return {
        str(cohort): [active.get((cohort, k), 0) / size for k in range((last - cohort).n + 1)]
        for cohort, size in first.value_counts().items()
    }


def test_from_sign_up_to_the_first_numbers(
    platform: Platform, cdnow_sample: Path, orders: pd.DataFrame, new_marketer: NewMarketer
) -> None:
    marketer = new_marketer()
    marketer.register()
    mail = platform.inbox.wait_for(marketer.email)[-1]
    assert marketer.password not in mail.text + mail.html
    marketer.verify(token_in(mail))
    marketer.log_in()
    assert marketer.tokens["token_type"].lower() == "bearer"
    assert marketer.tokens["expires_in"] == 300
    me = marketer.ask("GET", "/api/auth/me", 200)
    assert (me["email"], me["full_name"], me["roles"]) == (marketer.email, "Ada Lovelace", ["owner"])

    import_id = marketer.start_import(cdnow_sample, CDNOW_SAMPLE)
    status = marketer.wait_for_import(import_id)
    assert (status["status"], status["rows_read"], status["rows_accepted"], status["rows_rejected"]) == (
        "completed",
        6919,
        6919,
        0,
    )
    assert (len(orders), orders["customer"].nunique()) == (6919, 2357), "the file is the real one"

    overview = marketer.overview("1997-01-01", "1998-06-30")
    assert {name: overview[name] for name in expected_overview(orders)} == expected_overview(orders)
    assert float(overview["aov"]) == pytest.approx(orders["cents"].sum() / len(orders) / 100, abs=0.005)
    assert overview["series"] == expected_series(orders)

    cohorts = {cohort["cohort"]: cohort for cohort in marketer.cohorts()}
    wanted = expected_cohorts(orders)
    assert cohorts.keys() == wanted.keys()
    for name, retention in wanted.items():
        assert cohorts[name]["retention"] == pytest.approx(retention, abs=1e-9)

    assert marketer.start_import(cdnow_sample, CDNOW_SAMPLE) == import_id, "the same bytes are the same import"
    assert marketer.overview("1997-01-01", "1998-06-30") == overview

    marketer.refresh()
    marketer.ask("GET", "/api/auth/me", 200)
    old = marketer.log_out()
    for path in ("/api/auth/me", "/api/analytics/imports"):
        marketer.seconds_until_refused(old, path)
    reused = marketer.http.post("/api/auth/refresh", json={"refresh_token": marketer.tokens["refresh_token"]})
    assert reused.status_code == 401


def test_two_organisations_see_only_their_own(platform: Platform, new_marketer: NewMarketer) -> None:
    mine, theirs = new_marketer(), new_marketer()
    for marketer in (mine, theirs):
        marketer.join(platform.inbox)
    options = {
        "delimiter": ",",
        "has_header": True,
        "date_format": "%Y-%m-%d",
        "currency": "EUR",
        "columns": {"customer_id": "who", "ordered_at": "when", "amount": "paid"},
    }
    import_id = mine.start_import(b"who,when,paid\n$abc,2024-01-01,10.50\nb,2024-01-02,1.00\n", options)
    assert mine.wait_for_import(import_id)["status"] == "completed"
    assert mine.overview("2024-01-01", "2024-01-31")["revenue"] == "11.50"
    assert theirs.overview("2024-01-01", "2024-01-31")["orders"] == 0
    theirs.ask("GET", f"/api/analytics/imports/{import_id}", 404)
