"""What is read into columns is what the contract reads, whatever the bytes; or it is left to the contract."""

from __future__ import annotations

import json
import math
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.models.kernels import templates
from driftline.models.kernels.ids import NONE
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord, Record, Refusal
from driftline.schemas.config import FeatureKind, parse_configuration
from driftline.schemas.decoding import decode
from driftline.schemas.errors import DecodeError
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS
from tests.property.test_fast_properties import Traffic, intake_of_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from driftline.models.reading import Reading

CONFIGURATION = parse_configuration(
    {
        "models": [
            {
                "model_id": "m",
                "segments": ["region"],
                "reference": {"events": 100},
                "window": 100,
                "features": {"code": {"kind": "categorical"}},
            },
            {"model_id": "r", "task": "regression", "reference": {"events": 100}, "window": 100},
            {"model_id": "k", "classes": ["cat", "dog", "2"], "reference": {"events": 100}, "window": 100},
        ]
    }
)
EVENT: dict[str, Any] = {
    "schema_version": 1,
    "model_id": "m",
    "model_version": "1",
    "prediction_id": "p-1",
    "timestamp": "2026-01-31T23:59:59.999Z",
    "prediction": 1,
    "score": 0.6234567890123457,
    "features": {"x": -1.5e-7, "y": 12, "z": None},
    "segments": {"region": "eu"},
    "latency_ms": 3.25,
}
CATEGORIES: dict[str, Any] = {"city": "bern", "code": 20, "flag": True, "user": "user-1"}
CITIES = ["bern", "rome", "", "a, b}", "null"]
CODES = [20, 2, 0, 2.5, -0.0, False, "x"]
MOST_CATEGORIES = 20  # fewer than there are users
OF_NUMBERS: dict[str, Any] = {
    **{name: EVENT[name] for name in ("model_version", "prediction_id", "timestamp", "score", "latency_ms")},
    "model_id": "r",
    "prediction": 1.5,
    "features": {"x": 2.5},
}
OF_NUMBERS = {"model_id": "r"} | OF_NUMBERS  # which must stand first
OF_CLASSES: dict[str, Any] = {
    **OF_NUMBERS,
    "model_id": "k",
    "prediction": "dog",
    "probabilities": {"dog": 0.625, "cat": 0.25, "cow": 1e-9, "2.0": 0},
}
LABEL: dict[str, Any] = {"model_id": "m", "prediction_id": "p-1", "timestamp": 1_767_225_600_000, "label": 0}


def written(event: dict[str, Any], separators: tuple[str, str]) -> bytes:
    return json.dumps(event, separators=separators).encode()


def forms_of(*events: tuple[str, dict[str, Any]]) -> list[tuple[str, bytes]]:
    return [(topic, written(event, spaces)) for topic, event in events for spaces in ((",", ":"), (", ", ": "))]


FORMS = forms_of(
    (PREDICTIONS, EVENT),
    (LABELS, LABEL),
    (PREDICTIONS, {**EVENT, "timestamp": 5, "score": 1}),
    (PREDICTIONS, {**EVENT, "features": EVENT["features"] | CATEGORIES}),
    (PREDICTIONS, {**EVENT, "features": CATEGORIES}),
)
FORMS_OF_TASKS = forms_of(
    (PREDICTIONS, OF_NUMBERS),
    (LABELS, {**LABEL, "model_id": "r", "label": 2.25}),
    (PREDICTIONS, OF_CLASSES),
    (LABELS, {**LABEL, "model_id": "k", "label": "cat"}),
)


