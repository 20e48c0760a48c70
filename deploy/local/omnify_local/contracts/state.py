"""JSON Schemas of what the services store, and what breaks when a change meets documents that another release wrote.

A replica reads what the release before wrote, and while one release replaces the other, also what the release after
it writes.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from omnify_local.contracts.events import opened
from omnify_local.contracts.fitting import Fit, Side
from omnify_local.contracts.services import Service
from omnify_shared.envelope import version_of, written_model
from omnify_shared.forms import Form

Document = Mapping[str, Any]
SHARED = "shared"  # the owner of what the building blocks store for every app
MANY = "several models are stored under"


def forms(services: Iterable[Service]) -> dict[tuple[str, str], Form]:
    """Every form by owner and name. Raises ValueError when two models share a name."""
    found: dict[tuple[str, str], Form] = {}
    for service in services:
        owned = [(service.name, form) for form in service.stores] + [(SHARED, form) for form in service.shares]
        for owner, form in owned:
            if found.setdefault((owner, form.name), form) != form:
                raise ValueError(f"{MANY} {owner}/{form.name}: tell them apart by `last`")
    return found


def document(form: Form) -> dict[str, Any]:
    """A form as published: the version that is written, and per version that is known the schema of its data."""
    older = written_model(form.type)
    known = {version_of(model): _schema(model, "validation") for model in (older, form.type)}
    return {
        "kind": form.kind,
        "last": form.last,
        "enveloped": form.enveloped,
        "writes": version_of(older),
        "written": _schema(older, "serialization"),
        "reads": {str(version): schema for version, schema in sorted(known.items())},
    }


class Whole(GenerateJsonSchema):
    """What is written has all its fields, those with a default too."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        return self.mode == "serialization" or super().field_is_required(field, total)


def _schema(model: Any, mode: Any) -> Any:
    """Fields that a schema does not name are always taken: stored data is read leniently."""
    return opened(TypeAdapter(model).json_schema(mode=mode, schema_generator=Whole))


def of_state(name: str, old: Document, new: Document | None) -> Iterator[str]:
    """Breaks of one form between the released release and that of now."""
    if new is None:
        yield f"{name}: is stored no more; the released version waits for it, and what lies there is forgotten"
        return
    for part in ("kind", "last", "enveloped"):
        if old[part] != new[part]:
            yield f"{name}: its {part} was {old[part]!r}, and is {new[part]!r}: what lies in the store is not found"
    yield from _forth(name, old, new)
    yield from _back(name, old, new)


def _forth(name: str, old: Document, new: Document) -> Iterator[str]:
    """The released readers against what is written now."""
    version = str(new["writes"])
    if version not in old["reads"]:
        yield (
            f"{name}: version {version} is written, and the released version reads {', '.join(old['reads'])}: "
            "release the reader first (`written_as`)"
        )
        return
    for reason in Fit(lost_in_narrow=True).misfits(_side(old["reads"][version]), _side(new["written"]), "d"):
        yield f"{name}: the released version can't read what is written now: {reason}"


def _back(name: str, old: Document, new: Document) -> Iterator[str]:
    """The readers of now against what the released version writes; across versions the golden files tell."""
    version = str(old["writes"])
    if old["writes"] > new["writes"]:
        yield f"{name}: version {version} was written before; a version never goes back"
    if version in new["reads"]:
        for reason in Fit().misfits(_side(new["reads"][version]), _side(old["written"]), "d"):
            yield f"{name}: what the released version wrote can't be read: {reason}"


def _side(schema: Document) -> Side:
    return Side(schema, schema)
