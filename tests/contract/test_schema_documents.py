"""docs/schema says what the code does, and what JSON Schema can say of an event it does say."""

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from driftline.schemas import topics
from driftline.schemas.alerts import Related, Target, cloudevent_headers
from driftline.schemas.batches import LabelBatch, PredictionBatch, decode_batch
from driftline.schemas.config import Configuration, parse_configuration
from driftline.schemas.dead_letter import HEADERS, ROW, DeadLetter
from driftline.schemas.decoding import decode
from driftline.schemas.documents import asyncapi, json_schemas, write
from driftline.schemas.errors import DecodeError, Reason
from driftline.schemas.events import Label, Prediction, encode
from driftline.schemas.state import Counts, Incident, ModelState, Overview
from tests.examples import alert, request
from tests.property.strategies import Json, Kind, as_json, batches, events, mutated_documents

DOCS = Path(__file__).parents[2] / "docs"
SCHEMAS = json_schemas()


@functools.cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(SCHEMAS[name])


def name_of(kind: type[BaseModel]) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()


def test_the_files_in_docs_are_those_of_the_code(tmp_path: Path) -> None:
    written = write(tmp_path / "new" / "folder")
    assert [path.name for path in written] == sorted(path.name for path in (DOCS / "schema").iterdir())
    for path in written:
        said = "docs/schema is not what the code says: run `driftline schema --out docs/schema`"
        assert path.read_bytes() == (DOCS / "schema" / path.name).read_bytes(), said


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    once = {path: path.read_bytes() for path in write(tmp_path)}
    assert {path: path.read_bytes() for path in write(tmp_path)} == once
    assert all(content.endswith(b"}\n") for content in once.values())


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_one_of_2020_12(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:driftline:schema:{name}:1"
    assert schema["title"]
    assert ">>>" not in json.dumps(schema)


@given(event=events)
def test_every_valid_event_is_valid_by_its_schema(event: Prediction | Label) -> None:
    validator(name_of(type(event))).validate(json.loads(encode(event)))


@given(batch=batches())
def test_a_batch_without_a_bad_row_is_valid_by_its_schema(batch: tuple[dict[str, Json], Kind]) -> None:
    fields, kind = batch
    is_label = kind is Label
    into: type[PredictionBatch | LabelBatch] = LabelBatch if is_label else PredictionBatch
    schema = validator("label-batch" if is_label else "prediction-batch")
    try:
        decode_batch(as_json(fields), into)
    except DecodeError as error:
        if error.reason in STRUCTURAL and not re.search(r"[0-9]\.[0-9]", str(fields["timestamp"])):
            assert not schema.is_valid(fields)
    else:
        assert schema.is_valid(json.loads(as_json(fields)))


# Not told by a schema: an integer beyond 2^53 (a large float without a fraction is an integer there), NaN (it is no
# JSON), that a date is in no calendar (`format` is a remark), and what makes a text no JSON at all.
STRUCTURAL = {
    *(Reason.MISSING_FIELD, Reason.UNKNOWN_FIELD, Reason.WRONG_TYPE, Reason.UNKNOWN_SCHEMA_VERSION),
    *(Reason.EMPTY_NAME, Reason.NAME_TOO_LONG, Reason.STRING_TOO_LONG, Reason.NAIVE_TIMESTAMP),
    *(Reason.TOO_MANY_FEATURES, Reason.TOO_MANY_ENTRIES),
}


def read(fields: dict[str, Json], kind: Kind) -> Reason | None:
    """Return why a record is refused, None if it is not."""
    try:
        decode(as_json(fields), kind)
    except DecodeError as error:
        return error.reason
    return None


@settings(max_examples=300)
@given(document=mutated_documents())
def test_what_is_refused_for_its_structure_is_refused_by_the_schema(document: tuple[dict[str, Json], Kind]) -> None:
    fields, kind = document
    reason, is_valid = read(fields, kind), validator(name_of(kind)).is_valid(fields)
    # To a schema 1.0 is an integer.
    said_as_float = any(isinstance(fields.get(name), float) for name in ("timestamp", "schema_version"))
    if reason is None:
        assert is_valid
    elif reason in STRUCTURAL and not said_as_float:
        assert not is_valid


GOOD_LABEL: dict[str, Any] = {"model_id": "m", "prediction_id": "p", "timestamp": 0, "label": 1}
GOOD_PREDICTION: dict[str, Any] = {"model_version": "1", "prediction": 1} | {
    name: GOOD_LABEL[name] for name in ("model_id", "prediction_id", "timestamp")
}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        *[(Label, {name: value for name, value in GOOD_LABEL.items() if name != absent}) for absent in GOOD_LABEL],
        (Label, GOOD_LABEL | {"colour": "red"}),
        (Label, GOOD_LABEL | {"schema_version": 2}),
        (Label, GOOD_LABEL | {"schema_version": True}),
        (Label, GOOD_LABEL | {"model_id": ""}),
        (Label, GOOD_LABEL | {"model_id": "m" * 257}),
        (Label, GOOD_LABEL | {"model_id": 1}),
        (Label, GOOD_LABEL | {"label": None}),
        (Label, GOOD_LABEL | {"label": "x" * 4097}),
        (Label, GOOD_LABEL | {"label": 1e101}),
        (Label, GOOD_LABEL | {"timestamp": -1}),
        (Label, GOOD_LABEL | {"timestamp": 253_402_300_800_000}),
        (Label, GOOD_LABEL | {"timestamp": "2026-11-23T04:00:00"}),
        (Label, GOOD_LABEL | {"timestamp": "2026-11-23T24:00:00Z"}),
        (Label, GOOD_LABEL | {"weight": -1}),
        (Label, GOOD_LABEL | {"weight": True}),
        (Prediction, GOOD_PREDICTION | {"score": 1.5}),
        (Prediction, GOOD_PREDICTION | {"probabilities": {"a": 2}}),
        (Prediction, GOOD_PREDICTION | {"probabilities": {str(i): 0 for i in range(1001)}}),
        (Prediction, GOOD_PREDICTION | {"features": []}),
        (Prediction, GOOD_PREDICTION | {"features": {"": 1}}),
        (Prediction, GOOD_PREDICTION | {"features": {"f": "x" * 4097}}),
        (Prediction, GOOD_PREDICTION | {"features": {str(i): 0 for i in range(1001)}}),
        (Prediction, GOOD_PREDICTION | {"segments": {"s": []}}),
        (Prediction, GOOD_PREDICTION | {"segments": {str(i): 0 for i in range(101)}}),
        (Prediction, GOOD_PREDICTION | {"latency_ms": "3"}),
    ],
    ids=str,
)
def test_code_and_schema_refuse_the_same(kind: Kind, fields: dict[str, Json]) -> None:
    assert read(fields, kind) is not None
    assert not validator(name_of(kind)).is_valid(fields)


