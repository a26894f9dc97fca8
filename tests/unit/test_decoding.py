"""From bytes to an event or to one reason: a smallest example of each, the limits, and what the worst input costs."""

import contextlib
import json
import math
import time
from typing import Any

import jiter
import pytest
from pydantic import ValidationError

from driftline.schemas.batches import LabelBatch
from driftline.schemas.decoding import MAX_BYTES, MAX_DEPTH, MAX_FIELDS, REASONS, decode, depth
from driftline.schemas.errors import DecodeError, Reason
from driftline.schemas.events import MAX_CLASSES, MAX_FEATURES, MAX_SEGMENTS, Event, Label, Prediction
from driftline.schemas.fields import MAX_INTEGER, MAX_NAME, MAX_NUMBER, MAX_STRING, refuse

LABEL = {"model_id": "m", "prediction_id": "p", "timestamp": 0, "label": 1}
PREDICTION = {"model_id": "m", "model_version": "1", "prediction_id": "p", "timestamp": 0, "prediction": 1}


def label(**fields: object) -> bytes:
    return json.dumps(LABEL | fields).encode()


def prediction(**fields: object) -> bytes:
    return json.dumps(PREDICTION | fields).encode()


def without(event: dict[str, Any], *fields: str) -> bytes:
    return json.dumps({name: value for name, value in event.items() if name not in fields}).encode()


def refusal(raw: bytes | None) -> DecodeError:
    kind: type[Prediction | Label] = Label if raw is not None and b'"label"' in raw else Prediction
    with pytest.raises(DecodeError) as raised:
        decode(raw, kind)
    return raised.value


OF_BATCHES = {Reason.TOO_MANY_ROWS, Reason.UNEQUAL_COLUMNS, Reason.INVALID_ARROW}
SMALLEST = {
    Reason.TOO_LARGE: b" " * (MAX_BYTES + 1),
    Reason.TOO_DEEP: b"[[[[[[[[[",
    Reason.INVALID_JSON: b"",
    Reason.NOT_AN_OBJECT: b"[]",
    Reason.DUPLICATE_KEY: b'{"a":1,"a":1}',
    Reason.UNKNOWN_SCHEMA_VERSION: b'{"schema_version":2}',
    Reason.MISSING_FIELD: b"{}",
    Reason.UNKNOWN_FIELD: label(colour="red"),
    Reason.WRONG_TYPE: b'{"model_id":1}',
    Reason.NON_FINITE: label(label=math.nan),
    Reason.OUT_OF_RANGE: label(timestamp=-1),
    Reason.INVALID_TIMESTAMP: label(timestamp="yesterday"),
    Reason.NAIVE_TIMESTAMP: label(timestamp="2026-11-23T04:00:00"),
    Reason.EMPTY_NAME: b'{"model_id":""}',
    Reason.NAME_TOO_LONG: label(model_id="m" * 257),
    Reason.STRING_TOO_LONG: label(label="x" * 4097),
    Reason.TOO_MANY_FEATURES: prediction(features={str(i): 0 for i in range(1001)}),
    Reason.TOO_MANY_ENTRIES: prediction(segments={str(i): 0 for i in range(101)}),
}


@pytest.mark.parametrize(("reason", "raw"), SMALLEST.items(), ids=list(SMALLEST))
def test_each_reason_has_a_smallest_record(reason: Reason, raw: bytes) -> None:
    assert refusal(raw).reason is reason


def test_every_reason_is_given_here_or_by_what_knows_more_than_the_bytes() -> None:
    elsewhere = {Reason.FUTURE_TIMESTAMP, Reason.WRONG_PARTITION, Reason.TOO_MANY_MODELS, *OF_BATCHES}
    assert SMALLEST.keys() | elsewhere == set(Reason)


