"""A batch as an Arrow IPC stream: a column is one of the table, named after its field or ``field.name``.

What comes is anybody's bytes. So buffers are checked before they are looked at, and nothing may become much larger than
it came: streams that are compressed inside are refused, and so is text that many rows share without a dictionary.

Source: Arrow columnar format 1.5, IPC streaming format; the layout of its messages is that of FlatBuffers.
"""

from __future__ import annotations

from struct import Struct, error
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import ipc, types

from driftline.models.batch.column import Coded, Column, Loose, Typed
from driftline.schemas.batches import GROUPS, MAX_ARROW_BYTES, MAX_ROWS
from driftline.schemas.errors import DecodeError, Reason
from driftline.schemas.fields import SHOWN

_OWN: Final = ("model_id", "model_version", "schema_version")
"""Fields that stand in the metadata of the schema."""

_MOST: Final = 2**63 - 1
_VIEW: Final = 4  # integers of 32 bits that a view has
_MS_PER_UNIT: Final = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 1_000_000)}
_UNREADABLE: Final = (pa.ArrowException, OSError, EOFError, ValueError, TypeError, MemoryError)

_OFFSET: Final = Struct("<I")
_BACK: Final = Struct("<i")
_SLOT: Final = Struct("<H")
_HEADER_TYPE, _HEADER = 1, 2  # fields of a message
_DICTIONARY, _RECORDS = 2, 3  # what its header may be
_DATA: Final = 1  # the records of a dictionary
_COMPRESSION: Final = 3  # a field of records


def read_arrow(raw: bytes) -> dict[str, Any]:
    """Return the fields of a batch, each column as a `Column`.

    Raises
    ------
    DecodeError
        And nothing else, whatever the bytes.

    """
    try:
        return _fields(_batch(raw))
    except _UNREADABLE as wrong:
        # Its own words could hold a part of a value.
        raise DecodeError(Reason.INVALID_ARROW, f"no Arrow IPC stream in good order ({type(wrong).__name__})") from None


def _batch(raw: bytes) -> pa.RecordBatch:
    if len(raw) > MAX_ARROW_BYTES:
        raise DecodeError(Reason.TOO_LARGE, f"more than {MAX_ARROW_BYTES} bytes")
    for message in ipc.MessageReader.open_stream(raw):
        if _is_compressed(message.metadata.to_pybytes()):
            raise DecodeError(Reason.INVALID_ARROW, "the stream is compressed inside; leave that to Kafka's producer")
    batches, rows = [], 0
    with ipc.open_stream(raw) as reader:
        for batch in reader:
            rows += batch.num_rows
            if rows > MAX_ROWS:
                raise DecodeError(Reason.TOO_MANY_ROWS, f"rows: must be at most {MAX_ROWS}")
            batch.validate(full=True)
            batches.append(batch)
        if len(batches) == 1:
            return batches[0]
        table = pa.Table.from_batches(batches, reader.schema).unify_dictionaries().combine_chunks()
    return (table.to_batches() or [pa.RecordBatch.from_pylist([], table.schema)])[0]


def _is_compressed(metadata: bytes) -> bool:
    """Tell of a message of a stream whether its buffers are compressed; its layout was checked when it was read."""
    try:
        message = _OFFSET.unpack_from(metadata)[0]
        kind_at, at = _field(metadata, message, _HEADER_TYPE), _field(metadata, message, _HEADER)
        kind = metadata[kind_at] if kind_at else 0
        if kind not in {_DICTIONARY, _RECORDS} or not at:
            return False
        header = at + _OFFSET.unpack_from(metadata, at)[0]
        if kind == _DICTIONARY:
            at = _field(metadata, header, _DATA)
            header = at + _OFFSET.unpack_from(metadata, at)[0]
        return _field(metadata, header, _COMPRESSION) != 0
    except (error, IndexError):
        raise DecodeError(Reason.INVALID_ARROW, "a message of the stream is damaged") from None


def _field(metadata: bytes, table: int, number: int) -> int:
    """Return where a field of a table of FlatBuffers stands; 0 if it is not there."""
    layout = table - _BACK.unpack_from(metadata, table)[0]
    slot = 4 + 2 * number
    if slot >= _SLOT.unpack_from(metadata, layout)[0]:
        return 0
    at: int = _SLOT.unpack_from(metadata, layout + slot)[0]
    return table + at if at else 0


