"""Order files through the running service, on real sidecars."""

import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from omnify_local import data, paths

JSON = dict[str, Any]
SAMPLE: JSON = {
    "delimiter": "whitespace",
    "has_header": False,
    "date_format": "%Y%m%d",
    "currency": "USD",
    "columns": {"customer_id": 0, "ordered_at": 2, "amount": 4, "quantity": 3},
}
PLAIN: JSON = {
    "delimiter": ",",
    "has_header": True,
    "date_format": "%Y-%m-%d",
    "currency": "EUR",
    "columns": {"customer_id": "customer", "ordered_at": "day", "amount": "amount"},
}
WITH_IDS: JSON = PLAIN | {"columns": PLAIN["columns"] | {"order_id": "order"}}
HEADER = "customer,day,amount,order\n"
ONE_ROW = b"customer,day,amount\n1,1997-01-01,5\n"
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def cdnow() -> Path:
    """The folder of the real order files (Fader and Hardie, brucehardie.com)."""
    return data.fetch(paths.repository())


@pytest.fixture(scope="module")
def sample(cdnow: Path) -> pd.DataFrame:
    """The sample as pandas reads it, with the rank of each order in its customer's life."""
    names = ["id", "sample", "day", "cds", "amount"]
    frame = pd.read_csv(cdnow / data.SAMPLE, sep=r"\s+", names=names, dtype=str)
    frame["day"] = pd.to_datetime(frame["day"], format="%Y%m%d")
    frame["cents"] = (frame["amount"].astype(float) * 100).round().astype("int64")
    frame["rank"] = frame.sort_values("day", kind="stable").groupby("id").cumcount()
    return frame


@pytest.fixture(scope="module")
def loaded(analytics: Any, cdnow: Path) -> Any:
    """An organisation that imported the sample."""
    tenant = analytics.tenant()
    status = tenant.imported((cdnow / data.SAMPLE).read_bytes(), SAMPLE)
    assert (status["status"], status["progress"], status["rejections"]) == ("completed", 1.0, [])
    assert (status["rows_read"], status["rows_accepted"], status["rows_rejected"]) == (6919, 6919, 0)
    return tenant


def dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


def expected_overview(orders: pd.DataFrame) -> JSON:
    revenue, count = int(orders["cents"].sum()), len(orders)
    returning = int((orders["rank"] > 0).sum())
    return {
        "currency": "USD",
        "revenue": dollars(revenue),
        "orders": count,
        "customers": orders["id"].nunique(),
        "new_customers": count - returning,
        "aov": dollars((2 * revenue + count) // (2 * count)),
        "repeat_rate": pytest.approx(returning / count, abs=1e-12),
    }


@pytest.mark.parametrize(
    ("first", "last", "granularity", "frequency"),
    [
        (None, None, "month", "M"),
        (None, None, "week", "W"),
        ("1997-03-10", "1997-09-20", "day", "D"),
        ("1998-01-01", "1998-06-30", "month", "M"),
    ],
)
def test_overview_equals_pandas(
    loaded: Any, sample: pd.DataFrame, first: str | None, last: str | None, granularity: str, frequency: str
) -> None:
    params = {"granularity": granularity} | ({"from": first, "to": last} if first and last else {})
    found = loaded.get("/overview", **params)
    inside = sample[sample["day"].between(first or "1900", last or "2100")]
    assert {key: value for key, value in found.items() if key not in ("series", "as_of")} == expected_overview(inside)
    series = {one["period"]: one for one in found["series"] if one["orders"]}
    grouped = inside.groupby(inside["day"].dt.to_period(frequency))
    assert len(series) == len(grouped)
    for period, part in grouped:
        start = period.start_time
        label = {"M": f"{start:%Y-%m}", "W": f"{start:%G-W%V}", "D": f"{start:%Y-%m-%d}"}[frequency]
        assert series[label] == {
            "period": label,
            "revenue": dollars(int(part["cents"].sum())),
            "orders": len(part),
            "customers": part["id"].nunique(),
            "new_customers": int((part["rank"] == 0).sum()),
        }


def test_cohorts_equal_pandas(loaded: Any, sample: pd.DataFrame) -> None:
    month = sample["day"].dt.to_period("M")
    first = month.groupby(sample["id"]).transform("min")
    age = (month.dt.year - first.dt.year) * 12 + month.dt.month - first.dt.month
    table = sample.groupby([first, age])["id"].nunique().unstack(fill_value=0)
    found = loaded.get("/cohorts", granularity="month")["cohorts"]
    assert [one["cohort"] for one in found] == [str(cohort) for cohort in table.index]
    for one, (cohort, counts) in zip(found, table.iterrows(), strict=True):
        periods = (month.max() - cohort).n + 1
        assert one["size"] == counts[0]
        assert one["retention"] == pytest.approx([counts[age] / counts[0] for age in range(periods)], abs=1e-12)


def test_the_same_bytes_count_once(loaded: Any, cdnow: Path) -> None:
    before = loaded.get("/overview", granularity="month")
    content = (cdnow / data.SAMPLE).read_bytes()
    known = loaded.get("/imports")["imports"]
    again = loaded.upload(content, SAMPLE, name="another name.txt")
    shuffled = loaded.upload(content, dict(reversed(SAMPLE.items())))
    assert {again.json()["import_id"], shuffled.json()["import_id"]} == {known[0]["import_id"]}
    assert again.status_code == 202
    assert loaded.get("/overview", granularity="month") == before
    assert loaded.get("/imports")["imports"] == known


def test_the_same_bytes_read_in_another_way_take_the_place_of_the_first_reading(tenant: Any) -> None:
    content = b"customer,day,amount,tax\n1,1997-01-01,5,1\n2,1997-01-02,7,2\n"
    first = tenant.imported(content, PLAIN)
    other = PLAIN | {"columns": PLAIN["columns"] | {"amount": "tax"}}
    second = tenant.imported(content, other)
    assert first["import_id"] != second["import_id"]
    assert tenant.get("/overview")["revenue"] == "3.00"
    back = tenant.imported(content, PLAIN)
    assert back["import_id"] not in (first["import_id"], second["import_id"])
    found = tenant.get("/overview")
    assert (found["revenue"], found["orders"]) == ("12.00", 2)


def test_simultaneous_uploads_of_the_same_bytes_are_one_import(tenant: Any) -> None:
    content = b"customer,day,amount\n" + b"1,1997-01-01,5\n" * 500
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: tenant.upload(content, PLAIN), range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["import_id"] for answer in answers}) == 1
    tenant.done(answers[0].json()["import_id"])
    assert tenant.get("/overview")["orders"] == 500
    assert len(tenant.get("/imports")["imports"]) == 1