@pytest.fixture(scope="module")
def pipelines() -> Iterator[list[Pipeline]]:
    """Return a pipeline that knows all forms of a binary model, and one that knows those of the other tasks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("driftline.models.watch.feature._MOST_CATEGORIES", MOST_CATEGORIES)
        yield [fed(FORMS), fed(FORMS_OF_TASKS)]


@pytest.fixture(scope="module")
def pipeline(pipelines: list[Pipeline]) -> Pipeline:
    return pipelines[0]


def fed(forms: list[tuple[str, bytes]]) -> Pipeline:
    """Return a pipeline that has had some hundred records of the models of these forms, and then some of each form.

    There is one for a few forms: of those that are not of the last record, eight are tried.
    """
    pipeline = Pipeline(CONFIGURATION, partition=0)
    at = 0
    for n in range(400):
        event = {
            **EVENT,
            "prediction_id": f"q{n}",
            "timestamp": at,
            "prediction": n % 2,
            "features": {
                "x": n,
                "y": n,
                "z": n,
                "city": CITIES[n % 5],
                "code": CODES[n % 7],
                "flag": n % 2 == 0,
                "user": f"user-{n % 50}",
            },
        }
        label = {**LABEL, "prediction_id": f"q{n}", "timestamp": at, "label": n % 2}
        own = {"prediction_id": f"q{n}", "timestamp": at}
        events = [(PREDICTIONS, event), (LABELS, label)]
        if forms is FORMS_OF_TASKS:
            events = [
                *((PREDICTIONS, OF_NUMBERS | own), (LABELS, label | {"model_id": "r"})),
                *((PREDICTIONS, OF_CLASSES | own), (LABELS, label | {"model_id": "k", "label": "dog"})),
            ]
        raws = [FileRecord(topic, 4 * n + nth, written(each, (",", ":"))) for nth, (topic, each) in enumerate(events)]
        pipeline.process(list(map(intake_of_files().read, raws)), {})
    for _ in range(3):
        for place, (topic, value) in enumerate(forms):
            at += 1
            pipeline.process([intake_of_files().read(FileRecord(topic, 3000 + 20 * at + place, value))], {})
    for n in range(40):  # until all categories are known, and some that the reference has not
        features = {**CATEGORIES, "city": [*CITIES, "oslo"][n % 6], "code": [*CODES, 7][n % 8], "flag": n % 2 == 0}
        for nth, separators in enumerate(((",", ":"), (", ", ": "))):
            value = written({**EVENT, "features": features}, separators)
            pipeline.process([intake_of_files().read(FileRecord(PREDICTIONS, 100_000 + 2 * n + nth, value))], {})
    return pipeline


def read(pipeline: Pipeline, topic: str, value: bytes) -> Reading:
    return pipeline.read([FileRecord(topic, 0, value)], intake_of_files())


def test_every_form_is_read_into_columns(pipelines: list[Pipeline]) -> None:
    """Or the tests below would test nothing."""
    for pipeline, forms in zip(pipelines, (FORMS, FORMS_OF_TASKS), strict=True):
        for topic, value in forms:
            assert not read(pipeline, topic, value).alone


forms = st.sampled_from([*((0, form) for form in FORMS), *((1, form) for form in FORMS_OF_TASKS)])
edits = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 3),
        st.binary(max_size=3)
        | st.sampled_from(
            [b'"', b"0", b"1", b"-", b".", b"e5", b"null", b"9" * 20, b",", b"}", b"{", b"\\", b" ", b"\xc3\xa9"]
        ),
    ),
    min_size=1,
    max_size=3,
)


@settings(max_examples=4000, deadline=None)
@given(forms, edits)
def test_columns_hold_what_the_contract_reads(
    pipelines: list[Pipeline], form: tuple[int, tuple[str, bytes]], edits: list[tuple[int, int, bytes]]
) -> None:
    which, (topic, value) = form
    for place, removed, put in edits:
        at = place % (len(value) + 1)
        value = value[:at] + put + value[at + removed :]
    hold(pipelines[which], topic, value)


@settings(max_examples=2000, deadline=None)
@given(
    forms,
    st.integers(-5, 10**15) | st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z"),
    st.floats(-0.1, 1.1) | st.integers(-1, 2) | st.none(),
    st.text(max_size=4) | st.text("abc-9", min_size=250, max_size=260),
    st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20), 10**20) | st.none(),
    st.floats() | st.integers(2**53 - 3, 2**53 + 3) | st.integers() | st.sampled_from([-0.0, "1", "dog", True, 1e100]),
)
def test_columns_hold_whatever_value_there_is(  # noqa: PLR0913, PLR0917 - the fields
    pipelines: list[Pipeline],
    form: tuple[int, tuple[str, bytes]],
    at: object,
    score: object,
    prediction_id: str,
    x: object,
    answer: object,
) -> None:
    which, (topic, value) = form
    event = json.loads(value)
    event |= {"timestamp": at, "prediction_id": prediction_id}
    if topic == PREDICTIONS:
        event |= {"score": score, "latency_ms": x}
        event["features"]["x"] = x
    if event["model_id"] == "r":
        event["label" if topic == LABELS else "prediction"] = answer
    if "probabilities" in event:
        event["probabilities"]["cat"] = score
    separators = (", ", ": ") if b": " in value else (",", ":")
    hold(pipelines[which], topic, json.dumps(event, separators=separators, ensure_ascii=False).encode())


@settings(max_examples=2000, deadline=None)
@given(
    st.sampled_from(FORMS[-4:]),
    st.dictionaries(
        st.sampled_from(list(CATEGORIES)),
        st.sampled_from(
            [*CITIES, *CODES, "oslo", 7, "user-99", None, [], "\x7f", "é", 'a"b', "\\", "u" * 256, "u" * 257]
        )
        | st.text(max_size=4)
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False),
    ),
    st.sampled_from([json.dumps, partial(json.dumps, ensure_ascii=False)]),
)
def test_columns_hold_whatever_category_there_is(
    pipeline: Pipeline, form: tuple[str, bytes], features: dict[str, object], dumps: Callable[..., str]
) -> None:
    topic, value = form
    event = json.loads(value)
    event["features"] |= features
    separators = (", ", ": ") if b": " in value else (",", ":")
    hold(pipeline, topic, dumps(event, separators=separators).encode())


def test_what_was_seen_is_read_into_columns(pipeline: Pipeline) -> None:
    for city, code in product([*CITIES, "oslo", None], [*CODES, 7]):
        features = CATEGORIES | {"city": city, "code": code, "user": "nobody"}
        value = written({**EVENT, "features": features}, (",", ":"))
        assert not read(pipeline, PREDICTIONS, value).alone
        hold(pipeline, PREDICTIONS, value)


def hold(pipeline: Pipeline, topic: str, value: bytes) -> None:
    batch = read(pipeline, topic, value)
    if batch.alone:
        return
    row, columns = batch.rows[0], batch.columns[0]
    try:
        event: Any = decode(value, Prediction if topic == PREDICTIONS else Label)
    except DecodeError as error:
        pytest.fail(f"{value!r} is refused, {error.reason}, and was read into columns")
    record = Record(FileRecord(topic, 0, value), event)
    again = pipeline.read([Record(record.raw, Refusal(None, "", None)), record])  # type: ignore[arg-type]  # any will do
    assert row["at"] == event.timestamp
    assert value[columns["id"] : columns["id"] + columns["id_length"]].decode() == event.prediction_id
    again.belongs(1, int(row["join"]))
    assert again.rows[1]["id"].tolist() == row["id"].tolist()
    assert again.rows[1]["token"] == row["token"]
    model = pipeline._models[event.model_id]  # noqa: SLF001 - to tell that it is the same
    assert model.join.index == row["join"]
    joins = pipeline._joins  # noqa: SLF001 - as above
    if isinstance(event, Label):
        assert (event.weight, repr(value_of(pipeline, columns))) == (None, repr(event.label))
        return
    assert joins.versions[columns["version"]] == event.model_version
    assert repr(value_of(pipeline, columns)) == repr(event.prediction)
    segments = None if columns["segments"] == NONE else joins.segments[columns["segments"]]
    assert segments == model.chosen(event.segments)
    for number, expected in ((columns["score"], event.score), (columns["latency"], event.latency_ms)):
        assert repr(float(number)) == repr(math.nan if expected is None else float(expected))
    features, told = np.split(batch.features[columns["features"] :], [len(event.features)])
    for number, name in zip(features.tolist(), event.features, strict=True):
        check_feature(pipeline, event, name, number)
    names = pipeline._book._told[columns["template"]]  # noqa: SLF001 - as above
    assert repr(dict(zip(names, told.tolist(), strict=False)) or None) == repr(event.probabilities)


def value_of(pipeline: Pipeline, columns: Any) -> object:  # noqa: ANN401 - a row
    """Return what was predicted, or the label, as columns have it."""
    match int(columns["value"]):
        case templates.FLOATING:
            return float(columns["number"])
        case templates.WHOLE:
            return int(columns["number"])
        case name:
            return pipeline._joins.values[name]  # noqa: SLF001 - to tell what it stands for


def as_kernels_have(meaning: tuple[int, float] | None) -> tuple[int, float] | None:
    return None if meaning is None else (int(meaning[0]), meaning[1])


def check_feature(pipeline: Pipeline, event: Prediction, name: str, number: float) -> None:
    value = event.features[name]
    known = pipeline._models[event.model_id].known  # noqa: SLF001 - as above
    assert known is not None
    watch = known.versions[event.model_version]
    feature = watch.features[name]
    if value is None or feature.kind is FeatureKind.NUMERIC:
        assert repr(number) == repr(math.nan if value is None else float(value))
    elif number == NONE:
        assert feature.takes_any
        assert repr(as_kernels_have(feature.category(value))) == repr((0, math.nan))
    else:
        meaning = pipeline._book.known.categories[int(number)]  # noqa: SLF001 - as above
        assert repr((meaning["problem"].item(), meaning["number"].item())) == repr(
            as_kernels_have(feature.category(value))
        )
        assert meaning["layout"] == watch.layout


def test_a_reader_that_takes_any_score_is_found(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests can fail: what is not compared with the contract is noticed."""

    read_text = templates.read

    def careless(known: Any, text: Any, *others: Any) -> int:  # noqa: ANN401 - those of the kernel
        return int(read_text(known, np.frombuffer(bytes(text).replace(b":9", b":1"), np.uint8), *others))

    topic, value = FORMS[0]
    value = value.replace(b'"score":0.6234567890123457', b'"score":9')
    hold(pipeline, topic, value)
    monkeypatch.setattr("driftline.models.reading.templates.read", careless)
    with pytest.raises(pytest.fail.Exception, match="was read into columns"):
        hold(pipeline, topic, value)