REFUSED: list[tuple[bytes | None, Reason]] = [
    # No JSON at all.
    (None, Reason.INVALID_JSON),
    (b" ", Reason.INVALID_JSON),
    (b"\xef\xbb\xbf{}", Reason.INVALID_JSON),
    ("{}".encode("utf-16"), Reason.INVALID_JSON),
    (b"{'a':1}", Reason.INVALID_JSON),
    (b'{"a":1,}', Reason.INVALID_JSON),
    (b'{"a":01}', Reason.INVALID_JSON),
    (b'{"a":nan}', Reason.INVALID_JSON),
    (b'{"a":"\xff"}', Reason.INVALID_JSON),
    (b'{"a":"\xed\xa0\x80"}', Reason.INVALID_JSON),
    (b'{"a":"\\ud800"}', Reason.INVALID_JSON),
    (b'{"a":"\x00"}', Reason.INVALID_JSON),
    (b"{}\x00", Reason.INVALID_JSON),
    (b"{}{}", Reason.INVALID_JSON),
    (b"]]]]]]]]]]]]]]]]]]", Reason.INVALID_JSON),
    # JSON of another kind.
    (b"null", Reason.NOT_AN_OBJECT),
    (b"NaN", Reason.NOT_AN_OBJECT),
    (b'"{}"', Reason.NOT_AN_OBJECT),
    # The same key, however it is written and wherever it stands.
    (b'{"a":1,"\\u0061":1}', Reason.DUPLICATE_KEY),
    (b'{"a":{"b":1,"b":1}}', Reason.DUPLICATE_KEY),
    (b'{"a":[[{"b":1,"b":1}]]}', Reason.DUPLICATE_KEY),
    # Numbers in the event's own fields.
    (label(label=10**400), Reason.OUT_OF_RANGE),
    (label(label=-(10**400)), Reason.OUT_OF_RANGE),
    (label(label=MAX_INTEGER + 1), Reason.OUT_OF_RANGE),
    (label(label=1e101), Reason.OUT_OF_RANGE),
    (b'{"label":' + b"9" * 4301 + b"}", Reason.OUT_OF_RANGE),
    (label(label=math.inf), Reason.NON_FINITE),
    (b'{"model_id":"m","prediction_id":"p","timestamp":0,"label":1e400}', Reason.NON_FINITE),
    (label(weight=10**400), Reason.OUT_OF_RANGE),
    (label(weight=-(10**400)), Reason.OUT_OF_RANGE),
    (label(weight=1e101), Reason.OUT_OF_RANGE),
    (label(weight=-1e-320), Reason.OUT_OF_RANGE),
    (label(weight=True), Reason.WRONG_TYPE),
    (prediction(score=10**400), Reason.OUT_OF_RANGE),
    (prediction(score=1.0000000000000002), Reason.OUT_OF_RANGE),
    (prediction(score=-5e-324), Reason.OUT_OF_RANGE),
    (prediction(score=-math.inf), Reason.NON_FINITE),
    (prediction(score=True), Reason.WRONG_TYPE),
    (prediction(score="0.5"), Reason.WRONG_TYPE),
    (prediction(latency_ms=10**400), Reason.OUT_OF_RANGE),
    (prediction(latency_ms=math.nan), Reason.NON_FINITE),
    (prediction(latency_ms=-1), Reason.OUT_OF_RANGE),
    (prediction(probabilities={"a": 1.5}), Reason.OUT_OF_RANGE),
    (prediction(probabilities={"a": 10**400}), Reason.OUT_OF_RANGE),
    (prediction(probabilities={"a": math.nan}), Reason.NON_FINITE),
    (prediction(probabilities={"a": None}), Reason.WRONG_TYPE),
    (prediction(probabilities=[0.5, 0.5]), Reason.WRONG_TYPE),
    # Times.
    (label(timestamp=1.0), Reason.WRONG_TYPE),
    (label(timestamp=math.nan), Reason.NON_FINITE),
    (label(timestamp=math.inf), Reason.NON_FINITE),
    (label(timestamp="2026-01-01T00:00:00." + "0" * 64 + "Z"), Reason.INVALID_TIMESTAMP),
    (label(timestamp=True), Reason.WRONG_TYPE),
    (label(timestamp=None), Reason.WRONG_TYPE),
    (label(timestamp=10**400), Reason.OUT_OF_RANGE),
    (label(timestamp="1969-12-31T23:59:59.999Z"), Reason.OUT_OF_RANGE),
    (label(timestamp="1970-01-01T00:00:00+00:01"), Reason.OUT_OF_RANGE),
    (label(timestamp="9999-12-31T23:59:59-00:01"), Reason.OUT_OF_RANGE),
    (label(timestamp="0000-01-01T00:00:00Z"), Reason.INVALID_TIMESTAMP),
    (label(timestamp="2026-02-29T00:00:00Z"), Reason.INVALID_TIMESTAMP),
    (label(timestamp="2026-01-01T24:00:00Z"), Reason.INVALID_TIMESTAMP),
    (label(timestamp="2016-12-31T23:59:60Z"), Reason.INVALID_TIMESTAMP),
    (label(timestamp="2026-01-01T00:00:00+01:60"), Reason.INVALID_TIMESTAMP),
    (label(timestamp="2026-01-01T00:00:00+24:00"), Reason.INVALID_TIMESTAMP),
    (label(timestamp="2026-01-01T00:00:00.Z"), Reason.INVALID_TIMESTAMP),
    (label(timestamp="2026-01-01T00:00:00Z\n"), Reason.INVALID_TIMESTAMP),
    (label(timestamp="\uff12\uff10\uff12\uff16-01-01T00:00:00Z"), Reason.INVALID_TIMESTAMP),
    (label(timestamp="2026-01-01"), Reason.INVALID_TIMESTAMP),
    # Names and values.
    (label(model_id=None), Reason.WRONG_TYPE),
    (label(label=None), Reason.WRONG_TYPE),
    (label(label=[]), Reason.WRONG_TYPE),
    (label(label={}), Reason.WRONG_TYPE),
    (prediction(features={"": 1}), Reason.EMPTY_NAME),
    (prediction(features={"f" * 257: 1}), Reason.NAME_TOO_LONG),
    (prediction(features={"f": "x" * 4097}), Reason.STRING_TOO_LONG),
    (prediction(features={"f": [{"g": "x" * 4097}]}), Reason.STRING_TOO_LONG),
    (prediction(features={"f": [{"n" * 257: 1}]}), Reason.NAME_TOO_LONG),
    (prediction(features=[]), Reason.WRONG_TYPE),
    (prediction(segments={"": 1}), Reason.EMPTY_NAME),
    (prediction(segments={"s" * 257: 1}), Reason.NAME_TOO_LONG),
    (prediction(segments={"s": "x" * 4097}), Reason.STRING_TOO_LONG),
    (prediction(segments={"s": math.nan}), Reason.NON_FINITE),
    (prediction(segments={"s": []}), Reason.WRONG_TYPE),
    (prediction(segments="eu"), Reason.WRONG_TYPE),
    (prediction(probabilities={"": 1}), Reason.EMPTY_NAME),
    (prediction(probabilities={str(i): 0 for i in range(1001)}), Reason.TOO_MANY_ENTRIES),
    # The version.
    (b'{"schema_version":true}', Reason.WRONG_TYPE),
    (b'{"schema_version":1.0}', Reason.WRONG_TYPE),
    (b'{"schema_version":"1"}', Reason.WRONG_TYPE),
    (b'{"schema_version":null}', Reason.WRONG_TYPE),
    (b'{"schema_version":NaN}', Reason.NON_FINITE),
    (b'{"schema_version":0}', Reason.UNKNOWN_SCHEMA_VERSION),
    (json.dumps({"schema_version": 10**400}).encode(), Reason.UNKNOWN_SCHEMA_VERSION),
]