def test_what_driftline_writes_is_valid_by_its_schema() -> None:
    for each in (alert(), alert(model_id=None, model_version=None, evidence=[], target=Target(class_="1"))):
        validator("alert").validate(json.loads(encode(each)))
    validator("retrain-request").validate(json.loads(encode(request())))


def test_the_state_of_a_model_is_valid_by_its_schema() -> None:
    opening = alert()
    state = ModelState(
        model_id="fraud",
        partition=2,
        task=None,
        task_inferred=True,
        classes=None,
        positive_label=None,
        model_version="7",
        watermark=opening.event_time,
        next_offsets={topics.PREDICTIONS: 18_730, topics.LABELS: 0},
        counts=Counts(**dict.fromkeys(Counts.model_fields, 0)),
        performance={"accuracy": None},
        challenger=None,
        label_delay={"count": 0, "p50": None},
        serving_latency={"count": 1, "p50": 3.2},
        features={"amount": {"kind": "numeric"}},
        detectors={},
        incidents=[
            Incident(
                **opening.model_dump(include={"incident_id", "kind", "target", "state", "severity", "model_version"}),
                related=[Related(kind=opening.kind, target=opening.target)],
                opened=opening.event_time,
                updated=opening.event_time,
                effect=opening.effect,
                change_point=opening.change_point,
            )
        ],
        reference={},
    )
    validator("model-state").validate(json.loads(state.model_dump_json()))
    assert ModelState.model_validate_json(state.model_dump_json()) == state
    overview = Overview.of(state)
    validator("model-overview").validate(json.loads(overview.model_dump_json()))
    assert Overview.model_validate_json(overview.model_dump_json()) == overview


