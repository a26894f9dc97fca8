"""Many predictions, or many labels, of one model in one record: a table by columns, in which each row is an event.

A row means what it would mean in a record of its own; null in a column is what a field that is left out is there.

Two classes are of each kind. `PredictionBatch` is what a service should send: every value of every row is checked.
`PredictionColumns` is what makes a record a batch at all; a row in it may still be wrong, and is refused alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sized
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)

from driftline.schemas.decoding import MAX_DEPTH, parse, validate
from driftline.schemas.errors import Reason
from driftline.schemas.events import (
    MAX_CLASSES,
    MAX_FEATURES,
    MAX_SEGMENTS,
    Event,
    at_most,
    check_feature_values,
)
from driftline.schemas.fields import (
    MAX_STRING,
    EventTime,
    Name,
    NonNegative,
    Probability,
    Value,
    parse_timestamp,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_ROWS: Final = 10_000

MAX_ARROW_BYTES: Final = 4_000_000
"""Of a batch in Arrow, which costs a tenth of what JSON does; a batch in JSON is as large as any event may be.

Kafka's own limit, 1 MB unless it was raised, is of what producers have compressed.
"""

MAX_BATCH_DEPTH: Final = MAX_DEPTH + 1  # a column is a list around what an event has

ARROW: Final = "application/vnd.apache.arrow.stream"
"""The ``content-type`` of a record whose value is a batch as an Arrow IPC stream."""

CONTENT_TYPE: Final = "content-type"
_ARROW: Final = ARROW.encode()
ROWS: Final = "rows"
"""The field that makes a JSON object a batch."""

GROUPS: Final = ("probabilities", "features", "segments")
"""Fields that have a column for each name in them."""


def _parse_rows(value: object) -> int:
    if isinstance(value, float) and not math.isfinite(value):
        raise refuse(Reason.NON_FINITE, "must be a finite number")
    if isinstance(value, bool) or not isinstance(value, int):
        raise refuse(Reason.WRONG_TYPE, "must be an integer")
    if value < 1:
        raise refuse(Reason.OUT_OF_RANGE, "must be at least 1")
    if value > MAX_ROWS:
        raise refuse(Reason.TOO_MANY_ROWS, f"must be at most {MAX_ROWS}")
    return value


def _is_column(value: object) -> bool:
    """Tell whether a value is a column: a list in JSON, whatever else has a length in Python."""
    return isinstance(value, Sized) and not isinstance(value, str | bytes | dict)


def _check_column(value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - a column of anything
    if not _is_column(value):
        raise refuse(Reason.WRONG_TYPE, "must be a list")
    rows = info.data.get(ROWS)  # none if it is wrong itself, which is said first
    if rows is not None and len(value) != rows:
        raise refuse(Reason.UNEQUAL_COLUMNS, f"has {len(value)} values, and there are {rows} rows")
    return value


def _check_column_if_any(value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - as above
    return None if value is None else _check_column(value, info)


def _column_or_one(value: Any, one: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:  # noqa: ANN401 - as above
    return _check_column(value, info) if _is_column(value) else one(value)


_Rows = Annotated[
    int, PlainValidator(_parse_rows), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_ROWS})
]
_Column = Annotated[Any, PlainValidator(_check_column)]
_ColumnIfAny = Annotated[Any, PlainValidator(_check_column_if_any)]
_Columns = dict[Name, _Column]
_Probabilities = Annotated[_Columns, BeforeValidator(at_most(MAX_CLASSES, Reason.TOO_MANY_ENTRIES))]
_Features = Annotated[_Columns, BeforeValidator(at_most(MAX_FEATURES, Reason.TOO_MANY_FEATURES))]
_Segments = Annotated[_Columns, BeforeValidator(at_most(MAX_SEGMENTS, Reason.TOO_MANY_ENTRIES))]


B = TypeVar("B", bound="PredictionBatch | LabelBatch")


class PredictionColumns(Event):
    """Columns of equal length; what they hold is not looked at."""

    model_id: Name
    model_version: Name
    rows: _Rows
    prediction_id: _Column
    timestamp: Annotated[EventTime, WrapValidator(_column_or_one)]
    prediction: _Column
    score: _ColumnIfAny = None
    probabilities: _Probabilities = Field(default_factory=dict)
    features: _Features = Field(default_factory=dict)
    segments: _Segments = Field(default_factory=dict)
    latency_ms: Annotated[NonNegative | None, WrapValidator(_column_or_one)] = None


class LabelColumns(Event):
    """Columns of equal length; what they hold is not looked at."""

    model_id: Name
    rows: _Rows
    prediction_id: _Column
    timestamp: Annotated[EventTime, WrapValidator(_column_or_one)]
    label: _Column
    weight: _ColumnIfAny = None


# -- with every value checked -----------------------------------------------------------------------------------------


def _parse_times(value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401 - a column or one
    if not _is_column(value):
        return parse_timestamp(value)
    return [parse_timestamp(each) for each in _check_column(value, info)]


def _check_feature(column: list[Any]) -> list[Any]:
    if _PLAIN.issuperset(map(type, column)):
        return column
    rows = {f"row {row}": value for row, value in enumerate(column)}
    return list(check_feature_values(rows).values())


_PLAIN: Final = frozenset({float, bool, type(None)})

_Checked = AfterValidator(_check_column)
_FeatureValue = Annotated[Any, WithJsonSchema({"maxLength": MAX_STRING})]
_Values = Annotated[list[Value], _Checked]
_Shares = Annotated[list[Probability | None], _Checked]
_Quantities = Annotated[list[NonNegative | None], _Checked]
_FeatureColumn = Annotated[list[_FeatureValue], AfterValidator(_check_feature), _Checked]
_SegmentColumn = Annotated[list[Value | None], _Checked]
_quantities: Final = TypeAdapter(list[NonNegative | None])


def _parse_quantities(value: Any, one: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:  # noqa: ANN401 - as above
    return _quantities.validate_python(_check_column(value, info)) if _is_column(value) else one(value)


_Ids = Annotated[list[Name], _Checked]
_Times = Annotated[list[int] | int, PlainValidator(_parse_times, json_schema_input_type=list[EventTime] | EventTime)]
_Latencies = Annotated[
    NonNegative | None,
    WrapValidator(_parse_quantities, json_schema_input_type=list[NonNegative | None] | NonNegative | None),
]
_ProbabilityColumns = Annotated[dict[Name, _Shares], Field(max_length=MAX_CLASSES)]
_FeatureColumns = Annotated[dict[Name, _FeatureColumn], Field(max_length=MAX_FEATURES)]
_SegmentColumns = Annotated[dict[Name, _SegmentColumn], Field(max_length=MAX_SEGMENTS)]


class PredictionBatch(Event):
    """Predictions of one version of a model, as they were served: a column for each field, a row for each prediction.

    Null in a column is a field that is absent in that row. `timestamp` and `latency_ms` may be one value for all rows.

    Examples
    --------
    >>> batch = PredictionBatch(model_id="fraud", model_version="7", rows=2, prediction_id=["p-1", "p-2"],
    ...                         timestamp=1795406400000, prediction=[1, 0], score=[0.93, None],
    ...                         features={"amount": [12.5, 3], "country": ["PT", None]})
    >>> batch.score
    [0.93, None]

    """

    model_id: Name
    model_version: Name
    rows: _Rows = Field(description="How many there are: the length of every column.")
    prediction_id: _Ids
    timestamp: _Times = Field(description="A column, or one time for all rows.")
    prediction: _Values
    score: _Shares | None = Field(default=None, description="P(positive class), binary models.")
    probabilities: Annotated[
        _ProbabilityColumns,
        BeforeValidator(
            at_most(MAX_CLASSES, Reason.TOO_MANY_ENTRIES), json_schema_input_type=_ProbabilityColumns | None
        ),
    ] = Field(default_factory=dict, description="P(class): a column by class, multiclass models.")
    features: Annotated[
        _FeatureColumns,
        BeforeValidator(at_most(MAX_FEATURES, Reason.TOO_MANY_FEATURES), json_schema_input_type=_FeatureColumns | None),
    ] = Field(
        default_factory=dict, description="The model's inputs: a column by name, of what a prediction may have there."
    )
    segments: Annotated[
        _SegmentColumns,
        BeforeValidator(at_most(MAX_SEGMENTS, Reason.TOO_MANY_ENTRIES), json_schema_input_type=_SegmentColumns | None),
    ] = Field(default_factory=dict, description="The parts of the population: a column by attribute.")
    latency_ms: _Latencies = Field(
        default=None, description="Milliseconds the service took to answer: a column, or one number for all rows."
    )


class LabelBatch(Event):
    """Labels of one model: a column for each field, a row for each label.

    Examples
    --------
    >>> LabelBatch(model_id="fraud", rows=2, prediction_id=["p-1", "p-2"], timestamp=1795406460000, label=[0, 0]).label
    [0, 0]

    """

    model_id: Name
    rows: _Rows = Field(description="How many there are: the length of every column.")
    prediction_id: _Ids
    timestamp: _Times = Field(description="A column, or one time for all rows.")
    label: _Values
    weight: _Quantities | None = Field(default=None, description="Enters metrics, never a test.")


def is_arrow(headers: Iterable[tuple[str, bytes | None]]) -> bool:
    """Return whether the headers of a record say that its value is an Arrow IPC stream.

    Examples
    --------
    >>> is_arrow([("Content-Type", b"application/vnd.apache.arrow.stream")]), is_arrow([("content-type", b"text/csv")])
    (True, False)

    """
    return any(name.lower() == CONTENT_TYPE and value == _ARROW for name, value in headers)


def decode_batch(raw: bytes | None, into: type[B]) -> B:
    """Read one record, of which every row must be good.

    Raises
    ------
    DecodeError
        And nothing else, whatever the bytes.

    Examples
    --------
    >>> decode_batch(b'{"model_id":"m","rows":1,"prediction_id":["p"],"timestamp":0,"label":[1]}', LabelBatch).label
    [1]
    >>> decode_batch(b'{"model_id":"m","rows":2,"prediction_id":["p"],"timestamp":0,"label":[1]}', LabelBatch)
    Traceback (most recent call last):
    driftline.schemas.errors.DecodeError: unequal_columns: prediction_id: has 1 values, and there are 2 rows

    """
    return validate(parse(raw, most_depth=MAX_BATCH_DEPTH), into)


def encode_batch(batch: PredictionBatch | LabelBatch) -> bytes:
    """Write a batch as the JSON that goes on the wire: compact, in field order, absent fields left out.

    Raises
    ------
    TypeError, ValueError
        As `driftline.schemas.events.encode`.

    Examples
    --------
    >>> encode_batch(LabelBatch(model_id="m", rows=1, prediction_id=["p"], timestamp=0, label=[True]))
    b'{"schema_version":1,"model_id":"m","rows":1,"prediction_id":["p"],"timestamp":0,"label":[true]}'

    """
    present = {name: value for name, value in batch if value is not None and value != {}}
    return json.dumps(present, ensure_ascii=False, separators=(",", ":")).encode()
