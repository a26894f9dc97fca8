"""Events in Python: what they accept, that they are frozen, and how they are written and timed."""

import math
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from driftline.schemas.decoding import decode
from driftline.schemas.events import Label, Prediction, encode, segment_value
from driftline.schemas.fields import format_timestamp, parse_timestamp

LABEL = Label(model_id="m", prediction_id="p", timestamp=0, label=1)


def predict(**fields: object) -> Prediction:
    return Prediction.model_validate(
        {"model_id": "m", "model_version": "1", "prediction_id": "p", "timestamp": 0, "prediction": 1} | fields
    )


def test_an_event_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        LABEL.label = 2  # type: ignore[misc]  # what must fail


def test_an_event_does_not_see_what_happens_to_the_caller_s_dicts() -> None:
    features, segments, probabilities = {"amount": 1.0}, {"region": "eu"}, {"a": 1.0}
    event = predict(features=features, segments=segments, probabilities=probabilities)
    for mapping in (features, segments, probabilities):
        mapping.clear()
    assert (event.features, event.segments, event.probabilities) == ({"amount": 1.0}, {"region": "eu"}, {"a": 1.0})


def test_an_error_does_not_repeat_the_value() -> None:
    with pytest.raises(ValidationError) as raised:
        predict(model_id=["4111 1111 1111 1111"])
    assert "4111" not in str(raised.value)


def test_an_event_is_written_compactly_and_without_what_is_absent() -> None:
    assert encode(predict()) == (
        b'{"schema_version":1,"model_id":"m","model_version":"1","prediction_id":"p","timestamp":0,"prediction":1}'
    )
    assert encode(predict(features={}, segments={}, probabilities={})) == encode(predict())


def test_what_pydantic_s_own_json_would_lose_is_written() -> None:
    event = predict(features={"a": math.nan, "b": -math.inf, "c": None, "d": "é"})
    assert encode(event).endswith(',"features":{"a":NaN,"b":-Infinity,"c":null,"d":"é"}}'.encode())


def test_the_scalars_of_numpy_are_taken_for_what_they_hold() -> None:
    features = {"a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True), "d": np.str_("x"), "e": np.float64(2)}  # noqa: FBT003
    event = predict(timestamp=np.int64(7), prediction=np.int64(1), segments={"s": np.int32(4)}, features=features)
    assert (event.timestamp, event.prediction, event.segments) == (7, 1, {"s": "4"})
    assert encode(event).endswith(b',"features":{"a":3,"b":0.5,"c":true,"d":"x","e":2.0},"segments":{"s":"4"}}')
    assert decode(encode(event), Prediction) == event


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ValidationError, match="or itself"):
        predict(features={"a": endless})


class Colour(StrEnum):
    LONG = "x" * 4097


@pytest.mark.parametrize("value", [Colour.LONG, np.str_("x" * 4097)], ids=["an enumeration's", "numpy's"])
def test_a_string_of_another_class_is_as_long_as_any(value: str) -> None:
    with pytest.raises(ValidationError, match="at most 4096 characters"):
        predict(features={"a": value})


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", datetime(2026, 1, 1, tzinfo=UTC), "\ud800"])
def test_a_feature_that_json_cannot_say_is_an_error_of_the_sender(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        encode(predict(features={"a": value}))


def test_a_name_that_is_no_text_is_refused_at_once() -> None:
    with pytest.raises(ValidationError, match="unicode"):
        predict(model_id="\ud800")


@pytest.mark.parametrize(
    ("value", "text"),
    [("EU", "EU"), ("", ""), (True, "true"), (False, "false"), (3, "3"), (3.0, "3"), (-0.0, "0"), (0.1, "0.1")],
)
def test_a_segment_is_known_by_its_text(value: str | float, text: str) -> None:
    assert segment_value(value) == text
    assert predict(segments={"s": value}).segments == {"s": text}


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01 00:00:00Z", 0),
        ("1970-01-01T00:00:00-00:00", 0),
        ("1969-12-31T23:59:00-00:01", 0),
        ("1970-01-01T23:59:00+23:59", 0),
        ("1970-01-01T00:00:00.0019999999999Z", 1),
        ("1970-01-01T00:00:00.5Z", 500),
        ("2024-02-29T12:00:00.25+05:30", 1_709_188_200_250),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)
def test_rfc_3339_is_read_to_the_millisecond(text: str, milliseconds: int) -> None:
    assert parse_timestamp(text) == milliseconds


@given(moment=st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.timezones()))  # noqa: DTZ001 - bounds
def test_times_agree_with_the_standard_library(moment: datetime) -> None:
    offset = moment.utcoffset()
    if offset is None or offset.seconds % 60:  # RFC 3339 cannot write offsets of before 1972
        return
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // (datetime.resolution * 1000)
    assert parse_timestamp(moment.isoformat()) == expected


@given(milliseconds=st.integers(0, 253_402_300_799_999))
def test_times_are_read_as_they_were_written(milliseconds: int) -> None:
    assert parse_timestamp(format_timestamp(milliseconds)) == milliseconds
