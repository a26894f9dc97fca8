"""A row of a batch is what it would be in a record of its own: the same event, or refused for the same reason."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pyarrow import ipc

from driftline.models.batch import checks
from driftline.models.batch.batch import Batch, RefusedRow, read_batch
from driftline.models.batch.column import Coded, Loose, listed, numbers
from driftline.models.record import FileRecord
from driftline.models.watch.quality import read_number
from driftline.schemas.batches import (
    ARROW,
    GROUPS,
    MAX_ARROW_BYTES,
    MAX_ROWS,
    LabelBatch,
    PredictionBatch,
    decode_batch,
    encode_batch,
)
from driftline.schemas.decoding import MAX_BYTES, decode
from driftline.schemas.errors import DecodeError, Reason
from driftline.schemas.events import Label, Prediction
from driftline.schemas.fields import MAX_INTEGER, MAX_NAME, MAX_STRING, format_timestamp
from tests.property.strategies import (
    Json,
    Kind,
    as_json,
    batches,
    characters,
    feature_values,
    kinds,
    names,
    row_of,
    same,
    scalars,
    strings,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ARROW_HEADERS = (("Content-Type", ARROW.encode()),)
_LAST = 253_402_300_799_999


def agrees(batch: Batch, fields: dict[str, Json], kind: Kind) -> None:
    """Fail if a row is not what the contract makes of it, by itself."""
    events = list(batch.events())
    assert [row for row, _ in events] == list(range(fields["rows"]))
    good = [(row, event) for row, event in events if not isinstance(event, RefusedRow)]
    assert batch.places.tolist() == [row for row, _ in good]
    assert batch.prediction_id == [event.prediction_id for _, event in good]
    assert batch.timestamp.tolist() == [event.timestamp for _, event in good]
    assert [event for _, event in events if isinstance(event, RefusedRow)] == list(map(as_refused, batch.refused()))
    for row, event in events:
        single = row_of(fields, row)
        refusal, expected = decoded(as_json(single), kind)
        if refusal is not None:
            assert isinstance(event, RefusedRow), f"row {row} must be refused: {refusal}"
            assert (event.row, str(event.error)) == (row, str(refusal))
            again, _ = decoded(event.value, kind)
            assert str(again) == str(refusal)
            shared = {name for name in ("timestamp", "latency_ms") if not isinstance(fields.get(name), list)}
            written = json.loads(event.value)
            assert written.keys() == single.keys()
            for name in written.keys() - shared:  # what is one for all rows has been read already
                assert same(written[name], json.loads(as_json(single[name])))
        else:
            assert not isinstance(event, RefusedRow), f"row {row} is refused: {event.error}"
            assert same(event.event(), expected)
            for name, value in dict(expected or ()).items():
                if name != "schema_version":
                    assert same(getattr(event, name), value)
                if isinstance(value, dict):
                    assert list(getattr(event, name)) == list(value)


def decoded(raw: bytes, kind: Kind) -> tuple[DecodeError | None, Prediction | Label | None]:
    """Return why a record of its own is refused, or what it is."""
    try:
        return None, decode(raw, kind)
    except DecodeError as refusal:
        return refusal, None


class as_refused:  # noqa: N801 - reads as a function
    """Compares equal to a row that was refused likewise."""

    def __init__(self, refused: RefusedRow) -> None:
        self._key = refused.row, str(refused.error), refused.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RefusedRow) and self._key == (other.row, str(other.error), other.value)

    def __hash__(self) -> int:
        return hash(self._key)


def read_json(fields: dict[str, Json], kind: Kind) -> Batch:
    batch = read_batch(FileRecord("t", 0, as_json(fields)), kind)
    assert batch is not None
    return batch


# -- JSON -------------------------------------------------------------------------------------------------------------


@settings(max_examples=400)
@given(batch=batches())
def test_a_row_of_json_is_what_it_would_be_by_itself(batch: tuple[dict[str, Json], Kind]) -> None:
    fields, kind = batch
    agrees(read_json(fields, kind), fields, kind)


@settings(max_examples=200)
@given(batch=batches())
def test_what_the_contract_takes_whole_has_no_row_that_is_refused(batch: tuple[dict[str, Json], Kind]) -> None:
    fields, kind = batch
    into: type[PredictionBatch | LabelBatch] = LabelBatch if kind is Label else PredictionBatch
    is_good = not list(read_json(fields, kind).refused())
    # A class needs each of its fields, and the columns of ids, times and values have no holes there either.
    try:
        read = decode_batch(as_json(fields), into)
    except DecodeError:
        assert not is_good
        return
    assert is_good
    assert same(dict(decode_batch(encode_batch(read), into)), dict(read))


def test_of_many_entries_that_are_wrong_the_first_is_told() -> None:
    for name, wrong in (("probabilities", 2), ("segments", [])):
        entries: dict[str, list[Json]] = {
            str(n): [wrong, 0.5, 0.5] if n in {20, 40} else [0.5, None, 0.5] for n in range(60)
        }
        fields = GOOD | {"rows": 3, "prediction_id": ["a", "b", ""], "prediction": [0, 0, 0], name: entries}
        agrees(read_json(fields, Prediction), fields, Prediction)


def test_the_row_of_each_reason() -> None:
    """One batch whose rows are wrong in every way that a row can be."""
    wrong: list[tuple[str, Json, Reason]] = [
        ("prediction_id", None, Reason.MISSING_FIELD),
        ("prediction_id", "", Reason.EMPTY_NAME),
        ("prediction_id", "p" * (MAX_NAME + 1), Reason.NAME_TOO_LONG),
        ("prediction_id", 7, Reason.WRONG_TYPE),
        ("timestamp", -1, Reason.OUT_OF_RANGE),
        ("timestamp", "yesterday", Reason.INVALID_TIMESTAMP),
        ("timestamp", "2026-11-23T04:00:00", Reason.NAIVE_TIMESTAMP),
        ("prediction", math.nan, Reason.NON_FINITE),
        ("prediction", "x" * (MAX_STRING + 1), Reason.STRING_TOO_LONG),
        ("prediction", None, Reason.MISSING_FIELD),
    ]
    rows = len(wrong) + 1
    fields: dict[str, Json] = {"model_id": "m", "model_version": "1", "rows": rows}
    usual: dict[str, Json] = {"prediction_id": "p", "timestamp": 0, "prediction": 1}
    for name, value in usual.items():
        fields[name] = [*(bad if field == name else value for field, bad, _ in wrong), value]
    batch = read_json(fields, Prediction)
    assert [refused.error.reason for refused in batch.refused()] == [reason for *_, reason in wrong]
    assert batch.places.tolist() == [rows - 1]
    agrees(batch, fields, Prediction)


# Each takes one protection away; the batch is one that shows it.
PLAIN: dict[str, Json] = {"model_id": "m", "model_version": "1", "rows": 2, "prediction_id": ["a", "b"], "timestamp": 0}
MUTANTS: list[tuple[str, str, Callable[..., Any], dict[str, Json]]] = [
    ("a key without its type", "_key", lambda value: (None, value), {"segments": {"s": [1, True]}}),
    ("an id of any length", "MAX_NAME", MAX_NAME + 1, {"prediction_id": ["a", "b" * (MAX_NAME + 1)]}),  # type: ignore[list-item]
    ("a string of any length", "MAX_STRING", MAX_STRING + 1, {"features": {"f": [1, "b" * (MAX_STRING + 1)]}}),  # type: ignore[list-item]
    ("times that come", "MAX_EPOCH_MS", 2**62, {"timestamp": [0, _LAST + 1]}),  # type: ignore[list-item]
    ("integers that are not exact", "MAX_INTEGER", MAX_INTEGER + 1, {"prediction": [0, MAX_INTEGER + 1]}),  # type: ignore[list-item]
    ("numbers without a bound", "check_numbers", lambda c, _: (c.values, None), {"score": [0.5, 1.5]}),
    ("features that are not looked into", "check_feature", lambda c: (c, None), {"features": {"f": [1, 10**400]}}),
    ("null as a value", "check_values", lambda c: (c, None), {"prediction": ["a", None]}),
]


@pytest.mark.parametrize(("attribute", "mutant", "change"), [m[1:] for m in MUTANTS], ids=[m[0] for m in MUTANTS])
def test_a_mutant_of_the_checks_is_found(
    attribute: str, mutant: object, change: dict[str, Json], monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = PLAIN | {"prediction": [0, 1]} | change
    agrees(read_json(fields, Prediction), fields, Prediction)
    monkeypatch.setattr(checks, attribute, mutant)
    with pytest.raises(AssertionError):
        agrees(read_json(fields, Prediction), fields, Prediction)


# -- Arrow ------------------------------------------------------------------------------------------------------------


def stream(table: pa.Table, *, pieces: int = 1, **options: object) -> bytes:
    """Write a table as so many record batches."""
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
        size = max(-(-table.num_rows // pieces), 1)
        for start in range(0, table.num_rows, size):
            for part in table.slice(start, size).combine_chunks().to_batches():
                writer.write_batch(part)
    return bytes(sink.getvalue().to_pybytes())


def read_arrow(raw: bytes, kind: Kind) -> Batch:
    batch = read_batch(FileRecord("t", 0, raw, headers=ARROW_HEADERS), kind)
    assert batch is not None
    return batch


def reason_of(raw: bytes, kind: Kind = Prediction) -> Reason:
    with pytest.raises(DecodeError) as refusal:
        read_arrow(raw, kind)
    return refusal.value.reason


_texts = st.sampled_from([pa.string(), pa.large_string(), pa.string_view()])
_TYPES: list[tuple[st.SearchStrategy[pa.DataType], st.SearchStrategy[Json]]] = [
    (st.just(pa.float64()), st.floats() | st.floats(0, 1)),
    (st.just(pa.float32()), st.floats(width=32)),
    (st.just(pa.float16()), st.floats(width=16)),
    (st.sampled_from([pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16()]), st.integers(0, 99)),
    (st.just(pa.int64()), st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)),
    (st.just(pa.uint64()), st.integers(0, 2**64 - 1) | st.integers(0, 3)),
    (st.just(pa.bool_()), st.booleans()),
    (_texts, strings | st.just("x" * (MAX_STRING + 1)) | st.text(characters, max_size=2)),
    (
        st.sampled_from([pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.uint32(), pa.large_string())]),
        st.text("ab", max_size=1),
    ),
    (st.just(pa.dictionary(pa.int32(), pa.int64())), st.integers(0, 3)),
    (st.just(pa.null()), st.none()),
]


@st.composite
def arrays(draw: st.DrawFn, rows: int, only: int | None = None) -> pa.Array:
    types, values = draw(st.sampled_from(_TYPES)) if only is None else _TYPES[only]
    found = draw(st.lists(values | st.none() if draw(st.booleans()) else values, min_size=rows, max_size=rows))
    kind = draw(types)
    if not pa.types.is_dictionary(kind):
        return pa.array(found, kind)
    coded = pa.array(found, kind.value_type).dictionary_encode()
    return pa.DictionaryArray.from_arrays(coded.indices.cast(kind.index_type), coded.dictionary)


@st.composite
def times(draw: st.DrawFn, rows: int) -> tuple[pa.Array, list[Json]]:
    """Return a column of moments, and what they are in JSON: sent as text, with all their digits."""
    unit, per = draw(st.sampled_from([("s", 1), ("ms", 10**3), ("us", 10**6), ("ns", 10**9)]))
    near = st.integers(-2 * per, 2 * per) | st.integers(-(2**52), 2**52) | st.integers(0, per * 2**33)
    counts = draw(st.lists(near | st.none(), min_size=rows, max_size=rows))
    return pa.array(counts, pa.timestamp(unit, "UTC")), [None if c is None else c * 1000 // per for c in counts]


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, dict[str, Json], Kind]:
    """Return a batch as Arrow, and its fields."""
    kind, rows = draw(kinds), draw(st.integers(1, 6))
    own = {"model_id": draw(names)} | ({"model_version": draw(names)} if kind is Prediction else {})
    made: dict[str, pa.Array] = {"prediction_id": draw(arrays(rows, 7) | arrays(rows, 8) | arrays(rows))}
    fields: dict[str, Json] = {"rows": rows, **own}
    is_moment = draw(st.booleans())
    if is_moment:
        made["timestamp"], fields["timestamp"] = draw(times(rows))
    else:
        made["timestamp"] = draw(arrays(rows, 4) | arrays(rows))
    made["label" if kind is Label else "prediction"] = draw(arrays(rows))
    for name in draw(st.sets(st.sampled_from(["weight"] if kind is Label else ["score", "latency_ms"]))):
        made[name] = draw(arrays(rows, 0) | arrays(rows))
    if kind is Prediction:
        for name in GROUPS:
            for entry in draw(st.lists(names, max_size=2, unique=True)):
                made[f"{name}.{entry}"] = draw(arrays(rows))
    for name, column in made.items():
        group_, dot, entry = name.partition(".")
        if dot:
            fields.setdefault(group_, {})[entry] = column.to_pylist()
        elif name not in fields:
            fields[name] = column.to_pylist()
    table = pa.table(made).replace_schema_metadata(own)
    pieces = draw(st.integers(1, 3))
    return stream(table, pieces=pieces, emit_dictionary_deltas=draw(st.booleans())), fields, kind


@settings(max_examples=400)
@given(batch=tables())
def test_a_row_of_arrow_is_what_it_would_be_by_itself(batch: tuple[bytes, dict[str, Json], Kind]) -> None:
    raw, fields, kind = batch
    agrees(read_arrow(raw, kind), fields, kind)


@settings(max_examples=200)
@given(batch=tables(), data=st.data())
def test_of_arrow_that_was_damaged_nothing_comes_but_a_reason(
    batch: tuple[bytes, dict[str, Json], Kind], data: st.DataObject
) -> None:
    raw, _, kind = batch
    damaged = bytearray(raw)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    try:
        read = read_batch(FileRecord("t", 0, bytes(damaged), headers=ARROW_HEADERS), kind)
    except DecodeError:
        return
    assert read is not None
    list(read.events())


@given(raw=st.binary(max_size=200), kind=kinds)
@example(raw=b"", kind=Label)
@example(raw=b"\xff" * 100, kind=Label)
@example(raw=b'{"model_id":"m"}', kind=Label)
def test_other_bytes_are_no_arrow(raw: bytes, kind: Kind) -> None:
    assert reason_of(raw, kind) in {Reason.INVALID_ARROW, Reason.MISSING_FIELD}


def a_table(size: int = 2, /, **more: object) -> pa.Table:
    made = {
        "prediction_id": [f"p{n}" for n in range(size)],
        "timestamp": pa.array(range(size), pa.int64()),
        "prediction": pa.array([1] * size, pa.int8()),
        **more,
    }
    return pa.table(made).replace_schema_metadata({"model_id": "m", "model_version": "1"})


def test_what_makes_a_whole_table_unusable() -> None:
    read_arrow(stream(a_table()), Prediction)
    other = a_table()
    two = pa.table([*other.columns, other["prediction"]], [*other.column_names, "prediction"])
    naive = pa.array([0, 1], pa.timestamp("ms"))
    cases = [
        (other.replace_schema_metadata({"model_version": "1"}), Reason.MISSING_FIELD),
        (other.replace_schema_metadata({"model_id": "", "model_version": "1"}), Reason.EMPTY_NAME),
        (
            other.replace_schema_metadata({"model_id": "m", "model_version": "1", "schema_version": "2"}),
            Reason.UNKNOWN_SCHEMA_VERSION,
        ),
        (other.drop_columns(["timestamp"]), Reason.MISSING_FIELD),
        (a_table(colour=["red", "blue"]), Reason.UNKNOWN_FIELD),
        (a_table(features=["red", "blue"]), Reason.WRONG_TYPE),
        (a_table(model_id=["m", "m"]), Reason.UNKNOWN_FIELD),
        (a_table(rows=[2, 2]), Reason.UNKNOWN_FIELD),
        (a_table(**{"features.": [1, 2]}), Reason.EMPTY_NAME),
        (a_table(**{"features.f": [[1], [2]]}), Reason.WRONG_TYPE),
        (a_table(**{"features.f": pa.array([b"1", b"2"])}), Reason.WRONG_TYPE),
        (a_table(timestamp=naive), Reason.NAIVE_TIMESTAMP),
        (two.replace_schema_metadata(other.schema.metadata), Reason.DUPLICATE_KEY),
        (a_table(MAX_ROWS + 1), Reason.TOO_MANY_ROWS),
        (a_table(0), Reason.OUT_OF_RANGE),
    ]
    for table, reason in cases:
        assert reason_of(stream(table)) is reason, reason
    assert reason_of(stream(a_table()).ljust(MAX_ARROW_BYTES + 1)) is Reason.TOO_LARGE
    assert reason_of(stream(a_table(MAX_ROWS + 1), pieces=7)) is Reason.TOO_MANY_ROWS
    assert read_arrow(stream(a_table(MAX_ROWS), pieces=7), Prediction).rows == MAX_ROWS


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_a_table_that_would_grow_when_it_is_read_is_refused(codec: str) -> None:
    if not pa.Codec.is_available(codec):
        pytest.skip(f"this Arrow has no {codec}")
    bomb = a_table(**{"features.f": ["x" * 1_000_000] * 2})
    raw = stream(bomb, compression=codec)
    assert len(raw) < 100_000
    assert reason_of(raw) is Reason.INVALID_ARROW
    coded = a_table(**{"features.f": pa.array(["x" * 1_000_000] * 2).dictionary_encode()})
    assert reason_of(stream(coded, compression=codec)) is Reason.INVALID_ARROW


def test_text_that_many_rows_share_is_refused_unless_it_has_a_dictionary() -> None:
    rows = 9000
    text = "x" * 1000
    coded = pa.array([text]).dictionary_encode()
    shared = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int16()), coded.dictionary)
    raw = stream(a_table(rows, **{"features.f": shared}))
    assert len(raw) < 1_000_000
    assert isinstance(read_arrow(raw, Prediction).features["f"], Coded)
    # A view of 16 bytes for each row, all of them of one text.
    view = np.zeros(rows, np.dtype([("length", "<i4"), ("prefix", "S4"), ("buffer", "<i4"), ("offset", "<i4")]))
    view["length"], view["prefix"] = 1000, b"xxxx"
    views = pa.Array.from_buffers(
        pa.string_view(), rows, [None, pa.py_buffer(view.tobytes()), pa.py_buffer(text.encode())]
    )
    assert views[rows - 1].as_py() == text
    assert reason_of(stream(a_table(rows, **{"features.f": views}))) is Reason.TOO_LARGE


# -- of a record as a whole -------------------------------------------------------------------------------------------

GOOD = PLAIN | {"prediction": [0, 1]}
WHOLE: list[tuple[dict[str, Json], Reason]] = [
    ({"rows": 3}, Reason.UNEQUAL_COLUMNS),
    ({"rows": 0}, Reason.OUT_OF_RANGE),
    ({"rows": MAX_ROWS + 1}, Reason.TOO_MANY_ROWS),
    ({"rows": "2"}, Reason.WRONG_TYPE),
    ({"rows": True}, Reason.WRONG_TYPE),
    ({"rows": math.nan}, Reason.NON_FINITE),
    ({"rows": None}, Reason.WRONG_TYPE),
    ({"schema_version": 2, "rows": 0}, Reason.UNKNOWN_SCHEMA_VERSION),
    ({"model_id": ["m", "m"]}, Reason.WRONG_TYPE),
    ({"model_id": ""}, Reason.EMPTY_NAME),
    ({"prediction_id": "a"}, Reason.WRONG_TYPE),
    ({"prediction_id": {"a": 1, "b": 2}}, Reason.WRONG_TYPE),
    ({"prediction": [1]}, Reason.UNEQUAL_COLUMNS),
    ({"prediction": None}, Reason.WRONG_TYPE),
    ({"timestamp": "yesterday"}, Reason.INVALID_TIMESTAMP),
    ({"timestamp": None}, Reason.WRONG_TYPE),
    ({"timestamp": [1, 2, 3]}, Reason.UNEQUAL_COLUMNS),
    ({"score": 0.5}, Reason.WRONG_TYPE),
    ({"latency_ms": -1}, Reason.OUT_OF_RANGE),
    ({"latency_ms": "fast"}, Reason.WRONG_TYPE),
    ({"features": [1, 2]}, Reason.WRONG_TYPE),
    ({"features": {"": [1, 2]}}, Reason.EMPTY_NAME),
    ({"features": {"f": [1]}}, Reason.UNEQUAL_COLUMNS),
    ({"features": {"f": 1}}, Reason.WRONG_TYPE),
    ({"features": {str(n): [1, 2] for n in range(1001)}}, Reason.TOO_MANY_FEATURES),
    ({"segments": {str(n): [1, 2] for n in range(101)}}, Reason.TOO_MANY_ENTRIES),
    ({"colour": [1, 2]}, Reason.UNKNOWN_FIELD),
    ({"label": [1, 2]}, Reason.UNKNOWN_FIELD),
    ({"features": {"f": [1, json.loads("[" * 7 + "]" * 7)]}}, Reason.TOO_DEEP),
]


@pytest.mark.parametrize(("change", "reason"), WHOLE)
def test_what_makes_a_whole_batch_unusable(change: dict[str, Json], reason: Reason) -> None:
    with pytest.raises(DecodeError) as refusal:
        read_json(GOOD | change, Prediction)
    assert refusal.value.reason is reason
    with pytest.raises(DecodeError) as again:
        decode_batch(as_json(GOOD | change), PredictionBatch)
    assert str(again.value) == str(refusal.value).replace("PredictionColumns", "PredictionBatch")


def test_what_is_wrong_with_the_text_of_a_batch_is_wrong_with_all_of_it() -> None:
    text = as_json(GOOD)
    for raw, reason in [
        (text[:-1], Reason.INVALID_JSON),
        (text[:-1] + b',"rows":2}', Reason.DUPLICATE_KEY),
        (text.ljust(MAX_BYTES + 1), Reason.TOO_LARGE),
    ]:
        with pytest.raises(DecodeError) as refusal:
            read_batch(FileRecord("t", 0, raw), Prediction)
        assert refusal.value.reason is reason
    assert read_batch(FileRecord("t", 0, text.ljust(MAX_BYTES)), Prediction) is not None
    deep = GOOD | {"features": {"f": [1, json.loads("[" * 6 + "]" * 6)]}}
    agrees(read_json(deep, Prediction), deep, Prediction)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        b"rows",
        b'{"model_id":"m","prediction_id":"p","timestamp":0,"label":"rows"}',
        b'{"model_id":"m","model_version":"1","prediction_id":"p","timestamp":0,"prediction":1,"features":{"rows":1}}',
    ],
)
def test_other_records_are_no_batch(raw: bytes | None) -> None:
    assert read_batch(FileRecord("t", 0, raw, headers=(("content-type", b"application/json"),)), Prediction) is None


def test_the_field_that_makes_a_batch_may_be_written_with_an_escape() -> None:
    raw = as_json(GOOD).replace(b'"rows"', b'"r\\u006fws"')
    assert read_batch(FileRecord("t", 0, raw), Prediction) is not None


# -- columns ----------------------------------------------------------------------------------------------------------


@given(values=st.lists(st.none() | feature_values | st.floats() | st.integers(-(2**70), 2**70), min_size=1, max_size=6))
def test_a_column_of_a_feature_is_read_as_its_values_are(values: list[Json]) -> None:
    column, _ = checks.check_feature(listed(values))
    found, problems = numbers(column)
    expected = [read_number(value) for value in column.tolist()]
    assert same(found.tolist(), [number for _, number in expected])
    said = [0] * len(values) if problems is None else problems.tolist()
    assert said == [int(problem) for problem, _ in expected]


@given(values=st.lists(scalars | st.none(), min_size=1, max_size=8), data=st.data())
def test_rows_can_be_taken_of_every_form_of_column(values: list[Json], data: st.DataObject) -> None:
    rows = np.array(data.draw(st.lists(st.integers(0, len(values) - 1), max_size=8)), np.int64)
    coded, _ = checks.check_segment(Loose(values))
    for column in (listed(values), Loose(values), coded):
        assert same(column.tolist(), [column.item(row) for row in range(len(column))])
        assert same(column.take(rows).tolist(), [column.item(row) for row in rows.tolist()])


def test_rows_that_something_else_has_ruled_out_are_refused_with_what_is_wrong() -> None:
    batch = read_json(GOOD | {"rows": 3, "prediction_id": ["a", "", "c"], "prediction": [1, 2, 3]}, Prediction)
    late = batch.refuse(
        np.array([False, True]), lambda at: DecodeError(Reason.FUTURE_TIMESTAMP, batch.prediction_id[at])
    )
    assert [(r.row, r.error.reason) for r in late.refused()] == [(1, Reason.EMPTY_NAME), (2, Reason.FUTURE_TIMESTAMP)]
    assert late.prediction_id == ["a"]
    assert [type(event).__name__ for _, event in late.events()] == ["WirePrediction", "RefusedRow", "RefusedRow"]
    assert json.loads(list(late.refused())[1].value) == row_of(
        GOOD | {"prediction_id": ["a", "", "c"], "prediction": [1, 2, 3]}, 2
    )
    assert format_timestamp(0) == "1970-01-01T00:00:00.000Z"
