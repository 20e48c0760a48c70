"""The people of the golden files with second factors: Fay uses hers, Gil took his away."""

from typing import Any

import pyotp

from omnify_local.inbox import Inbox
from omnify_local.journey import Marketer, token_in
from support.authenticator import Authenticator


def with_second_factors(fay: Marketer, gil: Marketer, inbox: Inbox) -> dict[str, Any]:
    """Signs both up; what Fay keeps for herself: the secret of her app, and recovery codes that still count."""
    for one in (fay, gil):
        one.join(inbox)
    taken = _enrol(gil)["recovery_codes"]
    gil.ask("POST", "/api/mfa/disable", 200, json={"method": "totp", "recovery_code": taken[0]})
    gil.ask("PUT", "/api/sessions/policy", 200, json={"idle_minutes": 30, "overall_minutes": 480})
    _with_another_address(gil, inbox)
    fay_has = _enrol(fay)
    first, second = fay_has["recovery_codes"][:2]
    login = {"email": fay.email, "password": fay.password}
    waiting = fay.ask("POST", "/api/auth/login", 403, json=login)["mfa_token"]
    answered = fay.ask("POST", "/api/auth/login", 403, json=login)["mfa_token"]
    fay.ask("POST", "/api/auth/login/mfa", 200, json={"mfa_token": answered, "recovery_code": first})
    fay.ask("POST", "/api/auth/step-up", 200, json={"password": fay.password, "recovery_code": second})
    fay.ask("PUT", "/api/mfa/policy", 200, json={"mfa_policy": "required"})
    codes = fay.ask("POST", "/api/mfa/recovery-codes", 200)["recovery_codes"]
    _with_passkey(fay)
    return {"fay_secret": fay_has["secret"], "fay_recovery_codes": codes, "fay_mfa_token": waiting}


def _with_another_address(one: Marketer, inbox: Inbox) -> None:
    new = f"new.{one.email}"
    one.ask("POST", "/api/auth/change-email", 202, json={"new_email": new})
    [mail] = inbox.wait_for(new, subject="Confirm your new email address")
    one.ask("POST", "/api/auth/change-email/confirm", 200, json={"token": token_in(mail)})
    one.email = new


def _with_passkey(one: Marketer) -> None:
    """Adds a passkey, and shows a copy of it that lags behind."""
    key = Authenticator(one.gateway.replace("127.0.0.1", "localhost"))  # as Platform.passkey_origin
    begun = one.ask("POST", "/api/mfa/passkeys/options", 200)
    made = {"ceremony_id": begun["ceremony_id"], "name": "phone", "credential": key.create(begun["options"])}
    one.ask("POST", "/api/mfa/passkeys", 201, json=made)
    for count, expected in ((5, 200), (2, 401)):
        key.count = count
        begun = one.ask("POST", "/api/auth/login/passkey/options", 200)
        shown = {"ceremony_id": begun["ceremony_id"], "credential": key.get(begun["options"])}
        one.ask("POST", "/api/auth/login/passkey", expected, json=shown)


def _enrol(one: Marketer) -> dict[str, Any]:
    made = one.ask("POST", "/api/mfa/totp/setup", 200)
    shown = one.ask("POST", "/api/mfa/totp/verify", 200, json={"code": pyotp.TOTP(made["secret"]).now()})
    return {"secret": made["secret"], "recovery_codes": shown["recovery_codes"]}