def _fields(batch: pa.RecordBatch) -> dict[str, Any]:
    names = batch.schema.names
    if len(set(names)) != len(names):
        raise DecodeError(Reason.DUPLICATE_KEY, "the table has two columns of one name")
    fields: dict[str, Any] = {"rows": batch.num_rows}
    metadata = batch.schema.metadata or {}
    for name in _OWN:
        text = metadata.get(name.encode())
        if text is not None:
            fields[name] = text.decode()
    if fields.get("schema_version", "").isdecimal():
        fields["schema_version"] = int(fields["schema_version"][:SHOWN])
    left = MAX_ARROW_BYTES
    for name, column in zip(names, batch.columns, strict=True):
        group, dot, entry = name.partition(".")
        if name in _OWN or name == "rows":  # or a table would say that it has as many rows as it likes
            raise DecodeError(Reason.UNKNOWN_FIELD, f"{name!a} belongs into the metadata of the schema")
        left -= _shared(column)
        if left < 0:
            raise DecodeError(Reason.TOO_LARGE, f"more than {MAX_ARROW_BYTES} bytes of text that rows share")
        if dot and group in GROUPS:
            fields.setdefault(group, {})[entry] = _column(f"{group}[{entry[:SHOWN]!a}]", column)
        else:
            fields[name] = _column(name[:SHOWN], column)
    return fields


def _shared(column: pa.Array) -> int:
    """Return the bytes of strings that may be parts of the same bytes: of views, which begin with their length."""
    values = column.dictionary if types.is_dictionary(column.type) else column
    if not types.is_string_view(values.type) or not len(values):
        return 0
    start = values.offset
    lengths = np.frombuffer(values.buffers()[1], np.int32)[::_VIEW][start : start + len(values)]
    if values.null_count:
        lengths = lengths[values.is_valid().to_numpy(zero_copy_only=False)]
    return int(lengths.sum(dtype=np.int64))


def _column(name: str, column: pa.Array) -> Column:
    kind = column.type
    if types.is_dictionary(kind):
        if _is_text(kind.value_type):
            return _coded(column)
        column, kind = column.dictionary_decode(), kind.value_type
    if _is_text(kind):
        return Loose(column.to_pylist()) if name == "prediction_id" else _coded(column.dictionary_encode())
    if types.is_null(kind):
        return Loose([None] * len(column))
    if types.is_timestamp(kind) and name == "timestamp":
        return _times(column)
    present = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None
    if types.is_boolean(kind):
        filled = column if present is None else column.fill_null(False)  # noqa: FBT003 - Arrow's signature
        return Typed(filled.to_numpy(zero_copy_only=False), present)
    if types.is_floating(kind):
        filled = column.cast(pa.float64())
    elif types.is_integer(kind):
        filled = column if types.is_uint64(kind) else column.cast(pa.int64())
    else:
        raise DecodeError(
            Reason.WRONG_TYPE, f"{name}: Arrow's type {str(kind)[:SHOWN]!a} is none of those that are read"
        )
    return Typed((filled if present is None else filled.fill_null(0)).to_numpy(), present)


def _is_text(kind: pa.DataType) -> bool:
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _coded(column: pa.DictionaryArray) -> Coded:
    texts = column.dictionary.to_pylist()
    indices = column.indices.cast(pa.int64())
    codes = (indices.fill_null(-1) if indices.null_count else indices).to_numpy()
    if None not in texts and len(set(texts)) == len(texts):
        return Coded(codes, texts)
    distinct: dict[str, int] = {}
    found = [-1 if text is None else distinct.setdefault(text, len(distinct)) for text in texts]
    return Coded(np.array([*found, -1], np.int64)[codes], list(distinct))


def _times(column: pa.TimestampArray) -> Typed:
    if column.type.tz is None:
        raise DecodeError(Reason.NAIVE_TIMESTAMP, "timestamp: Arrow's type needs a time zone: UTC or another")
    present = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None
    counts = column.cast(pa.int64())
    values = (counts if present is None else counts.fill_null(0)).to_numpy()
    factor, divisor = _MS_PER_UNIT[column.type.unit]
    # Seconds that are too many for milliseconds are too many anyway.
    return Typed(np.clip(values, -_MOST // factor, _MOST // factor) * factor // divisor, present)
