"""What goes wrong while nobody looks is told by mail."""

from collections.abc import Callable

import pytest

from omnify_local.journey import Marketer
from omnify_local.servers.clamd import TEST_MARK
from omnify_shared.testing import Platform
from support.shops import ORDER_OPTIONS


@pytest.fixture(scope="module")
def ada(platform: Platform, new_marketer: Callable[..., Marketer]) -> Marketer:
    return new_marketer().join(platform.inbox)


def test_whoever_began_an_import_that_failed_is_told(platform: Platform, ada: Marketer) -> None:
    failed = ada.start_import(b"customer,day,amount\nnobody,never,nothing\n", ORDER_OPTIONS)
    assert ada.wait_for_import(failed)["status"] == "failed"
    [mail] = platform.inbox.wait_for(ada.email, subject="An import of orders failed", timeout=60)
    assert failed in mail.text
    assert "no row" not in mail.text


def test_of_refused_files_only_malware_is_told(platform: Platform, ada: Marketer) -> None:
    other = ada.send_file("not a picture.png", b"plain words", "creative")
    assert ada.wait_for_file(other)["reason"] == "type-differs"
    bad = ada.send_file("notes.txt", b"words and " + TEST_MARK, "other")
    assert ada.wait_for_file(bad)["reason"] == "malware"
    [mail] = platform.inbox.wait_for(ada.email, subject="Malware was found in a file of yours", timeout=60)
    assert bad in mail.text
    assert not [mail for mail in platform.inbox.mails(ada.email) if other in mail.text]
