"""The rules of rosters and role books, alone."""

from datetime import UTC, datetime, timedelta

import pytest

from omnify_auth.records import Membership, PasswordHash, User
from omnify_auth.role_book import MOST, CustomRole, RoleBook, entered
from omnify_auth.rosters import (
    MOST_INVITATIONS,
    MOST_MEMBERS,
    Invitation,
    Member,
    Roster,
    changed,
    founded,
    handed_over,
    invited,
    joined,
    without,
)
from omnify_shared import clock
from omnify_shared.permissions import ROLES
from omnify_shared.problems import Conflict, Forbidden, NotFound, Problem, Unprocessable

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def member(user_id: str, *roles: str, disabled: bool = False) -> Member:
    return Member(user_id=user_id, roles=roles or ("member",), joined_at=NOW, disabled_at=NOW if disabled else None)


def roster(*members: Member, deleted: bool = False) -> Roster:
    return Roster(organization_id="o", members=members, deleted_at=NOW if deleted else None)


def invitation(number: int, name: str = "", *, ends: timedelta = timedelta(hours=1)) -> Invitation:
    now = clock.now()
    return Invitation(
        invitation_id=str(number),
        name=name or f"name {number}",
        email=f"{number}@example.com",
        role="member",
        invited_by="a",
        invited_at=now,
        expires_at=now + ends,
    )


def demoted(one: Member) -> Member:
    return one.model_copy(update={"roles": ("viewer",)})


def disabled(one: Member) -> Member:
    return one.model_copy(update={"disabled_at": NOW})


@pytest.mark.parametrize("change", [demoted, disabled, lambda _: None], ids=["demoted", "disabled", "gone"])
def test_an_organisation_keeps_an_owner(change: object) -> None:
    alone = roster(member("a", "owner"), member("b", "admin"), member("c", "owner", disabled=True))
    with pytest.raises(Conflict):
        changed(alone, "a", change)  # type: ignore[arg-type]
    two = roster(member("a", "owner"), member("b", "owner"))
    left = changed(two, "a", change)  # type: ignore[arg-type]
    assert left.member("b").roles == ("owner",)
    with pytest.raises(NotFound):
        changed(two, "z", change)  # type: ignore[arg-type]


def test_what_a_member_is_stands_in_the_membership() -> None:
    one = roster(member("a", "owner"), member("b", "admin", disabled=True))
    found = one.membership("b")
    assert found is not None
    assert (found.organization_id, found.roles, found.disabled_at) == ("o", ("admin",), NOW)
    assert one.membership("z") is None
    gone = roster(member("a", "owner"), deleted=True)
    assert gone.membership("a") is None
    assert not gone.has("a")
    with pytest.raises(NotFound):
        gone.member("a")


def test_only_an_owner_hands_over_and_only_to_another_active_member() -> None:
    one = roster(member("a", "owner"), member("b"), member("c", disabled=True))
    after = handed_over(one, "a", "b")
    assert (after.member("a").roles, after.member("b").roles) == (("admin",), ("owner",))
    for owner, heir in (("a", "a"), ("a", "c"), ("b", "c"), ("b", "a")):
        with pytest.raises(Conflict):
            handed_over(one, owner, heir)
    with pytest.raises(NotFound):
        handed_over(one, "a", "z")


def test_members_join_once_and_up_to_a_limit() -> None:
    one = joined(roster(member("a", "owner")), member("b"))
    assert [each.user_id for each in one.members] == ["a", "b"]
    with pytest.raises(Conflict):
        joined(one, member("b", "owner"))
    full = roster(*(member(str(number)) for number in range(MOST_MEMBERS)))
    with pytest.raises(Conflict):
        joined(full, member("new"))


def test_an_invitation_takes_the_place_of_the_one_before_to_its_address() -> None:
    one = invited(roster(), invitation(1, "x"))
    two = invited(one, invitation(2, "y"))
    again = invited(two, invitation(3, "x"))
    assert [each.invitation_id for each in again.invitations] == ["2", "3"]
    left, taken = without(again, "2")
    assert (taken.name, [each.invitation_id for each in left.invitations]) == ("y", ["3"])
    with pytest.raises(NotFound):
        without(left, "2")