@pytest.mark.parametrize(
    ("raw", "reason"), REFUSED, ids=[f"{i} {(raw or b'')[-30:]!a}" for i, (raw, _) in enumerate(REFUSED)]
)
def test_what_is_refused_and_why(raw: bytes | None, reason: Reason) -> None:
    assert refusal(raw).reason is reason


MANY: dict[str, object] = {str(i): 0 for i in range(MAX_FIELDS + 1)}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"[" * (MAX_BYTES + 1), Reason.TOO_LARGE),
        (b'[[[[[[[[["', Reason.TOO_DEEP),
        (b'{"schema_version":2,"schema_version":1}', Reason.DUPLICATE_KEY),
        (label(schema_version=2, model_id="", colour="red"), Reason.UNKNOWN_SCHEMA_VERSION),
        (label(colour="red", model_id=""), Reason.EMPTY_NAME),
        (b'{"colour":"red"}', Reason.MISSING_FIELD),
        (b'{"colour":"red","label":NaN,"model_id":3}', Reason.WRONG_TYPE),
        (label(**MANY), Reason.UNKNOWN_FIELD),
        (label(**MANY, model_id=3), Reason.WRONG_TYPE),
        (label(**MANY, schema_version=2), Reason.UNKNOWN_SCHEMA_VERSION),
    ],
    ids=[
        *("size", "depth", "JSON", "version", "fields", "missing", "in order"),
        *("far too many fields", "of the wrong type", "of another version"),
    ],
)
def test_of_several_mistakes_the_first_in_a_fixed_order_is_told(raw: bytes, reason: Reason) -> None:
    assert refusal(raw).reason is reason


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (without(LABEL, "timestamp"), "missing_field: timestamp: is missing"),
        (label(colour="red"), "unknown_field: 'colour' is no field of a Label"),
        (label(**{"é\n" * 30: 1}), r"unknown_field: '" + r"\xe9\n" * 20 + "' is no field of a Label"),
        (prediction(x=1), "unknown_field: 'x' is no field of a Prediction; a model's inputs belong into `features`"),
        (prediction(score="high"), "wrong_type: score: must be a number"),
        (prediction(score=2), "out_of_range: score: must be less than or equal to 1"),
        (prediction(score=10**400), "out_of_range: score: the number is too large"),
        (prediction(probabilities={"a": -1}), "out_of_range: probabilities['a']: must be greater than or equal to 0"),
        (prediction(features=3), "wrong_type: features: must be an object"),
        (
            prediction(features={"bio": "x" * 4097}),
            "string_too_long: features: the value of 'bio' must have at most 4096 characters",
        ),
        (label(model_id="m" * 257), "name_too_long: model_id: must have at most 256 characters"),
    ],
)
def test_the_sentence_names_the_field_and_never_the_value(raw: bytes, sentence: str) -> None:
    assert str(refusal(raw)) == sentence


