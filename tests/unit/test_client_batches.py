"""What `EventProducer` makes of columns of any library: records that the worker reads as the same rows."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings

from driftline.client import batches as client_batches
from driftline.client.batches import Encoded, records
from driftline.client.columns import as_list, as_table, as_times
from driftline.models.batch.batch import RefusedRow, read_batch
from driftline.models.record import FileRecord
from driftline.models.wire import WireLabel, WirePrediction
from driftline.schemas.batches import ARROW, MAX_ROWS, LabelBatch, PredictionBatch, decode_batch
from driftline.schemas.decoding import MAX_BYTES, decode
from driftline.schemas.errors import DecodeError, Reason
from driftline.schemas.events import Label, Prediction
from tests.property.strategies import Json, Kind, as_json, batches, row_of, same

LABELS: dict[str, Any] = {"model_id": "m", "prediction_id": ["a", "b"], "timestamp": 0, "label": [1, 0]}
PREDICTIONS: dict[str, Any] = {
    "model_id": "m",
    "model_version": "1",
    "prediction_id": ["a", "b"],
    "timestamp": [0, 1],
    "prediction": [1, 0],
}


def events_of(made: list[Encoded], kind: Kind) -> list[WirePrediction | WireLabel]:
    """Return the rows of records as the worker reads them; none may be refused."""
    found: list[WirePrediction | WireLabel] = []
    for record in made:
        assert len(record.value) <= MAX_BYTES
        batch = read_batch(FileRecord("t", 0, record.value, headers=record.headers), kind)
        assert batch is not None
        for _, event in batch.events():
            assert not isinstance(event, RefusedRow)
            found.append(event)
    return found


@pytest.fixture(params=["arrow", "no arrow"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With pyarrow, and as if it were not there."""
    if request.param == "no arrow":
        monkeypatch.setattr(client_batches, "_pyarrow", lambda: None)
    return str(request.param)


@pytest.mark.parametrize("written_as", ["arrow", "no arrow"])
@settings(max_examples=150)
@given(batch=batches())
def test_what_is_made_is_what_was_given_or_nothing_is_made(
    written_as: str, batch: tuple[dict[str, Json], Kind]
) -> None:
    fields, kind = batch
    into: type[PredictionBatch | LabelBatch] = LabelBatch if kind is Label else PredictionBatch
    columns = {name: value for name, value in fields.items() if name != "rows"}
    with pytest.MonkeyPatch.context() as patch:
        if written_as == "no arrow":
            patch.setattr(client_batches, "_pyarrow", lambda: None)
        try:
            made = records(into, columns)
        except DecodeError:
            with pytest.raises(DecodeError):
                decode_batch(as_json(fields), into)
            return
    expected = [decode(as_json(row_of(fields, row)), kind) for row in range(fields["rows"])]
    assert same([event.event() for event in events_of(made, kind)], expected)


class Series:
    """A column as polars has it."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def to_list(self) -> list[Any]:
        return self._values

    def __len__(self) -> int:
        return len(self._values)


class Frame:
    """A table as polars and pandas have it: `columns`, and a column by its name."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self._columns = columns

    @property
    def columns(self) -> list[str]:
        return list(self._columns)

    def __getitem__(self, name: str) -> Series:
        return Series(self._columns[name])


class Array:
    """Whatever can be an array."""

    def __init__(self, values: list[Any]) -> None:
        self._array = np.array(values)

    def __array__(self) -> Any:  # noqa: ANN401 - numpy's interface
        return self._array


class Stream:
    """Whatever can be an Arrow table, and nothing else."""

    def __init__(self, table: Any) -> None:  # noqa: ANN401 - Arrow's
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


class NAType:
    """As pandas has it."""


LISTED: dict[str, list[Any]] = {"amount": [12.5, None], "country": ["PT", None]}


