"""A marketer's whole way on the locked-down platform."""

from pathlib import Path

import pytest

from omnify_local import data, paths
from omnify_local.journey import CDNOW_SAMPLE, Marketer, token_in
from secure.stage import Stage


@pytest.fixture(scope="session")
def orders() -> Path:
    """6,919 real orders (CDNOW; Fader and Hardie)."""
    return data.fetch(paths.repository()) / data.SAMPLE


@pytest.mark.timeout(240)
def test_from_sign_up_to_a_refused_logout(stage: Stage, orders: Path) -> None:
    marketer = Marketer(stage.platform.url)
    try:
        marketer.register()
        marketer.verify(token_in(stage.platform.inbox.wait_for(marketer.email, timeout=90)[-1]))
        marketer.log_in()
        assert marketer.ask("GET", "/api/auth/me", 200)["email"] == marketer.email
        status = marketer.wait_for_import(marketer.start_import(orders, CDNOW_SAMPLE))
        assert (status["status"], status["rows_accepted"]) == ("completed", 6919)
        assert marketer.overview("1997-01-01", "1998-06-30")["orders"] == 6919
        marketer.refresh()
        old = marketer.log_out()
        for path in ("/api/auth/me", "/api/analytics/imports"):
            marketer.seconds_until_refused(old, path)
    finally:
        marketer.close()