def test_records_at_the_limits_are_read() -> None:
    name, string = "n" * MAX_NAME, "s" * MAX_STRING
    event = decode(
        prediction(
            model_id=name,
            model_version=name,
            prediction_id=name,
            timestamp=253_402_300_799_999,
            prediction=string,
            score=1,
            probabilities={f"{i:0256}": 0 for i in range(MAX_CLASSES)},
            features={f"{i:0256}": 0 for i in range(MAX_FEATURES)},
            segments={f"{i:0256}": string for i in range(30)} | {str(i): 0 for i in range(MAX_SEGMENTS - 30)},
            latency_ms=MAX_NUMBER,
        ),
        Prediction,
    )
    assert len(event.features) == MAX_FEATURES
    assert len(event.segments) == MAX_SEGMENTS
    assert event.probabilities is not None
    assert len(event.probabilities) == MAX_CLASSES
    for limit in (MAX_INTEGER, -MAX_INTEGER, MAX_NUMBER, -MAX_NUMBER):
        assert decode(label(label=limit), Label).label == limit
    assert decode(prediction(features={"f": string}), Prediction).features == {"f": string}
    assert decode(label().ljust(MAX_BYTES), Label) == decode(label(), Label)


def test_eight_levels_are_read_and_nine_are_not() -> None:
    def nested(levels: int) -> bytes:
        return prediction(features={"f": json.loads("[" * (levels - 2) + "]" * (levels - 2))})

    assert depth(nested(MAX_DEPTH)) == MAX_DEPTH
    decode(nested(MAX_DEPTH), Prediction)
    assert refusal(nested(MAX_DEPTH + 1)).reason is Reason.TOO_DEEP