@pytest.mark.parametrize(
    "features",
    [
        LISTED,
        Frame(LISTED),
        pa.table(LISTED),
        Stream(pa.table(LISTED)),
        {"amount": pa.array([12.5, None]), "country": pa.chunked_array([["PT"], [None]])},
        {"amount": Series([12.5, NAType()]), "country": ("PT", float("nan"))},
        {"amount": pa.array([12.5, None]), "country": Stream(pa.chunked_array([["PT", None]]))},
    ],
    ids=["dict", "frame", "arrow", "stream", "arrow columns", "missing", "stream columns"],
)
def test_a_table_of_any_library_is_read(form: str, features: object) -> None:
    del form
    made = records(PredictionBatch, PREDICTIONS | {"features": features, "segments": features})
    first, second = events_of(made, Prediction)
    assert isinstance(first, WirePrediction)
    assert isinstance(second, WirePrediction)
    assert (first.features, second.features) == ({"amount": 12.5, "country": "PT"}, {})
    assert (first.segments, second.segments) == ({"amount": "12.5", "country": "PT"}, {})


@pytest.mark.parametrize(
    "score",
    [[0.5, 1], (0.5, 1.0), np.array([0.5, 1]), np.array([0.5, 1], np.float32), Array([0.5, 1.0]), Series([0.5, 1])],
)
def test_a_column_of_any_library_is_read(form: str, score: object) -> None:
    del form
    made = records(PredictionBatch, PREDICTIONS | {"score": score, "prediction": np.array([True, False])})
    assert [getattr(event, "score", None) for event in events_of(made, Prediction)] == [0.5, 1.0]


def test_arrow_goes_out_if_it_is_there_and_every_column_is_of_one_type() -> None:
    (record,) = records(PredictionBatch, PREDICTIONS | {"features": {"f": [1.5, None], "g": [None, None]}})
    assert record.headers == (("content-type", ARROW.encode()),)
    (record,) = records(PredictionBatch, PREDICTIONS | {"features": {"f": [1.5, "high"]}})
    assert record.headers == ()
    assert record.value.startswith(b'{"schema_version":1,"model_id":"m",')


@pytest.mark.parametrize(
    ("into", "columns", "reason"),
    [
        (LabelBatch, LABELS | {"label": [1]}, Reason.UNEQUAL_COLUMNS),
        (LabelBatch, LABELS | {"label": 1}, Reason.WRONG_TYPE),
        (LabelBatch, LABELS | {"label": "ab"}, Reason.WRONG_TYPE),
        (LabelBatch, LABELS | {"label": np.array(1)}, Reason.WRONG_TYPE),
        (LabelBatch, LABELS | {"label": [1, None]}, Reason.WRONG_TYPE),
        (LabelBatch, LABELS | {"weight": [1, -1]}, Reason.OUT_OF_RANGE),
        (LabelBatch, LABELS | {"timestamp": datetime(2026, 1, 1)}, Reason.NAIVE_TIMESTAMP),  # noqa: DTZ001 - it is the point
        (LabelBatch, LABELS | {"timestamp": ["2026-01-01T00:00:00"] * 2}, Reason.NAIVE_TIMESTAMP),
        (LabelBatch, LABELS | {"timestamp": np.array([0, 1], "datetime64[ns]")}, Reason.NAIVE_TIMESTAMP),
        (LabelBatch, LABELS | {"timestamp": np.array([0, 1], "datetime64[ms]")}, Reason.NAIVE_TIMESTAMP),
        (LabelBatch, LABELS | {"model_id": ""}, Reason.EMPTY_NAME),
        (PredictionBatch, PREDICTIONS | {"features": [[1, 2]]}, Reason.WRONG_TYPE),
        (PredictionBatch, PREDICTIONS | {"features": {"f": [1]}}, Reason.UNEQUAL_COLUMNS),
        (PredictionBatch, PREDICTIONS | {"features": {1: [1, 2]}}, Reason.WRONG_TYPE),
        (PredictionBatch, PREDICTIONS | {"features": {"f": [1, {2}]}}, Reason.WRONG_TYPE),
        (PredictionBatch, PREDICTIONS | {"features": {"f": ["a", "\ud800"]}}, Reason.WRONG_TYPE),
        (PredictionBatch, PREDICTIONS | {"features": {"f": [0, [[[[[[[]]]]]]]]}}, Reason.TOO_DEEP),
        (PredictionBatch, PREDICTIONS | {"features": {"f": [0, {1: 1, "1": 2}]}}, Reason.DUPLICATE_KEY),
        (PredictionBatch, PREDICTIONS | {"score": [0.5, float("nan")]}, Reason.NON_FINITE),
        (
            PredictionBatch,
            {
                **PREDICTIONS,
                "prediction_id": ["a"],
                "timestamp": 0,
                "prediction": [1],
                "features": {str(n): ["x" * 4000] for n in range(300)},
            },
            Reason.TOO_LARGE,
        ),
    ],
)
def test_what_the_worker_would_refuse_is_not_made(
    form: str, into: type[PredictionBatch | LabelBatch], columns: dict[str, Any], reason: Reason
) -> None:
    del form
    with pytest.raises(DecodeError) as refusal:
        records(into, columns)
    assert refusal.value.reason is reason
    assert "ud800" not in refusal.value.detail


