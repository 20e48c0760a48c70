"""Both forms of a user's document: in clear as it is written now, and sealed as a later release writes it."""

import json
from typing import Any

import pytest

from omnify_auth.records import PasswordHash, PlainUser, User
from omnify_auth.users import record_of
from omnify_shared import clock
from omnify_shared.documents import Documents
from omnify_shared.envelope import Codec, Envelope
from omnify_shared.vault import Sealed

NAMES = ("email", "full_name")


class SealedUser(User):
    """The release after this one: writes what this one only reads."""


SealedUser.written_as = SealedUser


async def seal(lab: Any, user_id: str) -> dict[str, Any]:
    """Has the later release write a user; what lies in the store then."""
    service = lab.auth.service
    later: Documents[Any] = Documents(service.store._state, "user", SealedUser)
    user = await service.store.users.get(user_id)
    plain = json.dumps(user.model_dump(include=set(NAMES))).encode()
    sealed = await service.profiles.seal(user_id, plain, record_of(user_id))
    shown = dict.fromkeys(NAMES, "") | {"sealed": sealed}
    await later.update(user_id, change=lambda found, _: found.model_copy(update=shown))
    return await raw(lab, user_id)


async def raw(lab: Any, user_id: str) -> dict[str, Any]:
    entry = await lab.auth.service.store._state.get(f"user/{user_id}")
    return dict(json.loads(entry.data))


async def test_a_sealed_user_signs_in_is_shown_and_changed(lab: Any) -> None:
    form = await lab.verified()
    tokens = (await lab.login(form)).json()
    user_id = tokens["user"]["user_id"]
    before = await raw(lab, user_id)
    assert (before["v"], before["d"]["email"]) == (1, form["email"]), "the released one reads it"
    stored = await seal(lab, user_id)
    assert (stored["v"], stored["d"]["email"]) == (2, "")
    assert form["email"] not in json.dumps(stored)
    assert form["full_name"] not in json.dumps(stored)
    users = lab.auth.service.store.users
    found = (await users.get_many([(user_id,)]))[user_id,]
    assert (found.email, found.full_name, found.sealed) == (form["email"], form["full_name"], None)
    again = (await lab.login(form)).json()
    assert (await lab.auth.get("/api/auth/me", again["access_token"])).json()["email"] == form["email"]
    new = {"current_password": form["password"], "new_password": form["password"] + " anew"}
    headers = {"authorization": f"Bearer {again['access_token']}"}
    assert (await lab.auth.http.post("/api/auth/change-password", json=new, headers=headers)).status_code == 200
    after = await raw(lab, user_id)
    assert (after["v"], after["d"]["email"], after["d"]["full_name"]) == (1, form["email"], form["full_name"])
    assert "sealed" not in after["d"]


async def test_a_sealed_user_is_erased_and_a_shredded_key_shows_nobody(lab: Any) -> None:
    form, other = await lab.verified(), await lab.signed_in()
    tokens = (await lab.login(form)).json()
    await seal(lab, tokens["user"]["user_id"])
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    asked = await lab.auth.http.post("/api/auth/me/erasure", json={"email": form["email"]}, headers=headers)
    assert asked.status_code == 202, asked.text
    shell = (await raw(lab, tokens["user"]["user_id"]))["d"]
    assert (shell["email"], shell["full_name"]) == ("", "")
    other_id = other["user"]["user_id"]
    await seal(lab, other_id)
    await lab.auth.service.profiles.shred(other_id)
    found = await lab.auth.service.store.users.get(other_id)
    assert (found.email, found.full_name, found.sealed) == ("", "", None)


def test_a_user_that_was_not_opened_is_never_written() -> None:
    nothing = {"email": "", "full_name": "", "password": PasswordHash(encoded="", pepper=0), "memberships": ()}
    plain = User(user_id="u", verification_id="", created_at=clock.now(), verified_at=None, **nothing)
    written = json.loads(Codec(User).encode(Envelope(1, plain)))
    assert (written["v"], set(written["d"])) == (1, set(PlainUser.model_fields))
    with pytest.raises(ValueError, match="can't be written"):
        Codec(User).encode(Envelope(1, plain.model_copy(update={"sealed": Sealed(key=1, nonce="n", data="d")})))
