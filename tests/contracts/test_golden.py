"""Golden files: every form and event has one, today's code reads them, and whoever forgets one is told what to do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from omnify_local import paths
from omnify_local.contracts import files, golden, services
from omnify_local.contracts.services import Service
from omnify_shared.envelope import Codec, Envelope
from omnify_shared.events import CloudEvent, EventData
from omnify_shared.forms import Form

KEPT = paths.repository() / golden.FOLDER
ADVICE = "run `make golden`"


@pytest.fixture(scope="module")
def loaded() -> list[Service]:
    return services.load(paths.repository())


def test_all_that_is_stored_and_sent_has_a_golden_file_and_is_read(loaded: list[Service]) -> None:
    assert sum(len(service.stores) for service in loaded) > 15
    assert list(golden.problems(KEPT, loaded)) == []


def test_the_released_ones_are_as_they_were() -> None:
    released = files.released_golden(paths.repository() / files.FOLDER)
    assert len(released) > 30
    assert list(golden.rewritten(KEPT, released)) == []


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("{}\n")])
def test_a_released_one_that_is_written_again_is_caught(spoil: Callable[[Path], Any], tmp_path: Path) -> None:
    copy = shutil.copytree(KEPT, tmp_path / "golden")
    released = golden.digests(copy)
    spoil(copy / "1" / "auth" / "state" / "user.v1.json")
    (found,) = golden.rewritten(copy, released)
    assert (
        found
        == "golden 1/auth/state/user.v1.json: a released golden file is never rewritten; take it back from the release"
    )
    newest = max(int(name.partition("/")[0]) for name in released)
    (copy / str(newest + 1)).mkdir()
    found_folder = golden.released_folder(copy, released)
    assert found_folder == copy / str(newest), "what is not released yet is not the released version"


class Pet(BaseModel):
    name: str
    age: int | None


class OlderPet(BaseModel):
    name: str


class SecondPet(Pet):
    schema_version: ClassVar[int] = 2


class UpgradedPet(SecondPet):
    @classmethod
    def upgrade(cls, data: dict[str, Any], from_version: int) -> dict[str, Any]:
        return data | {"age": None}


class PetSold(EventData, type="omnify.shop.pet.sold.v1"):
    """A pet was sold."""

    name: str


class PetSoldWithAge(EventData, type="omnify.shop.pet.sold.v1"):
    """A pet was sold."""

    name: str
    age: int = 0


class PetSoldReader(EventData, type="omnify.shop.pet.sold.v1"):
    price: int


def keep(folder: Path, name: str, content: Any, release: str = "1") -> None:
    path = folder / release / "shop" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def stored(value: BaseModel) -> dict[str, Any]:
    return {"shop||pet/1": json.loads(Codec(type(value)).encode(Envelope(1, value)))}


def of_form(folder: Path, model: type[BaseModel]) -> list[str]:
    return list(golden.problems(folder, [Service("shop", FastAPI(), stores=(Form("pet", model),))]))


def test_a_form_without_one_is_named_with_what_to_do(tmp_path: Path) -> None:
    (found,) = of_form(tmp_path, Pet)
    assert found.startswith("golden shop/pet: none shows how it is written now")
    assert ADVICE in found
    keep(tmp_path, "state/pet.v1.json", stored(Pet(name="a", age=1)))
    assert of_form(tmp_path, Pet) == []


def test_a_form_that_changed_needs_another_one(tmp_path: Path) -> None:
    keep(tmp_path, "state/pet.v1.json", stored(OlderPet(name="a")))
    unreadable, missing = of_form(tmp_path, Pet)
    assert unreadable.startswith("golden 1/shop/state/pet.v1.json: shop||pet/1 can't be read any more: Pet: ")
    assert ADVICE in missing


def test_an_older_version_is_read_by_its_upgrade(tmp_path: Path) -> None:
    keep(tmp_path, "state/pet.v1.json", stored(OlderPet(name="a")))
    keep(tmp_path, "state/pet.v2.json", stored(UpgradedPet(name="a", age=3)), release="2")
    assert of_form(tmp_path, UpgradedPet) == []
    (found,) = of_form(tmp_path, SecondPet)
    assert "no upgrade from schema version 1" in found


def test_one_with_other_fields_does_not_show_it(tmp_path: Path) -> None:
    keep(tmp_path, "state/pet.v1.json", stored(Pet(name="a", age=1)))
    (found,) = of_form(tmp_path, OlderPet)
    assert ADVICE in found, "a field less is a change too"


def test_bare_values_have_theirs(tmp_path: Path) -> None:
    shop = Service("shop", FastAPI(), stores=(Form("list", list[str], enveloped=False),))
    keep(tmp_path, "state/list.v1.json", {"shop||list/1": [1]})
    unreadable, missing = golden.problems(tmp_path, [shop])
    assert "can't be read any more" in unreadable
    assert ADVICE in missing
    keep(tmp_path, "state/list.v1.json", {"shop||list/1": ["a"]})
    assert list(golden.problems(tmp_path, [shop])) == []


def test_events_have_theirs_and_every_reader_takes_them(tmp_path: Path) -> None:
    def problems(event: type[EventData], *readers: type[EventData]) -> list[str]:
        shop = Service("shop", FastAPI(), produces=(event,))
        return list(golden.problems(tmp_path, [shop, Service("mail", FastAPI(), handles=readers)]))

    (missing,) = problems(PetSold)
    assert "none shows how it is sent now" in missing
    assert ADVICE in missing
    wire = CloudEvent.of(PetSold(name="a"), source="shop", subject="1", sequence=1).wire()
    keep(tmp_path, f"events/{PetSold.event_type}.json", wire)
    assert problems(PetSold, PetSold) == []
    assert "none shows" in problems(PetSoldWithAge)[0], "a field more is a change too"
    (unread,) = problems(PetSold, PetSoldReader)
    assert "can't be read any more" in unread