@pytest.mark.parametrize("text", ["[" * 20, '"[' * 10, "\\[{" * 10, '\\"[[[[[[[[[[', "\\\\[[[[[[[[[["])
def test_brackets_inside_strings_are_no_depth(text: str) -> None:
    assert depth(label(label=text)) == 1
    assert decode(label(label=text), Label).label == text


def test_a_character_is_a_code_point_not_a_byte() -> None:
    assert decode(label(model_id="😀" * MAX_NAME), Label).model_id == "😀" * MAX_NAME
    assert refusal(label(model_id="😀" * (MAX_NAME + 1))).reason is Reason.NAME_TOO_LONG


def test_null_for_an_optional_field_is_absence() -> None:
    nulls = dict.fromkeys(["score", "probabilities", "features", "segments", "latency_ms"])
    assert decode(prediction(**nulls), Prediction) == decode(prediction(), Prediction)
    assert decode(label(weight=None), Label) == decode(label(), Label)


def test_a_null_segment_is_no_segment() -> None:
    assert decode(prediction(segments={"region": "eu", "gender": None}), Prediction).segments == {"region": "eu"}


def test_no_probabilities_are_absence() -> None:
    assert decode(prediction(probabilities={}), Prediction).probabilities is None


def test_whatever_a_feature_holds_the_record_is_read() -> None:
    values = b'"a":NaN,"b":-Infinity,"c":1e400,"d":null,"e":[{"f":[]}],"g":"","h":%s,"i":-%s,"j":-0.0,"k":1e-320'
    features = b',"features":{' + values % (b"9" * 400, b"9" * 400) + b"}}"
    event = decode(prediction()[:-1] + features, Prediction)
    assert math.isnan(event.features["a"])
    assert math.copysign(1, event.features["j"]) == -1
    assert {name: value for name, value in event.features.items() if name != "a"} == {
        "b": -math.inf,
        "c": math.inf,
        "d": None,
        "e": [{"f": []}],
        "g": "",
        "h": math.inf,
        "i": -math.inf,
        "j": 0.0,
        "k": 1e-320,
    }


def test_numbers_keep_their_types() -> None:
    for value in (1, 1.0, True, "1"):
        read = decode(label(label=value), Label).label
        assert (type(read), read) == (type(value), value)
    assert type(decode(prediction(score=1), Prediction).score) is float


OF_FIELDS = set(Reason) - {
    *(Reason.TOO_LARGE, Reason.TOO_DEEP, Reason.INVALID_JSON, Reason.NOT_AN_OBJECT, Reason.DUPLICATE_KEY),
    *(Reason.FUTURE_TIMESTAMP, Reason.WRONG_PARTITION, Reason.TOO_MANY_MODELS, Reason.INVALID_ARROW),
}

# Whatever JSON can hold, once each: every value of this goes into every field.
ODDITIES: list[Any] = [
    None,
    True,
    -1,
    2,
    10**400,
    -0.5,
    1e101,
    10**6,
    math.nan,
    -math.inf,
    "",
    "x",
    "x" * (MAX_STRING + 1),
    [],
    {},
    "yesterday",
    "2026-11-23T04:00:00",
    {"": 0.5},
    dict.fromkeys(map(str, range(MAX_FEATURES + 1)), 0),
    {"a" * (MAX_NAME + 1): 0.5},
    {"a": None},
    {"a": True},
    {"a": -1},
    {"a": 2},
    {"a": 10**400},
    {"a": math.nan},
    {"a": "x"},
    {"a": "x" * (MAX_STRING + 1)},
    {"a": []},
]