def test_simultaneous_files_all_count_and_in_one_currency(tenant: Any) -> None:
    def upload(n: int) -> Any:
        options = PLAIN | {"currency": "USD" if n % 2 else "EUR"}
        return options["currency"], tenant.upload(b"customer,day,amount\n%d,1997-01-01,5\n" % n, options)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(upload, range(8)))
    ends = [(currency, tenant.done(answer.json()["import_id"])) for currency, answer in answers if answer.is_success]
    found = tenant.get("/overview")
    counted = [status for currency, status in ends if status["status"] == "completed"]
    assert {currency for currency, status in ends if status["status"] == "completed"} == {found["currency"]}
    assert found["orders"] == found["customers"] == len(counted) == 4
    refused = [status["failure"] for _, status in ends if status["status"] == "failed"]
    assert all("can't be added" in reason for reason in refused)


def test_a_later_file_replaces_orders_it_repeats(tenant: Any) -> None:
    tenant.imported(f"{HEADER}1,1997-01-01,5,a\n1,1997-01-02,7,b\n".encode(), WITH_IDS)
    tenant.imported(f"{HEADER}1,1997-02-01,1.50,a\n1,1997-02-01,1.50,a\n3,1997-02-03,4,c\n".encode(), WITH_IDS)
    found = tenant.get("/overview", granularity="month")
    assert (found["revenue"], found["orders"], found["customers"]) == ("14.00", 3, 2)
    assert [(one["period"], one["orders"]) for one in found["series"]] == [("1997-01", 1), ("1997-02", 2)]


def test_new_is_counted_over_all_files_and_not_only_the_range(tenant: Any) -> None:
    tenant.imported(b"customer,day,amount\n1,1997-03-01,5\n2,1997-03-01,5\n", PLAIN)
    found = tenant.get("/overview", **{"from": "1997-03-01", "to": "1997-03-31"})
    assert (found["new_customers"], found["repeat_rate"]) == (2, 0.0)
    tenant.imported(b"customer,day,amount\n1,1997-01-01,5\n", PLAIN)
    found = tenant.get("/overview", **{"from": "1997-03-01", "to": "1997-03-31"})
    assert (found["new_customers"], found["repeat_rate"]) == (1, 0.5)


