"""What services send: predictions as they are served, and labels when the truth is known."""

from __future__ import annotations

import json
import math
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, WithJsonSchema

from driftline.schemas.errors import Reason
from driftline.schemas.fields import (
    MAX_NAME,
    MAX_STRING,
    SHOWN,
    EventTime,
    Name,
    NonNegative,
    Probability,
    Scalar,
    Value,
    parse_scalar,
    plain,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA_VERSION: Final = 1
MAX_FEATURES: Final = 1000
MAX_SEGMENTS: Final = 100
MAX_CLASSES: Final = 1000

_MAX_NESTED: Final = 1_000_000
"""Values inside a list or an object: no record of 1 MB has as many."""

_MAX_FLOAT: Final = int(sys.float_info.max)


def _parse_schema_version(value: object) -> int:
    if isinstance(value, float) and not math.isfinite(value):
        raise refuse(Reason.NON_FINITE, "must be a finite number")
    if isinstance(value, bool) or not isinstance(value, int):
        raise refuse(Reason.WRONG_TYPE, "must be an integer")
    if value != SCHEMA_VERSION:
        raise refuse(Reason.UNKNOWN_SCHEMA_VERSION, f"must be {SCHEMA_VERSION}")
    return value


def segment_value(value: Scalar) -> str:
    """Return the text by which a segment is known: as JSON writes it, and 1.0 as 1.

    Examples
    --------
    >>> [segment_value(value) for value in ("eu", True, 1, 1.0, 2.5)]
    ['eu', 'true', '1', '1', '2.5']

    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # pandas makes integers floats as soon as one is missing
    return str(value)


def _parse_segment(value: object) -> str:
    return segment_value(parse_scalar(value))


def _without_nulls(value: object) -> object:
    if isinstance(value, dict) and None in value.values():
        return {name: item for name, item in value.items() if item is not None}
    return value


def check_feature_values(features: dict[str, Any]) -> dict[str, Any]:
    """Check the length of strings; what a value is worth is for the monitor to observe, not to refuse."""
    for name, feature in features.items():
        kind = type(feature)
        if kind is float:
            continue
        if kind is int:
            if not -_MAX_FLOAT <= feature <= _MAX_FLOAT:
                # As 1e400 is read: whoever turns such an integer into a float would get an exception.
                features[name] = math.inf if feature > 0 else -math.inf
        elif isinstance(feature, str):
            _check_string(name, feature)
        elif kind is list or kind is dict:
            _check_nested(name, feature)
        else:
            features[name] = plain(feature)
    return features


def _check_string(feature: str, text: str) -> None:
    if len(text) > MAX_STRING:
        detail = f"the value of {feature[:SHOWN]!a} must have at most {MAX_STRING} characters"
        raise refuse(Reason.STRING_TOO_LONG, detail)


def _check_nested(feature: str, value: Any) -> None:  # noqa: ANN401 - a list or an object
    nested = [value]
    seen = 0
    while nested:
        item = nested.pop()
        seen += 1
        if seen > _MAX_NESTED:
            raise refuse(Reason.TOO_LARGE, f"{feature[:SHOWN]!a} holds more than {_MAX_NESTED} values, or itself")
        if isinstance(item, str):
            _check_string(feature, item)
        elif isinstance(item, list):
            nested += item
        elif isinstance(item, dict):
            if any(len(name) > MAX_NAME for name in item if isinstance(name, str)):
                detail = f"a name within {feature[:SHOWN]!a} must have at most {MAX_NAME} characters"
                raise refuse(Reason.NAME_TOO_LONG, detail)
            nested += item.values()


def at_most(limit: int, too_many: Reason) -> Callable[[object], object]:
    """Return the first check of an object: how many entries it has; null has none.

    Pydantic counts last, and 100,000 bad entries would each have become an error by then.
    """

    def check(value: object) -> object:
        if value is None:
            return {}
        if isinstance(value, dict) and len(value) > limit:
            raise refuse(too_many, f"must have at most {limit} entries")
        return value

    return check


_FeatureEntries = Annotated[
    dict[Name, Annotated[Any, WithJsonSchema({"maxLength": MAX_STRING})]], Field(max_length=MAX_FEATURES)
]
Features = Annotated[
    _FeatureEntries,
    AfterValidator(check_feature_values),
    BeforeValidator(at_most(MAX_FEATURES, Reason.TOO_MANY_FEATURES), json_schema_input_type=_FeatureEntries | None),
]
_SegmentEntries = Annotated[dict[Name, Value | None], Field(max_length=MAX_SEGMENTS)]
Segments = Annotated[
    dict[Name, Annotated[str, PlainValidator(_parse_segment)]],
    BeforeValidator(_without_nulls),
    BeforeValidator(at_most(MAX_SEGMENTS, Reason.TOO_MANY_ENTRIES), json_schema_input_type=_SegmentEntries | None),
]
_ProbabilityEntries = Annotated[dict[Name, Probability], Field(max_length=MAX_CLASSES)]
Probabilities = Annotated[
    _ProbabilityEntries | None,
    AfterValidator(lambda probabilities: probabilities or None),
    BeforeValidator(at_most(MAX_CLASSES, Reason.TOO_MANY_ENTRIES), json_schema_input_type=_ProbabilityEntries | None),
]


class Event(BaseModel):
    """What every record of the contract has in common: frozen, and without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    schema_version: Annotated[
        int, PlainValidator(_parse_schema_version), WithJsonSchema({"type": "integer", "const": SCHEMA_VERSION})
    ] = SCHEMA_VERSION


class Prediction(Event):
    """One prediction, as it was served.

    Everything after `prediction` is optional, and null there means absent.

    Examples
    --------
    >>> event = Prediction(model_id="fraud", model_version="7", prediction_id="p-1",
    ...                    timestamp="2026-11-23T04:00:00Z", prediction=1, score=0.93, features={"amount": 12.5})
    >>> event.timestamp
    1795406400000

    """

    model_id: Name
    model_version: Name
    prediction_id: Name
    timestamp: EventTime
    prediction: Value
    score: Probability | None = Field(default=None, description="P(positive class), binary models.")
    probabilities: Probabilities = Field(default=None, description="P(class) by class, multiclass models.")
    features: Features = Field(
        default_factory=dict,
        description=(
            "The model's inputs by name: numbers, strings, booleans or null. NaN and Infinity tokens, lists and "
            "objects are read too: they are data-quality observations of that feature."
        ),
    )
    segments: Segments = Field(
        default_factory=dict, description="The parts of the population that it belongs to, by attribute; null is none."
    )
    latency_ms: NonNegative | None = Field(default=None, description="Milliseconds the service took to answer.")


class Label(Event):
    """The truth about one prediction, whenever it became known.

    Examples
    --------
    >>> Label(model_id="fraud", prediction_id="p-1", timestamp=1795406460000, label=0).label
    0

    """

    model_id: Name
    prediction_id: Name
    timestamp: EventTime
    label: Value
    weight: NonNegative | None = Field(default=None, description="Enters metrics, never a test.")


def encode(event: BaseModel) -> bytes:
    """Write an event as the JSON that goes on the wire: compact, in field order, absent fields left out.

    Raises
    ------
    TypeError, ValueError
        If a feature's value is nothing that JSON can say, or a string is no Unicode text (a lone surrogate).

    Examples
    --------
    >>> encode(Label(model_id="m", prediction_id="p", timestamp=0, label=True))
    b'{"schema_version":1,"model_id":"m","prediction_id":"p","timestamp":0,"label":true}'

    """
    if not isinstance(event, Prediction | Label):
        return event.model_dump_json(exclude_none=True).encode()
    # pydantic's own JSON writes NaN and Infinity as null, and a feature's null must stay.
    present = {name: value for name, value in event if value is not None and value != {}}
    return json.dumps(present, ensure_ascii=False, separators=(",", ":")).encode()