def test_every_error_of_pydantic_has_a_reason_and_no_reason_is_for_nothing() -> None:
    seen: set[str] = set()
    events: list[tuple[type[Event], dict[str, Any]]] = [
        (Prediction, PREDICTION),
        (Label, LABEL),
        (LabelBatch, {name: value if name == "model_id" else [value] for name, value in LABEL.items()} | {"rows": 1}),
    ]
    for kind, event in events:
        documents: list[dict[str, Any]] = [{}, {**event, "colour": 1}]
        documents += [{**event, name: value} for name in kind.model_fields for value in ODDITIES]
        for document in documents:
            try:
                kind.model_validate(document)
            except ValidationError as error:
                seen.update(mistake["type"] for mistake in error.errors())
    # A size, JSON or the envelope has no part in the fields: those reasons are given without an error of pydantic's.
    ours = {refuse(reason, "").type for reason in Reason}
    assert seen - ours == REASONS.keys() - ours
    assert {REASONS[kind] for kind in seen} == OF_FIELDS


def test_a_kind_of_error_that_pydantic_may_add_is_a_wrong_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(REASONS, "float_type")
    assert refusal(prediction(score="high")).reason is Reason.WRONG_TYPE


def test_jiter_still_says_what_we_read_from_it() -> None:
    with pytest.raises(ValueError, match=r"^Detected duplicate key"):
        jiter.from_json(b'{"a":1,"a":1}', catch_duplicate_keys=True)
    with pytest.raises(ValueError, match=r"^number out of range"):
        jiter.from_json(b"9" * 4301)


def many(entry: bytes, around: bytes) -> bytes:
    """Return a record of almost 1 MB: the entry, numbered, as often as it fits."""
    room = MAX_BYTES - 200
    return around % b",".join(entry.replace(b"#", b"%d" % i) for i in range(room // (len(entry) + 6)))


WORST = {
    "open brackets": b"[" * MAX_BYTES,
    "empty lists": b"[]" * (MAX_BYTES // 2),
    "empty strings": b"{" * 9 + b'""' * (MAX_BYTES // 2 - 9),
    "quotes and brackets": b'"[' * (MAX_BYTES // 2),
    "escapes in strings": b"{" * 9 + b'"\\\\"' * (MAX_BYTES // 4 - 9),
    "a string of escaped quotes": b"{" * 9 + b'"' + b'\\"' * (MAX_BYTES // 2 - 9),
    "backslashes": b"{" * 9 + b"\\" * (MAX_BYTES - 9),
    "digits": b"9" * MAX_BYTES,
    "spaces": b" " * MAX_BYTES,
    "unknown fields": many(b'"#":1', b"{%s}"),
    "probabilities": many(b'"#":2', prediction()[:-1] + b',"probabilities":{%s}}'),
    "segments": many(b'"#":[]', prediction()[:-1] + b',"segments":{%s}}'),
    "features": many(b'"#":[]', prediction()[:-1] + b',"features":{%s}}'),
    "a feature of lists": many(b"[]", prediction()[:-1] + b',"features":{"a":[%s]}}'),
    "a feature of objects": many(b"{}", prediction()[:-1] + b',"features":{"a":[%s]}}'),
    "a fraction without offset": prediction(timestamp="2026-11-23T04:00:00." + "0" * (MAX_BYTES - 200)),
    "a fraction": prediction(timestamp="2026-11-23T04:00:00." + "0" * (MAX_BYTES - 200) + "Z"),
    "dates": prediction(timestamp="2026-11-23 " * (MAX_BYTES // 12)),
}


@pytest.mark.parametrize("raw", WORST.values(), ids=WORST)
def test_the_worst_megabyte_is_soon_refused_or_read(raw: bytes) -> None:
    assert len(raw) <= MAX_BYTES
    start = time.process_time()
    with contextlib.suppress(DecodeError):
        decode(raw, Prediction)
    # 0.2 s at most was measured; what grows with the square of the length would take minutes.
    assert time.process_time() - start < 3
