"""Imports whose replica dies, a sidecar that is not there, and what others hear of it all."""

import time
from typing import Any

import httpx2 as httpx

JSON = dict[str, Any]
OPTIONS: JSON = {
    "date_format": "%Y-%m-%d",
    "currency": "EUR",
    "columns": {"customer_id": "customer", "ordered_at": "day", "amount": "amount"},
}
ROWS = [f"{n % 500},{1990 + n % 20}-{n % 12 + 1:02}-{n % 28 + 1:02},1.25\n" for n in range(20_000)]
SLOW = {"mongo-kafka": "15"}  # fact documents per write, for an import of a second or more; elsewhere one
CONTENT = ("customer,day,amount\n" + "".join(ROWS)).encode()


def wait_for(condition: Any, timeout: float = 30) -> Any:
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_an_import_killed_between_writes_goes_on_and_never_counts_half(new_analytics: Any, set_name: str) -> None:
    service = new_analytics(facts_per_write=SLOW.get(set_name, "1"), lease="PT12S", recover_every="PT0.5S")
    tenant = service.tenant()
    tenant.imported(b"customer,day,amount\n1,2020-01-01,7\n", OPTIONS)
    before = tenant.get("/overview")
    service.die_at("analytics.import.facts", passing=2)
    import_id = tenant.upload(CONTENT, OPTIONS).json()["import_id"]
    path = f"/imports/{import_id}"
    service.wait_for_death()
    service.start()
    half = tenant.client.get(path).json()
    assert half["status"] == "running"
    assert half["progress"] < 1
    assert tenant.get("/overview") == before
    assert tenant.upload(CONTENT, OPTIONS).json()["import_id"] == import_id
    seen = set()
    while tenant.client.get(path).json()["status"] != "completed":
        seen.add(tenant.get("/overview", granularity="month")["orders"])
        time.sleep(0.05)
    status = tenant.done(import_id)
    assert (status["status"], status["rows_accepted"], status["progress"]) == ("completed", 20_000, 1.0)
    assert tenant.get("/overview", granularity="month")["orders"] == 20_001
    assert tenant.get("/overview", granularity="month")["revenue"] == "25007.00"
    assert seen <= {1, 20_001}


def test_an_upload_while_the_sidecar_is_away_is_refused_and_works_later(new_analytics: Any) -> None:
    service = new_analytics()
    tenant = service.tenant()
    assert tenant.get("/overview")["orders"] == 0
    service.sidecar.kill()
    answer = tenant.upload(CONTENT, OPTIONS)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    service.sidecar.start()
    wait_for(lambda: tenant.upload(CONTENT, OPTIONS).status_code == 202)
    import_id = tenant.upload(CONTENT, OPTIONS).json()["import_id"]
    assert tenant.done(import_id)["status"] == "completed"
    assert tenant.get("/overview", granularity="month")["orders"] == 20_000


def test_a_sidecar_that_goes_away_during_an_import_only_delays_it(new_analytics: Any, set_name: str) -> None:
    service = new_analytics(facts_per_write=SLOW.get(set_name, "1"), lease="PT2S", recover_every="PT0.5S")
    tenant = service.tenant()
    import_id = tenant.upload(CONTENT, OPTIONS).json()["import_id"]
    wait_for(lambda: tenant.client.get(f"/imports/{import_id}").json()["progress"] > 0.45)
    service.sidecar.kill()
    time.sleep(1)
    service.sidecar.start()

    def done() -> bool:
        try:
            answer = tenant.client.get(f"/imports/{import_id}")
        except httpx.HTTPError:
            return False
        return bool(answer.status_code == 200 and answer.json()["status"] == "completed")

    # MongoDB ends the transaction of a client that is gone, with its locks on facts, after 60 s.
    wait_for(done, timeout=120)
    assert tenant.get("/overview", granularity="month")["orders"] == 20_000


def test_the_end_of_an_import_is_an_event(new_analytics: Any, new_peer: Any) -> None:
    service = new_analytics()
    listener = new_peer(service.home, "listener", "analytics-events")
    tenant = service.tenant()
    content = b"customer,day,amount\n1,1997-01-01,5\n1,1997-02-01,6\n2,soon,7\n"
    good = tenant.imported(content, OPTIONS)["import_id"]
    bad = tenant.imported(b"customer,day,amount\n2,soon,7\n", OPTIONS)["import_id"]

    def heard(import_id: str) -> list[JSON]:
        return [event for event in listener.events if event["subject"] == import_id]

    wait_for(lambda: heard(good) and heard(bad))
    completed, failed = heard(good)[0], heard(bad)[0]
    assert (completed["type"], completed["source"]) == ("omnify.analytics.import.completed.v1", "analytics")
    assert completed["data"] == {
        "import_id": good,
        "organization_id": tenant.organization_id,
        "rows_accepted": 2,
        "rows_rejected": 1,
        "orders": 2,
        "first_day": "1997-01-01",
        "last_day": "1997-02-01",
        "currency": "EUR",
    }
    assert failed["type"] == "omnify.analytics.import.failed.v1"
    assert failed["data"]["reason"] == "no row of the file could be taken"
