"""Second factors that were lost, on real sidecars."""

from datetime import timedelta
from typing import Any

import httpx2 as httpx
import pyotp


async def enrolled(lab: Any, person: Any) -> str:
    """Sets up an authenticator app that is lost at once; the challenge of the next sign-in."""
    headers = {"authorization": f"Bearer {person.tokens['access_token']}"}
    made = (await lab.auth.http.post("/api/mfa/totp/setup", headers=headers)).json()
    code = {"code": pyotp.TOTP(made["secret"]).now()}
    assert (await lab.auth.http.post("/api/mfa/totp/verify", json=code, headers=headers)).status_code == 200
    return await challenge(lab, person)


async def challenge(lab: Any, person: Any) -> str:
    answer = await lab.login(person.form)
    assert answer.status_code == 403
    return str(answer.json()["mfa_token"])


async def mailed(lab: Any, person: Any) -> str:
    async def wanted(event: dict[str, Any]) -> str | None:
        data = event["data"]
        if (data.get("kind"), data.get("user_id")) != ("mfa_recovery", person.id):
            return None
        caller = {"dapr-caller-app-id": "email"}
        answer = await lab.auth.http.post(f"/internal/letters/{data['letter_id']}", headers=caller)
        return str(answer.json().get("token", ""))

    return str(await lab.probe.first(wanted))


async def reset(administrator: Any, person: Any) -> httpx.Response:
    answer: httpx.Response = await administrator.here("POST", f"/members/{person.id}/mfa-reset")
    return answer


async def test_lost_factors_are_taken_away_by_two_people(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest, admin = await owner.colleague(), await owner.colleague("admin")
    waiting = await enrolled(lab, guest)
    assert (await reset(admin, guest)).status_code == 409, "the member did not ask"
    assert (await lab.auth.post("login/mfa/recovery", mfa_token=waiting)).status_code == 202
    assert (await reset(admin, guest)).status_code == 409, "nor is the mailbox shown"
    token = await mailed(lab, guest)
    assert (await lab.auth.post("mfa-recovery/confirm", token=token)).status_code == 200
    assert (await lab.auth.post("mfa-recovery/confirm", token=token)).status_code == 400, "once"
    assert (await lab.login(guest.form)).status_code == 403, "not without the administrator"
    assert (await reset(admin, guest)).status_code == 204
    assert (await guest.refresh()).status_code == 401, "all sessions end"
    assert (await lab.login(guest.form)).status_code == 200
    assert (await reset(admin, guest)).status_code == 409, "nothing is left"


async def test_nobody_resets_who_may_do_more_nor_themselves_nor_strangers(lab: Any, new_person: Any) -> None:
    owner, foreign = await new_person(), await new_person()
    admin = await owner.colleague("admin")
    await owner.refresh()
    waiting = await enrolled(lab, owner)
    await lab.auth.post("login/mfa/recovery", mfa_token=waiting)
    assert (await lab.auth.post("mfa-recovery/confirm", token=await mailed(lab, owner))).status_code == 200
    assert (await reset(admin, owner)).status_code == 403
    assert (await reset(owner, owner)).status_code == 403
    assert (await reset(foreign, owner)).status_code == 404
    assert (await lab.login(owner.form)).status_code == 403


async def test_a_request_ends_after_72_hours(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest = await owner.colleague()
    await lab.auth.post("login/mfa/recovery", mfa_token=await enrolled(lab, guest))
    assert (await lab.auth.post("mfa-recovery/confirm", token=await mailed(lab, guest))).status_code == 200
    factors = await lab.auth.service.store.factors.get(guest.id)
    assert factors.recovery_asked_at

    def long_ago(factors: Any, _: Any) -> Any:
        return factors.model_copy(update={"recovery_asked_at": factors.recovery_asked_at - timedelta(hours=72)})

    await lab.auth.service.store.factors.update(guest.id, change=long_ago)
    assert (await reset(owner, guest)).status_code == 409


async def test_who_uses_a_factor_has_not_lost_them(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest = await owner.colleague()
    headers = {"authorization": f"Bearer {guest.tokens['access_token']}"}
    made = (await lab.auth.http.post("/api/mfa/totp/setup", headers=headers)).json()
    code = {"code": pyotp.TOTP(made["secret"]).now()}
    codes = (await lab.auth.http.post("/api/mfa/totp/verify", json=code, headers=headers)).json()["recovery_codes"]
    waiting = await challenge(lab, guest)
    await lab.auth.post("login/mfa/recovery", mfa_token=waiting)
    assert (await lab.auth.post("mfa-recovery/confirm", token=await mailed(lab, guest))).status_code == 200
    assert (await lab.auth.post("login/mfa", mfa_token=waiting, recovery_code=codes[0])).status_code == 200
    assert (await reset(owner, guest)).status_code == 409


async def test_a_new_password_makes_the_link_void(lab: Any, new_person: Any) -> None:
    owner = await new_person()
    guest = await owner.colleague()
    await lab.auth.post("login/mfa/recovery", mfa_token=await enrolled(lab, guest))
    token = await mailed(lab, guest)
    headers = {"authorization": f"Bearer {guest.tokens['access_token']}"}
    body = {"current_password": guest.form["password"], "new_password": "eleven slow otters hum"}
    assert (await lab.auth.http.post("/api/auth/change-password", json=body, headers=headers)).status_code == 200
    assert (await lab.auth.post("mfa-recovery/confirm", token=token)).status_code == 400
    assert (await lab.auth.post("login/mfa/recovery", mfa_token="x.y")).status_code == 401
