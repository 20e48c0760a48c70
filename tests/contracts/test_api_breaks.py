"""Each change of a route that breaks a caller is caught, and those that break nobody pass."""

import copy
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from fastapi import FastAPI, Form, Header, Query
from pydantic import BaseModel, ConfigDict, Field

from omnify_local.contracts import api_breaks


class OrderIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=20)
    amount: int
    kind: Literal["a", "b"] = "a"


class OrderOut(BaseModel):
    order_id: str
    amount: int
    state: Literal["new", "paid"]
    placed_at: datetime
    totals: dict[str, int]


def api(
    *,
    taken: Any = OrderIn,
    given: Any = OrderOut,
    path: str = "/orders/{order_id}",
    limit: Any = Annotated[int, Query(le=100)],
    status: int = 200,
    header: Any = None,
    default: int = 10,
    method: str = "POST",
) -> dict[str, Any]:
    app = FastAPI()

    async def plain(*, order_id: str, body: Any, limit: Any = default) -> Any: ...

    async def asking(*, order_id: str, body: Any, limit: Any = default, extra: Any) -> Any: ...

    make: Any = asking if header else plain
    make.__annotations__.update({"body": taken, "limit": limit} | ({"extra": header} if header else {}))
    app.api_route(path, methods=[method], response_model=given, status_code=status)(make)
    return app.openapi()


def model(base: type[BaseModel], *, without: tuple[str, ...] = (), **fields: Any) -> type[BaseModel]:
    """A model like `base`, under the same name, with other fields."""
    kept = {name: field.annotation for name, field in base.model_fields.items() if name not in without}
    defaults = {"kind": "a"} if "kind" in kept else {}
    facts = {"__annotations__": kept | fields, "__module__": __name__, "model_config": base.model_config} | defaults
    if "name" in kept and "name" not in fields:
        facts["name"] = Field(max_length=20)
    return type(base.__name__, (BaseModel,), facts)


API_BREAKS: dict[str, tuple[dict[str, Any], str]] = {
    "route removed": ({"path": "/other/{order_id}"}, "the route is gone"),
    "request field asked": ({"taken": model(OrderIn, more=str)}, "body.more: is required and is missing"),
    "request field refused": ({"taken": model(OrderIn, without=("amount",))}, "body.amount: is not taken"),
    "request type narrowed": ({"taken": model(OrderIn, amount=bool)}, "body.amount: type integer is possible"),
    "request value removed": ({"taken": model(OrderIn, kind=Literal["a"])}, "body.kind: 'b' is possible"),
    "request text shortened": (
        {"taken": model(OrderIn, name=Annotated[str, Field(max_length=5)])},
        "body.name: maxLength 5 is asked, 20 is promised",
    ),
    "answer field removed": ({"given": model(OrderOut, without=("amount",))}, "answer 200.amount"),
    "answer field optional": ({"given": model(OrderOut, amount=int | None)}, "answer 200.amount: type null"),
    "answer type changed": ({"given": model(OrderOut, amount=str)}, "answer 200.amount: type string"),
    "answer value added": (
        {"given": model(OrderOut, state=Literal["new", "paid", "void"])},
        "answer 200.state: 'void' is possible",
    ),
    "status changed": ({"status": 201}, "status 200 is gone"),
    "parameter narrowed": ({"limit": Annotated[int, Query(le=50)]}, "query parameter limit: maximum 50 is asked"),
    "parameter gone": ({"limit": Annotated[int, Header()]}, "query parameter limit is gone"),
    "parameter asked": ({"header": Annotated[str, Query()]}, "query parameter extra is required now"),
    "method changed": ({"method": "PUT"}, "the route is gone"),
    "default changed": ({"limit": Annotated[int, Query(le=100)], "default": 20}, "limit: left out it means 20, not 10"),
    "body as a form": ({"taken": Annotated[OrderIn, Form()]}, "a body of application/json is no longer taken"),
    "answer's values widened": ({"given": model(OrderOut, totals=dict[str, Any])}, "answer 200.totals.*: any value"),
    "answer's format changed": ({"given": model(OrderOut, placed_at=str)}, "placed_at: format 'date-time' is asked"),
    "answer's values of another type": (
        {"given": model(OrderOut, totals=dict[str, str])},
        "answer 200.totals.*: type string",
    ),
    "list for a value": ({"given": list[OrderOut]}, "answer 200: type array is possible"),
}


@pytest.mark.parametrize("name", API_BREAKS)
def test_a_break_of_an_api_is_caught(name: str) -> None:
    facts, reason = API_BREAKS[name]
    found = list(api_breaks.of_api("shop", api(), api(**facts)))
    assert any(reason in one and one.startswith("shop POST /orders") for one in found), found


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"taken": model(OrderIn, amount=int | None)},
        {"taken": model(OrderIn, kind=Literal["a", "b", "c"])},
        {"given": model(OrderOut, more=str)},
        {"given": model(OrderOut, state=Literal["new"])},
        {"limit": Annotated[int, Query(le=1000)]},
        {"header": Annotated[str, Query(default_factory=str)]},
    ],
)
def test_what_breaks_no_caller_passes(facts: dict[str, Any]) -> None:
    assert list(api_breaks.of_api("shop", api(), api(**facts))) == []


