"""Each change of a stored document that another release trips over is caught, and those that are harmless pass."""

from typing import Any, ClassVar, Literal

import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from omnify_local.contracts import state
from omnify_local.contracts.services import Service
from omnify_shared.forms import Form


class Pet(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


class Person(BaseModel):
    full: str
    born: int | None
    mood: Literal["calm", "cross"]
    pets: list[Pet] = []
    note: str = ""


class Split(BaseModel):
    """Version 2 of a person."""

    schema_version: ClassVar[int] = 2
    first: str
    last: str


class SplitLater(Split):
    """Version 2, read but not yet written."""

    written_as: ClassVar[type[BaseModel]] = Person


def form(model: Any, **facts: Any) -> dict[str, Any]:
    return state.document(Form(**{"kind": "person", "type": model} | facts))


def like(base: type[BaseModel] = Person, *, without: tuple[str, ...] = (), **fields: Any) -> type[BaseModel]:
    """A model like `base` with other fields; `name=(type, default)` gives one a default."""
    kept: dict[str, Any] = {
        name: field.annotation if field.is_required() else (field.annotation, field.default)
        for name, field in base.model_fields.items()
    }
    facts = {name: one for name, one in (kept | fields).items() if name not in without}
    types = {name: one[0] if isinstance(one, tuple) else one for name, one in facts.items()}
    defaults = {name: one[1] for name, one in facts.items() if isinstance(one, tuple)}
    return type(base.__name__, (BaseModel,), {"__annotations__": types, "__module__": __name__} | defaults)


class Cat(BaseModel):
    name: str
    lives: int = 9


_AgedPet: Any = like(Pet, age=int)
BREAKS: dict[str, tuple[Any, str]] = {
    "field gone": (like(without=("full",)), "the released version can't read what is written now: d.full: is required"),
    "field renamed": (like(without=("full",), name=str), "d.full: is required and is missing"),
    "field with a default gone": (like(without=("note",)), "d.note: is gone"),
    "field asked": (like(more=str), "what the released version wrote can't be read: d.more: is required"),
    "field in a list asked": (like(pets=list[_AgedPet]), "d.pets[].age: is required and is missing"),
    "type changed": (like(full=int), "d.full: type integer is possible, not only string"),
    "null added": (like(full=str | None), "the released version can't read what is written now: d.full: type null"),
    "null taken": (like(born=int), "what the released version wrote can't be read: d.born: type null"),
    "value added": (like(mood=Literal["calm", "cross", "sad"]), "d.mood: 'sad' is possible"),
    "value taken": (like(mood=Literal["calm"]), "what the released version wrote can't be read: d.mood: 'cross'"),
    "a list of others": (like(pets=list[str]), "d.pets[]: type string is possible"),
    "written before it can be read": (Split, "version 2 is written, and the released version reads 1: release the"),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_is_caught(name: str) -> None:
    model, reason = BREAKS[name]
    found = list(state.of_state("auth/person", form(Person), form(model)))
    assert any(reason in one and one.startswith("auth/person: ") for one in found), found


@pytest.mark.parametrize("facts", [{"kind": "human"}, {"last": "main"}, {"enveloped": False}])
def test_another_place_is_a_break(facts: dict[str, Any]) -> None:
    (found,) = state.of_state("auth/person", form(Person), form(Person, **facts))
    assert "what lies in the store is not found" in found


def test_a_form_that_is_gone_is_a_break() -> None:
    (found,) = state.of_state("auth/person", form(Person), None)
    assert "is stored no more" in found


@pytest.mark.parametrize(
    "model", [Person, like(more=(str, "")), like(pets=(list[Cat], [])), like(born=(int | None, 1))]
)
def test_what_is_harmless_passes(model: Any) -> None:
    assert list(state.of_state("auth/person", form(Person), form(model))) == []


def test_a_new_shape_takes_two_releases() -> None:
    before, readers, writers = form(Person), form(SplitLater), form(Split)
    assert list(state.of_state("auth/person", before, readers)) == []
    assert list(state.of_state("auth/person", readers, writers)) == []
    assert any("never goes back" in one for one in state.of_state("auth/person", writers, readers))


def test_the_older_shape_may_not_change_while_it_is_still_written() -> None:
    class Later(Split):
        written_as: ClassVar[type[BaseModel]] = like(without=("full",))

    assert any("d.full: is required" in one for one in state.of_state("auth/person", form(SplitLater), form(Later)))


def test_two_models_under_one_name_are_refused() -> None:
    shop = Service("shop", FastAPI(), stores=(Form("person", Person), Form("person", Split)))
    with pytest.raises(ValueError, match="shop/person: tell them apart by `last`"):
        state.forms([shop])
    apart = Service("shop", FastAPI(), stores=(Form("person", Person), Form("person", Split, last="head")))
    assert {name for _, name in state.forms([apart])} == {"person", "person.head"}