def test_bad_lines_are_told_and_the_others_count(tenant: Any) -> None:
    content = b"customer,day,amount\n$abc,1997-01-01,$5.00\n$5.00,1997-01-01,5\n2,yesterday,5\n3,1997-01-01,-1\n"
    status = tenant.imported(content + b"\xff\xfe,1997-01-01,5\n4,1997-01-01\n", PLAIN)
    assert (status["status"], status["rows_read"], status["rows_accepted"]) == ("completed", 6, 1)
    assert status["rejections"] == [
        {"line": 2, "reason": "amount '$5.00' has a currency sign"},
        {"line": 4, "reason": "ordered_at 'yesterday' is not a date as %Y-%m-%d"},
        {"line": 5, "reason": "amount '-1' is negative"},
        {"line": 6, "reason": "not valid UTF-8"},
        {"line": 7, "reason": "has 2 fields instead of 3"},
    ]
    assert tenant.get("/overview")["orders"] == 1


def test_a_file_without_one_good_line_fails_and_may_be_sent_again(tenant: Any) -> None:
    content = b"customer,day,amount\n1,soon,5\n"
    status = tenant.imported(content, PLAIN)
    assert (status["status"], status["failure"]) == ("failed", "no row of the file could be taken")
    assert status["rejections"] == [{"line": 2, "reason": "ordered_at 'soon' is not a date as %Y-%m-%d"}]
    assert tenant.get("/overview") == tenant.service.tenant().get("/overview")
    assert tenant.imported(content, PLAIN)["import_id"] != status["import_id"]