def test_invitations_end_and_are_bounded() -> None:
    late = roster().model_copy(update={"invitations": (invitation(1, ends=timedelta(seconds=-1)),)})
    assert late.open(clock.now()) == ()
    with pytest.raises(NotFound):
        without(late, "1")
    full = roster().model_copy(update={"invitations": tuple(invitation(n) for n in range(MOST_INVITATIONS))})
    with pytest.raises(Conflict):
        invited(full, invitation(MOST_INVITATIONS))
    assert len(invited(full, invitation(500, "name 7")).invitations) == MOST_INVITATIONS


def custom(role_id: str, name: str, *permissions: str) -> CustomRole:
    return CustomRole(role_id=role_id, name=name, description="", permissions=permissions, created_at=NOW)


BOOK = RoleBook(roles=(custom("r1", "Analyst", "analytics:export"), custom("r2", "Payer", "org:billing")))


def test_roles_add_up_and_unknown_ones_are_worth_nothing() -> None:
    assert BOOK.permissions(("viewer", "r1")) == ROLES["viewer"] | {"analytics:export"}
    assert BOOK.permissions(("emperor",)) == frozenset()
    assert BOOK.own_permissions(("owner", "r2")) == {"org:billing"}
    assert (BOOK.one("r1").role_id, BOOK.one("owner").role_id) == ("r1", "owner")
    with pytest.raises(NotFound):
        BOOK.one("r3")
    with pytest.raises(NotFound):
        BOOK.custom("owner")


def test_nobody_gives_what_they_lack() -> None:
    BOOK.check_gives(("owner",), "r1", "r2", "admin")
    BOOK.check_gives(("manager",), "r1", "viewer")
    for held, role in ((("admin",), "r2"), (("admin",), "owner"), ((), "viewer"), (("r1",), "viewer")):
        with pytest.raises(Forbidden):
            BOOK.check_gives(held, role)
    with pytest.raises(Unprocessable):
        BOOK.check_gives(("owner",), "emperor")


def test_names_of_roles_are_unique_and_their_number_is_bounded() -> None:
    assert entered(BOOK, custom("r3", "Third")).roles[-1].role_id == "r3"
    changed_book = entered(BOOK, custom("r1", "Watcher", "campaign:view"))
    assert [one.name for one in changed_book.roles] == ["Watcher", "Payer"], "its place stays"
    for name in ("payer", "OWNER"):
        with pytest.raises(Conflict):
            entered(BOOK, custom("r1", name))
    full = RoleBook(roles=tuple(custom(str(number), f"Role {number}") for number in range(MOST)))
    with pytest.raises(Conflict):
        entered(full, custom("new", "New"))
    assert len(entered(full, custom("7", "Renamed")).roles) == MOST


def said(caught: pytest.ExceptionInfo[Problem]) -> str:
    return caught.value.detail


