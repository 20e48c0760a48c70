"""The page of personal data knows every kind of document, and every field whose name says that it is about a person."""

import re
from typing import Any

import pytest
from pydantic import BaseModel

from architecture import repository
from omnify_local.contracts import services
from omnify_local.contracts.services import Service
from omnify_shared.forms import Form

PAGE = repository.ROOT / "docs" / "security" / "personal-data.md"
ROW = re.compile(r"^\| (\w+) \| ([^|]+) \| ([^|]+) \| [^|]+ \| [^|]+ \| [^|]+ \|$", re.MULTILINE)
NAME = re.compile(r"`([\w.-]+)`")
TELLING = frozenset(
    {
        "user_id", "email", "full_name", "password", "to", "created_by", "address", "user_agent", "network", "filename",
        "recipient_hash", "ip_address", "name_of_sender", "recipient", "phone", "pseudonym",
    }
)  # fmt: skip
"""Names of fields that say something about a person, wherever they stand."""


@pytest.fixture(scope="module")
def loaded() -> dict[str, Service]:
    return {service.name: service for service in services.load(repository.ROOT) if service.stores}


def rows() -> list[tuple[str, set[str], set[str]]]:
    """Service, kinds and the fields that are named, of each row."""
    found = ROW.findall(PAGE.read_text())
    return [(service, set(NAME.findall(kinds)), set(NAME.findall(fields))) for service, kinds, fields in found]


def nameless() -> set[tuple[str, str]]:
    """The kinds that are said to name nobody."""
    text = PAGE.read_text().partition("Kinds that name nobody:")[2]
    parts = re.findall(r"(\w+)\s+((?:`[\w.-]+`[,\s]*)+)", text)
    return {(service, kind) for service, kinds in parts for kind in NAME.findall(kinds)}


def fields_of(model: Any, seen: frozenset[Any] = frozenset()) -> set[str]:
    """The names of a model's fields, and of those of the models within it."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        inner = [one for one in getattr(model, "__args__", ()) if one is not Ellipsis]
        return set().union(*(fields_of(one, seen) for one in inner))
    if model in seen:
        return set()
    nested = [fields_of(field.annotation, seen | {model}) for field in model.model_fields.values()]
    return set(model.model_fields).union(*nested)


def forms(loaded: dict[str, Service]) -> list[tuple[str, Form]]:
    return [(name, form) for name, service in loaded.items() for form in service.stores]


def test_every_kind_of_document_stands_on_the_page_once(loaded: dict[str, Service]) -> None:
    listed = [(service, kind) for service, kinds, _ in rows() for kind in kinds]
    assert len(listed) == len(set(listed)) > 20
    assert set(listed).isdisjoint(nameless())
    stored = {(service, form.name) for service, form in forms(loaded)}
    assert {*listed, *nameless()} == stored, f"a kind of document is looked at before it is stored: {PAGE.name}"


def test_every_field_about_a_person_is_named(loaded: dict[str, Service]) -> None:
    named = {(service, kind): fields for service, kinds, fields in rows() for kind in kinds}
    missing = [
        (service, form.name, field)
        for service, form in forms(loaded)
        for field in sorted(fields_of(form.type) & TELLING)
        if field not in named.get((service, form.name), set()) and not _inside(form, field, named)
    ]
    assert missing == [], f"say in {PAGE.name} what they are for, and what an erasure does"


def _inside(form: Form, field: str, named: dict[tuple[str, str], set[str]]) -> bool:
    """Whether the field stands within one that is named as a whole."""
    top = form.type.model_fields if isinstance(form.type, type) and issubclass(form.type, BaseModel) else {}
    holders = {name for name, info in top.items() if field in fields_of(info.annotation)}
    told = set().union(*(fields for (_, kind), fields in named.items() if kind == form.name))
    return field not in top and bool(holders) and holders <= told


def test_what_is_named_exists(loaded: dict[str, Service]) -> None:
    known = {(service, form.name): fields_of(form.type) for service, form in forms(loaded)}
    made_up = [
        (service, kind, field)
        for service, kinds, fields in rows()
        for kind in kinds
        for field in fields
        if known[service, kind] and field not in known[service, kind] and field != "consent_proof"
    ]
    assert made_up == []


def test_the_test_sees_a_field_that_is_not_named() -> None:
    class Inner(BaseModel):
        email: str

    class Outer(BaseModel):
        rows: tuple[Inner, ...]
        by: dict[str, Inner] | None

    assert fields_of(Outer) == {"rows", "by", "email"}