def many(size: int) -> dict[str, Any]:
    """Return the columns of so many predictions, of 100 bytes each at least."""
    return {
        "model_id": "m",
        "model_version": "1",
        "prediction_id": [f"p{n}" for n in range(size)],
        "timestamp": np.arange(size),
        "prediction": np.arange(size) % 2,
        "features": {f"f{k}": np.arange(size) * 1.37 + k for k in range(12)},
        "latency_ms": 3,
    }


@pytest.mark.parametrize("size", [0, 1, MAX_ROWS, MAX_ROWS + 1, 25_000])
def test_as_many_rows_as_there_are_go_into_records_that_kafka_takes(form: str, size: int) -> None:
    del form
    made = records(PredictionBatch, many(size))
    events = events_of(made, Prediction)
    assert [event.prediction_id for event in events] == [f"p{n}" for n in range(size)]
    assert len(made) <= -(-size // 2000)
    assert all(isinstance(event, WirePrediction) and event.latency_ms == 3 for event in events)


def moments() -> Iterator[tuple[object, int]]:
    yield datetime(2026, 11, 23, 4, 0, 0, 250_999, UTC), 1_795_406_400_250
    yield datetime(2026, 11, 23, 5, tzinfo=timezone(timedelta(hours=1))), 1_795_406_400_000
    yield datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC), -1


@pytest.mark.parametrize(("moment", "milliseconds"), list(moments()))
def test_a_moment_with_a_time_zone_is_in_milliseconds(moment: object, milliseconds: int) -> None:
    assert as_times(moment) == milliseconds
    assert as_times([moment, 5]) == [milliseconds, 5]
    assert as_times(Series([moment])) == [milliseconds]


def test_what_is_no_column_and_no_table_is_named() -> None:
    with pytest.raises(DecodeError, match="score: must be a column"):
        as_list("score", 0.5)
    with pytest.raises(DecodeError, match="features: must be columns by name"):
        as_table("features", 0.5)
    with pytest.raises(DecodeError, match=r"features\['f'\]: must be a column"):
        as_table("features", {"f": 1})


def test_the_client_needs_no_arrow() -> None:
    script = """
import sys
sys.modules["pyarrow"] = sys.modules["numpy"] = None
from driftline.client.batches import records
from driftline.schemas.batches import LabelBatch
made = records(LabelBatch, {"model_id": "m", "prediction_id": ("a",), "timestamp": 0, "label": [1]})
print(made[0].value.decode(), made[0].headers)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith('{"schema_version":1,"model_id":"m","rows":1,')
    assert done.stdout.endswith("} ()\n")