def test_what_a_refusal_says() -> None:
    with pytest.raises(NotFound) as gone:
        roster(member("a"), deleted=True).member("a")
    assert said(gone) == "no such member"
    with pytest.raises(NotFound) as unknown:
        roster(member("a")).member("b")
    assert said(unknown) == "no such member"
    with pytest.raises(Conflict) as twice:
        joined(roster(member("a")), member("a"))
    assert said(twice) == "already a member of the organisation"
    with pytest.raises(Conflict) as full:
        joined(roster(*(member(str(number)) for number in range(MOST_MEMBERS))), member("more"))
    assert said(full) == "an organisation may have 1000 members"
    with pytest.raises(Conflict) as ownerless:
        changed(roster(member("a", "owner")), "a", demoted)
    assert said(ownerless).startswith("an organisation needs an owner: make somebody else one first, or delete")
    one_owner = roster(member("a", "owner"), member("b", "admin"), member("c", disabled=True))
    for heir in ("a", "c"):
        with pytest.raises(Conflict) as not_them:
            handed_over(one_owner, "a", heir)
        assert said(not_them) == "the new owner must be another member who is not disabled"
    with pytest.raises(Conflict) as not_theirs:
        handed_over(one_owner, "b", "a")
    assert said(not_theirs) == "only an owner can hand the organisation over"
    with pytest.raises(NotFound) as nobody:
        without(one_owner, "9")
    assert said(nobody) == "no such invitation"
    many = tuple(invitation(number) for number in range(MOST_INVITATIONS))
    with pytest.raises(Conflict) as crowded:
        invited(one_owner.model_copy(update={"invitations": many}), invitation(MOST_INVITATIONS))
    assert said(crowded) == "an organisation may have 100 open invitations"


def test_a_change_touches_one_member_alone() -> None:
    before = roster(member("a", "owner"), member("b", "admin"), member("c"))
    after = changed(before, "b", demoted)
    assert after.members == (before.members[0], demoted(before.members[1]), before.members[2])
    assert after.organization_id == "o"
    assert changed(before, "c", lambda _: None).members == before.members[:2]
    over = handed_over(before, "a", "c")
    assert [(one.user_id, one.roles) for one in over.members] == [
        ("a", ("admin",)),
        ("b", ("admin",)),
        ("c", ("owner",)),
    ]
    assert joined(before, member("d")).members == (*before.members, member("d"))


def test_who_founded_an_organisation_was_its_first_member() -> None:
    memberships = (
        Membership(organization_id="p", roles=("viewer",)),
        Membership(organization_id="o", roles=("owner", "member")),
    )
    founder = User(
        user_id="u", email="a@b.example", full_name="A", password=PasswordHash(encoded="x", pepper=1),
        memberships=memberships, verification_id="v", created_at=NOW, verified_at=NOW,
    )  # fmt: skip
    made = founded(founder, "o")
    assert made == Roster(organization_id="o", members=(Member(user_id="u", roles=("owner", "member"), joined_at=NOW),))
    with pytest.raises(NotFound) as caught:
        founded(founder, "q")
    assert said(caught) == "no such organisation"


def test_an_invitation_ends_at_its_very_moment() -> None:
    one = invitation(1)
    held = roster(member("a")).model_copy(update={"invitations": (one, invitation(2))})
    assert one in held.open(one.expires_at - timedelta(microseconds=1))
    assert one not in held.open(one.expires_at)
    left, taken = without(held, "1")
    assert (taken, [other.invitation_id for other in left.invitations]) == (one, ["2"])
    assert left.members == held.members


def test_what_a_refusal_about_roles_says() -> None:
    with pytest.raises(NotFound) as unknown:
        BOOK.custom("r9")
    assert said(unknown) == "no such role"
    with pytest.raises(Unprocessable) as made_up:
        BOOK.check_gives(("owner",), "e" * 100)
    assert said(made_up) == f"there is no role {'e' * 80!r}"
    with pytest.raises(Forbidden) as lacking:
        BOOK.check_gives(("admin",), "owner")
    missing = ", ".join(sorted(ROLES["owner"] - ROLES["admin"]))
    assert said(lacking) == f"you lack {missing}, so you can neither give nor take it"
    with pytest.raises(Conflict) as taken:
        entered(BOOK, custom("r9", "OWNER"))
    assert said(taken) == "there is a role of this name"
    full = RoleBook(roles=tuple(custom(str(number), f"Role {number}") for number in range(MOST)))
    with pytest.raises(Conflict) as crowded:
        entered(full, custom("r9", "More"))
    assert said(crowded) == "an organisation may have 50 roles of its own"
    assert len(entered(RoleBook(roles=full.roles[1:]), custom("r9", "More")).roles) == MOST
    assert entered(full, custom("1", "Renamed")).roles[1].name == "Renamed"
