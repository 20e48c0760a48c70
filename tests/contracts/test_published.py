"""The published contracts: up to date, valid by their own standards, and true to what the code sends."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel
from referencing import Registry, Resource

from omnify_local import paths
from omnify_local.contracts import __main__ as command
from omnify_local.contracts import breaks, events, files, services
from omnify_local.contracts.services import Service
from omnify_shared.events import CloudEvent, EventData, topic_of

FOLDER = paths.repository() / files.FOLDER
OFFICIAL = Path(__file__).with_name("asyncapi-3.0.0.schema.json")


@pytest.fixture(scope="module")
def loaded() -> list[Service]:
    return services.load(paths.repository())


@pytest.fixture(scope="module")
def made(loaded: list[Service]) -> dict[str, str]:
    return files.generated(loaded)


def of_kind(made: Mapping[str, str], folder: str) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in made.items() if name.startswith(f"{folder}/")}


def test_every_service_is_there(loaded: list[Service]) -> None:
    assert {"gateway", "auth", "email", "analytics", "webhooks"} <= {service.name for service in loaded}


def test_the_files_are_what_the_code_makes(made: dict[str, str]) -> None:
    stale = files.drift(FOLDER, made)
    assert not stale, "run `make contracts`:\n" + "\n".join(stale)


def test_the_same_code_makes_the_same_bytes(made: dict[str, str]) -> None:
    assert files.generated(services.load(paths.repository())) == made


def test_nobody_is_broken(loaded: list[Service], made: dict[str, str]) -> None:
    assert files.broken(FOLDER, made, loaded) == []


def test_the_command_says_so_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--check"]) == 0
    assert capsys.readouterr().err == ""


def test_examples_of_events_are_as_the_schemas_say(made: dict[str, str]) -> None:
    schemas = of_kind(made, "events")
    messages = json.loads(made["asyncapi.json"])["components"]["messages"]
    assert len(messages) == len(schemas)
    for event_type, message in messages.items():
        validator = Draft202012Validator(schemas[f"events/{event_type}.schema.json"], format_checker=FormatChecker())
        [example] = message["examples"]
        validator.validate(example["payload"])


def test_every_kind_of_problem_is_listed_once(made: dict[str, str]) -> None:
    rows = [line.split(" | ")[:3] for line in made["problems.md"].splitlines() if line.startswith("| ") and "`" in line]
    assert ["| auth", "401", "`invalid-credentials`"] in rows
    assert ["| analytics", "422", "`invalid-options`"] in rows
    assert len({tuple(row) for row in rows}) == len(rows)


def test_event_schemas_are_valid_and_take_what_is_sent(loaded: list[Service], made: dict[str, str]) -> None:
    schemas = of_kind(made, "events")
    produced = [event for service in loaded for event in service.produces]
    assert len(schemas) == len(produced) > 0
    for event in produced:
        schema = schemas[f"events/{events.file_of(event.event_type)}"]
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        wire = wire_of(event)
        validator.validate(json.loads(json.dumps(wire)))
        for name in schema["required"]:
            without = {key: value for key, value in wire.items() if key != name}
            assert not validator.is_valid(without), f"{event.event_type} is valid without {name}"
        assert not validator.is_valid(wire | {"type": "omnify.other.thing.happened.v1"})
        assert not validator.is_valid(wire | {"sequence": 3}), "the sequence travels as text"
        more: dict[str, Any] = {"topic": "auth-events", "data": wire["data"] | {"added_later": 1}}
        assert validator.is_valid(wire | more)


def wire_of(event: type[EventData]) -> dict[str, Any]:
    schema = event.model_json_schema(mode="validation")
    data = event.model_validate(example(schema, schema))
    sent = CloudEvent.of(data, source=event.event_type.split(".")[1], subject="aggregate-1", sequence=1)
    return sent.wire()


_FORMATS = {
    "date-time": "2031-05-01T10:00:00Z", "date": "2031-05-01", "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
    "uri": "https://example.com/", "email": "person@example.com", "duration": "PT1M",
}  # fmt: skip


def example(node: Any, root: Any) -> Any:
    """A value that a schema of ours takes."""
    if "$ref" in node:
        return example(root["$defs"][node["$ref"].rpartition("/")[2]], root)
    if "const" in node or "enum" in node:
        return node["const"] if "const" in node else node["enum"][0]
    for union in ("anyOf", "oneOf", "allOf"):
        if union in node:
            return example(node[union][0], root)
    match node.get("type"):
        case "object":
            return {name: example(inner, root) for name, inner in node.get("properties", {}).items()}
        case "array":
            return [example(node.get("items", {}), root)] * node.get("minItems", 1)
        case "string":
            return _FORMATS.get(node.get("format", ""), "1" if "pattern" in node else "x" * node.get("minLength", 1))
        case "integer" | "number":
            return node.get("minimum", 1)
        case "boolean":
            return True
    return None


def test_openapi_documents_are_valid(made: dict[str, str]) -> None:
    documents = of_kind(made, "openapi")
    assert documents
    for name, document in documents.items():
        OpenAPIV31SpecValidator(document).validate()
        operations = [one for item in document["paths"].values() for one in item.values()]
        assert all("application/problem+json" in one["responses"]["default"]["content"] for one in operations), name
        assert "HTTPValidationError" not in made[name], "nobody answers in FastAPI's own shape"


def test_signed_in_routes_say_so(made: dict[str, str]) -> None:
    auth = json.loads(made["openapi/auth.json"])["paths"]
    assert auth["/api/auth/me"]["get"]["security"] == [{"accessToken": []}]
    assert "security" not in auth["/api/auth/login"]["post"]


def test_the_asyncapi_document_is_valid_by_the_official_schema(made: dict[str, str]) -> None:
    official = json.loads(OFFICIAL.read_text())
    document = json.loads(made["asyncapi.json"])
    Draft7Validator(official).validate(document)
    broken = json.loads(made["asyncapi.json"])
    next(iter(broken["operations"].values()))["action"] = "publish"
    assert not Draft7Validator(official).is_valid(broken), "the schema looks"


def test_every_reference_of_the_asyncapi_document_leads_somewhere(made: dict[str, str]) -> None:
    document = json.loads(made["asyncapi.json"])
    resources = [(f"./{name}", Resource.from_contents(schema)) for name, schema in of_kind(made, "events").items()]
    resolver = (
        Registry().with_resources([("", Resource.from_contents(document, _any_dialect())), *resources]).resolver()
    )
    found = list(references(document))
    assert len(found) > 10
    for reference in found:
        assert resolver.lookup(reference).contents


def _any_dialect() -> Any:
    from referencing.jsonschema import DRAFT202012

    return DRAFT202012


def references(node: Any) -> Any:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for item in node:
            yield from references(item)


def test_asyncapi_names_producers_and_consumers(loaded: list[Service], made: dict[str, str]) -> None:
    document = json.loads(made["asyncapi.json"])
    for service in loaded:
        for action, kinds in (("send", service.produces), ("receive", service.handles)):
            for event in kinds:
                operation = document["operations"][f"{service.name}.{action}.{topic_of(event.event_type)}"]
                assert operation["action"] == action
                listed = [message["$ref"].rpartition("/")[2] for message in operation["messages"]]
                assert event.event_type in listed


def test_permissions_come_from_the_routes(made: dict[str, str]) -> None:
    table = made["permissions.md"]
    assert "| auth | GET | `/api/auth/me` | signed in |  |" in table
    assert "| analytics | GET | `/api/analytics/overview` | `analytics:view` |  |" in table
    assert "| auth | GET | `/internal/users/{user_id}/contact` | caller email |  |" in table
    assert "| auth | POST | `/api/auth/login` | anyone |  |" in table


def test_stale_missing_and_left_over_files_are_told_apart(made: dict[str, str], tmp_path: Path) -> None:
    files.write(tmp_path, made)
    assert files.drift(tmp_path, made) == []
    (tmp_path / "released").mkdir()
    (tmp_path / "released" / "kept.json").write_text("{}")
    (tmp_path / "events" / "old.schema.json").write_text("{}\n")
    (tmp_path / "permissions.md").write_text(made["permissions.md"].replace("signed in", "anyone", 1))
    text = "\n".join(files.drift(tmp_path, made))
    assert "-{}" in text
    assert "+| auth | " in text or "+| analytics | " in text
    assert files.write(tmp_path, made) == ["removed events/old.schema.json", "wrote permissions.md"]
    assert (tmp_path / "released" / "kept.json").exists()


def test_a_service_without_an_app_or_events_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "services" / "nothing").mkdir(parents=True)
    (tmp_path / "services" / "gateway").mkdir()
    (gateway,) = services.load(tmp_path)
    assert (gateway.name, gateway.produces, gateway.reads, gateway.handles) == ("gateway", (), (), ())
    assert list(breaks.of_readers([gateway], {})) == []


class Nested(BaseModel):
    note: str | None


class Sent(EventData, type="omnify.probe.thing.sent.v1"):
    """Something was sent."""

    code: str | None
    nested: Nested
    table: dict[str, int | None]


def test_a_null_in_an_event_travels_as_null() -> None:
    data = Sent(code=None, nested=Nested(note=None), table={"a": None})
    wire = CloudEvent.of(data, source="probe", subject="s", sequence=1).wire()
    assert wire["data"] == {"code": None, "nested": {"note": None}, "table": {"a": None}}
    Draft202012Validator(events.event_schema(Sent)).validate(wire)
    assert Sent.model_validate(wire["data"]) == data