def test_the_configuration_is_valid_by_its_schema_as_text_and_with_every_default() -> None:
    document = {
        "models": [{"model_id": "fraud", "label_timeout": "2d", "alerts": {"cooldown": "90m"}, "classes": [0, 1]}]
    }
    validator("configuration").validate(document)
    configuration = parse_configuration(document)
    written = configuration.model_dump(mode="json")
    validator("configuration").validate(written)
    assert parse_configuration(written) == configuration
    assert not validator("configuration").is_valid({"models": [{"model_id": "m", "label_timeout": 7}]})
    assert SCHEMAS["configuration"]["$defs"]["ModelConfig"]["properties"]["label_timeout"]["default"] == "7d"
    assert set(SCHEMAS["configuration"]["properties"]) == set(Configuration.model_fields)


def test_headers_are_valid_by_their_schemas() -> None:
    letter = DeadLetter(
        Reason.TOO_DEEP, "nested deeper than 8", topics.LABELS, 3, 17, -1, None, b"[", (("own", b"\xff"),)
    )
    text = {name: (value or b"").decode() for name, value in letter.to_headers()[1:]}
    validator("dead-letter-headers").validate(text)
    assert set(SCHEMAS["dead-letter-headers"]["properties"]) == {*HEADERS, ROW}
    of_row = replace(letter, row=17)
    validator("dead-letter-headers").validate({name: (v or b"").decode() for name, v in of_row.to_headers()[1:]})
    messages = asyncapi()["components"]["messages"]
    for name, event in (
        ("alert", alert()),
        ("retrain-request", request()),
    ):
        schema = Draft202012Validator(messages[name]["headers"])
        headers = {header: value.decode() for header, value in cloudevent_headers(event)}
        schema.validate(headers)
        assert set(headers) == set(messages[name]["headers"]["properties"])
        assert not schema.is_valid(headers | {"ce_type": "driftline.rumour.v1"})


# The AsyncAPI document. The reference parser, @asyncapi/parser 3.6.3, has read it too, without an error or a warning.


def references(part: Json) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def resolve(document: Json, reference: str) -> Json:
    """Follow a reference within the document, or to a file of docs/schema."""
    file, _, pointer = reference.partition("#")
    if file:
        document = json.loads((DOCS / "schema" / file).read_text(encoding="utf-8"))
    for step in pointer.split("/")[1:]:
        document = document[step]
    return document


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = asyncapi()
    found = list(references(document))
    assert len(found) == 36
    for reference in found:
        target = resolve(document, reference)
        assert isinstance(target, dict)
        assert target


def test_the_asyncapi_document_has_the_parts_of_the_standard() -> None:
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    assert document.keys() == {"asyncapi", "id", "info", "defaultContentType", "channels", "operations", "components"}
    assert {"title", "version"} <= document["info"].keys()
    assert {channel["address"] for channel in document["channels"].values()} == {*topics.INPUTS, *topics.OUTPUTS}
    for channel in document["channels"].values():
        assert channel.keys() == {"address", "description", "messages", "bindings"}
        assert channel["bindings"]["kafka"]["topic"] == channel["address"]
    for message in document["components"]["messages"].values():
        assert {"name", "title", "contentType", "payload", "bindings"} <= message.keys()


def test_driftline_receives_what_comes_in_and_sends_what_goes_out() -> None:
    document = asyncapi()
    directions: dict[str, set[str]] = {"receive": set(), "send": set()}
    for operation in document["operations"].values():
        channel = resolve(document, operation["channel"]["$ref"])
        directions[operation["action"]].add(channel["address"])
        for message in operation["messages"]:
            assert message["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")
    assert directions == {"receive": set(topics.INPUTS), "send": set(topics.OUTPUTS)}