Change = Callable[[Any, Any], Any]  # of the one operation of `api()`, and of the whole document


def changed(change: Change) -> list[str]:
    """What breaks when the document is changed in place."""
    old = promised()
    new = copy.deepcopy(old)
    change(new["paths"]["/orders/{order_id}"]["post"], new)
    return list(api_breaks.of_api("shop", old, new))


def promised() -> dict[str, Any]:
    """The document with what FastAPI leaves out: a token with a role, a header of the answer, problems, a file."""
    document = api()
    operation = document["paths"]["/orders/{order_id}"]["post"]
    operation["security"] = [{"token": ["orders:write"]}, {"key": []}]
    schemes = {
        "token": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "x-key"},
    }
    document["components"]["securitySchemes"] = schemes
    operation["responses"]["200"]["headers"] = {"location": {"schema": {"type": "string"}}}
    problem = {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}}
    operation["responses"]["default"] = {"content": {"application/problem+json": {"schema": problem}}}
    file = {"type": "object", "properties": {"file": {"type": "string", "contentMediaType": "text/csv"}}}
    operation["requestBody"]["content"]["multipart/form-data"] = {"schema": file}
    return document


def _schemes(document: Any) -> Any:
    return document["components"]["securitySchemes"]


def _form(operation: Any) -> Any:
    return operation["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]


def _problem(operation: Any) -> Any:
    return operation["responses"]["default"]["content"]["application/problem+json"]["schema"]


DOCUMENT_BREAKS: dict[str, tuple[Change, str]] = {
    "one way in gone": (lambda one, _: one["security"].pop(), "asks for token orders:write now, not token"),
    "another role asked": (
        lambda one, _: one["security"][0]["token"].append("admin"),
        "asks for token orders:write admin",
    ),
    "both asked": (lambda one, _: one.update(security=[{"token": ["orders:write"], "key": []}]), "asks for token"),
    "another scheme": (lambda _, whole: _schemes(whole)["token"].update(scheme="basic"), "asks for"),
    "key elsewhere": (lambda _, whole: _schemes(whole)["key"].update({"in": "query"}), "asks for"),
    "header of the answer": (lambda one, _: one["responses"]["200"].pop("headers"), "the header location is gone"),
    "media type of the answer": (
        lambda one, _: one["responses"]["200"].update(content={"text/csv": {}}),
        "status 200: application/json is gone",
    ),
    "problems gone": (lambda one, _: one["responses"].pop("default"), "status default is gone"),
    "problem without a type": (lambda one, _: _problem(one)["required"].clear(), "answer default.type: is required"),
    "file no longer taken": (lambda one, _: _form(one).pop("file"), "body.file: is not taken"),
    "file made a text": (lambda one, _: _form(one)["file"].pop("contentMediaType"), "body.file: contentMediaType is"),
    "a form field asked": (
        lambda one, _: one["requestBody"]["content"]["multipart/form-data"]["schema"].update(required=["file"]),
        "body.file: is required",
    ),
    "style of a parameter": (lambda one, _: one["parameters"][1].update(explode=False), "limit: its explode changed"),
    "default of a field": (
        lambda _, whole: whole["components"]["schemas"]["OrderIn"]["properties"]["kind"].update(default="b"),
        "body.kind: left out it means 'b', not 'a'",
    ),
    "what can't be compared": (
        lambda _, whole: whole["components"]["schemas"]["OrderOut"]["properties"]["amount"].update({"not": {}}),
        "can't be compared: not",
    ),
}


@pytest.mark.parametrize("name", DOCUMENT_BREAKS)
def test_a_break_that_only_the_document_shows_is_caught(name: str) -> None:
    change, reason = DOCUMENT_BREAKS[name]
    found = changed(change)
    assert any(reason in one for one in found), found


DOCUMENT_HARMLESS: dict[str, Change] = {
    "nothing": lambda *_: None,
    "one more way in": lambda one, _: one["security"].append({"other": []}),
    "open to all": lambda one, _: one.pop("security"),
    "a role less": lambda one, _: one["security"][0]["token"].clear(),
    "one more status": lambda one, _: one["responses"].update({"409": {}}),
    "one more media type": lambda one, _: one["responses"]["200"]["content"].update({"text/csv": {}}),
    "one more header": lambda one, _: one["responses"]["200"]["headers"].update(etag={}),
    "one more form field": lambda one, _: _form(one).update(note={"type": "string"}),
    "one more field of a problem": lambda one, _: _problem(one)["properties"].update(more={"type": "string"}),
    "another name of the operation": lambda one, _: one.update(operationId="other", summary="Other", deprecated=True),
    "one more route": lambda _, whole: whole["paths"].update({"/more": {"get": {"responses": {}}}}),
    "an answer behind a reference": lambda one, whole: (
        whole["components"].update(responses={"Fine": one["responses"]["200"]}),
        one["responses"].update({"200": {"$ref": "#/components/responses/Fine"}}),
    ),
}


@pytest.mark.parametrize("name", DOCUMENT_HARMLESS)
def test_what_only_adds_to_the_document_passes(name: str) -> None:
    assert changed(DOCUMENT_HARMLESS[name]) == []