def test_a_reader_that_takes_any_number_is_found(pipelines: list[Pipeline], monkeypatch: pytest.MonkeyPatch) -> None:
    read_text = templates.read

    def careless(known: Any, text: Any, *others: Any) -> int:  # noqa: ANN401 - those of the kernel
        return int(read_text(known, np.frombuffer(bytes(text).replace(b"e101", b"e100"), np.uint8), *others))

    topic, value = next(form for form in FORMS_OF_TASKS if b'"label":2.25' in form[1])
    value = value.replace(b"2.25", b"1e101")
    hold(pipelines[1], topic, value)
    monkeypatch.setattr("driftline.models.reading.templates.read", careless)
    with pytest.raises(pytest.fail.Exception, match="was read into columns"):
        hold(pipelines[1], topic, value)


def test_a_reader_that_takes_any_category_is_found(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    read_text = templates.read

    def careless(known: Any, text: Any, *others: Any) -> int:  # noqa: ANN401 - those of the kernel
        return int(read_text(known, np.frombuffer(bytes(text).replace(b"oslo", b"bern"), np.uint8), *others))

    value = written({**EVENT, "features": {**CATEGORIES, "city": "oslo"}}, (",", ":"))
    hold(pipeline, PREDICTIONS, value)
    monkeypatch.setattr("driftline.models.reading.templates.read", careless)
    with pytest.raises(AssertionError):
        hold(pipeline, PREDICTIONS, value)


__all__ = ["Traffic"]