@pytest.mark.parametrize(
    ("content", "options", "problem", "detail"),
    [
        (b"", PLAIN, "unreadable-file", "empty"),
        (b"\n \n", PLAIN, "unreadable-file", "no rows"),
        (b"customer,day,amount\n", PLAIN, "unreadable-file", "no rows"),
        (b"customer,when,amount\n1,1997-01-01,5\n", PLAIN, "unreadable-file", "no 'day'"),
        (b"\xff,day,amount\n1,1997-01-01,5\n", PLAIN, "unreadable-file", "UTF-8"),
        (ONE_ROW.decode().encode("utf-16"), PLAIN, "unreadable-file", "UTF-8"),
        (random.Random(7).randbytes(100_000), PLAIN, "unreadable-file", "UTF-8"),
        (ONE_ROW, PLAIN | {"columns": {"customer_id": 0, "ordered_at": 1, "amount": 9}}, "unreadable-file", "column 9"),
        (ONE_ROW, PLAIN | {"currency": "EURO"}, "invalid-options", "options.currency"),
        (ONE_ROW, PLAIN | {"colour": "red"}, "invalid-options", "options.colour"),
        (ONE_ROW, PLAIN | {"columns": {"customer_id": "customer"}}, "invalid-options", "options.columns.ordered_at"),
        (
            ONE_ROW,
            PLAIN | {"columns": PLAIN["columns"] | {"amount": {"$concat": ["a", "b"]}}},
            "invalid-options",
            "name or",
        ),
        (ONE_ROW, "{", "invalid-options", "options"),
        (ONE_ROW, "[]", "invalid-options", "options"),
    ],
)
def test_a_bad_upload_is_one_clear_problem_and_leaves_nothing(
    tenant: Any, content: bytes, options: Any, problem: str, detail: str
) -> None:
    answer = tenant.upload(content, options)
    body = answer.json()
    assert (answer.status_code, body["type"].rsplit("/", 1)[-1]) == (422, problem)
    assert detail in body["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert tenant.get("/imports") == {"imports": [], "next_cursor": None}


def test_a_form_must_have_its_two_parts_and_no_others(tenant: Any) -> None:
    options = json.dumps(PLAIN)
    post = tenant.client.post
    assert post("/imports/orders", json=PLAIN).status_code == 415
    missing = post("/imports/orders", files={"file": ("x", ONE_ROW)})
    assert missing.json()["errors"] == [{"in": "body", "field": "options", "reason": "is missing"}]
    text = post("/imports/orders", files={"other": ("x", b"x")}, data={"file": "x", "options": options})
    assert {error["reason"] for error in text.json()["errors"]} == {"is not known"}
    plain = post("/imports/orders", files={"options": ("o", options)}, data={"file": "x"})
    assert plain.json()["errors"] == [{"in": "body", "field": "file", "reason": "is not a file"}]
    parts = post("/imports/orders", files=[("file", ("x", b"x"))] * 5, data={"options": options})
    assert parts.status_code == 400
    as_file = post("/imports/orders", files={"file": ("x", ONE_ROW), "options": ("o.json", options)})
    assert as_file.status_code == 202
    tenant.done(as_file.json()["import_id"])


def test_another_currency_is_refused(tenant: Any) -> None:
    tenant.imported(ONE_ROW, PLAIN)
    answer = tenant.upload(b"customer,day,amount\n1,1997-01-01,6\n", PLAIN | {"currency": "USD"})
    assert (answer.status_code, answer.json()["currency"]) == (409, "EUR")
    corrected = tenant.imported(ONE_ROW, PLAIN | {"currency": "JPY"})
    assert corrected["status"] == "completed"
    assert tenant.get("/overview")["revenue"] == "5"


def test_files_beyond_the_sidecars_message_limit_are_taken(tenant: Any) -> None:
    rows = "".join(f"{n % 5000},1997-{n % 12 + 1:02}-01,{n % 100}.25,order-{n:09}\n" for n in range(150_000))
    content = (HEADER + rows).encode()
    assert len(content) > 5 * MEGABYTE
    status = tenant.imported(content, WITH_IDS)
    assert (status["status"], status["rows_accepted"]) == ("completed", 150_000)
    found = tenant.get("/overview", granularity="month")
    assert (found["orders"], found["customers"], len(found["series"])) == (150_000, 5000, 12)
    assert found["revenue"] == f"{sum(n % 100 for n in range(150_000)) + 150_000 // 4}.00"


def test_200_mb_are_refused_without_being_read(tenant: Any) -> None:
    process = tenant.service.process
    before = resident(process.pid)
    answer = tenant.client.post(
        "/imports/orders",
        content=(b"x" * MEGABYTE for _ in range(200)),
        headers={"content-type": "multipart/form-data; boundary=x", "content-length": str(200 * MEGABYTE)},
    )
    assert answer.status_code == 413
    assert answer.json()["type"].endswith("/payload-too-large")
    assert resident(process.pid) - before < 30


def test_an_endless_upload_is_cut_off(tenant: Any) -> None:
    process = tenant.service.process
    before = resident(process.pid)
    start = b'--x\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
    pieces = (start if number == 0 else b"x" * MEGABYTE for number in range(200))
    answer = tenant.client.post(
        "/imports/orders", content=pieces, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == 413
    assert resident(process.pid) - before < 60


def resident(pid: int) -> int:
    """Resident memory of a process in MiB."""
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * 4096 // MEGABYTE


def test_organisations_do_not_see_each_other(loaded: Any) -> None:
    other = loaded.service.tenant()
    mine = loaded.get("/imports")["imports"][0]["import_id"]
    assert loaded.client.get(f"/imports/{mine}").status_code == 200
    for path in (f"/imports/{mine}", "/imports/nothing", "/imports/" + "x" * 600, "/imports/a%7C%7Cb"):
        answer = other.client.get(path)
        assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[-1]) == (404, "unknown-import")
    assert other.get("/imports")["imports"] == []
    assert other.get("/overview")["orders"] == 0
    assert other.get("/cohorts")["cohorts"] == []


def test_who_may_do_what(loaded: Any) -> None:
    viewer = loaded.service.tenant("viewer", organization_id=loaded.organization_id)
    assert viewer.get("/overview")["orders"] == 6919
    for role, status in (("viewer", 403), ("member", 403), ("manager", 403), ("admin", 202), ("owner", 202)):
        tenant = loaded.service.tenant(role)
        assert tenant.upload(ONE_ROW, PLAIN).status_code == status
    nobody = loaded.service.tenant("unheard-of", organization_id=loaded.organization_id)
    assert nobody.client.get("/overview").status_code == 403
    del viewer.client.headers["authorization"]
    assert viewer.client.get("/overview").status_code == 401


@pytest.mark.parametrize(
    "query",
    [
        {"granularity": "year"},
        {"from": "19970101"},
        {"from": "852076800"},
        {"from": "1997-02-30"},
        {"from": "1997-02-02", "to": "1997-02-01"},
        {"from": "0001-01-01", "to": "9999-12-31"},
        {"since": "1997-01-01"},
    ],
)
def test_bad_queries_are_refused(loaded: Any, query: dict[str, str]) -> None:
    answer = loaded.client.get("/overview", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_imports_are_listed_newest_first(tenant: Any) -> None:
    made = [tenant.imported(ONE_ROW + b"2,1997-01-02,%d\n" % n, PLAIN)["import_id"] for n in range(3)]
    first = tenant.get("/imports", limit="2")
    rest = tenant.get("/imports", limit="2", cursor=first["next_cursor"])
    found = [one["import_id"] for one in first["imports"] + rest["imports"]]
    assert found == list(reversed(made))
    assert {one["status"] for one in first["imports"]} == {"completed"}
