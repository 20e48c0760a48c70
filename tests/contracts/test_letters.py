"""Every kind of letter that auth may ask for, as its contract says, has a template in the email service."""

import json
from typing import get_args

from omnify_email.catalogue import LetterKind
from omnify_local import paths

EVENT = paths.repository() / "docs/contracts/events/omnify.auth.letter.requested.v1.schema.json"


def test_auth_asks_for_no_letter_that_email_does_not_know_and_for_each_that_it_knows() -> None:
    contract = json.loads(EVENT.read_text())["properties"]["data"]["properties"]["kind"]
    assert set(contract["enum"]) == set(get_args(LetterKind))
