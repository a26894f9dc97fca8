"""Batches as records: checked, cut to the size that Kafka takes, and written as Arrow where that can be."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, TypeVar

from driftline.client.columns import as_list, as_table, as_times, is_column
from driftline.schemas.batches import (
    ARROW,
    CONTENT_TYPE,
    GROUPS,
    MAX_ROWS,
    LabelBatch,
    PredictionBatch,
    decode_batch,
    encode_batch,
)
from driftline.schemas.decoding import MAX_BYTES, MAX_DEPTH, validate
from driftline.schemas.errors import DecodeError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Batch: TypeAlias = PredictionBatch | LabelBatch
E = TypeVar("E")
Headers: TypeAlias = tuple[tuple[str, bytes | None], ...]

_ARROW_HEADERS: Final[Headers] = ((CONTENT_TYPE, ARROW.encode()),)
_SHARED: Final = frozenset({"schema_version", "model_id", "model_version", "rows"})
_SCALARS: Final = frozenset({str, bool, int, float, type(None)})


class Encoded(NamedTuple):
    """The value and the headers of a record."""

    value: bytes
    headers: Headers


def records(into: type[Batch], columns: dict[str, Any]) -> list[Encoded]:
    """Return the records that a batch of any size takes.

    Parameters
    ----------
    into
        `PredictionBatch` or `LabelBatch`.
    columns
        Its fields but for `rows`; columns and tables may be of any library. None is a field that is absent.

    Raises
    ------
    DecodeError
        If the worker would refuse anything of it.

    Examples
    --------
    >>> columns = {"model_id": "m", "prediction_id": ("a", "b"), "timestamp": 0}
    >>> records(LabelBatch, columns | {"label": [1, None]})
    Traceback (most recent call last):
    driftline.schemas.errors.DecodeError: wrong_type: label['1']: must be a string, a number or a boolean
    >>> records(LabelBatch, columns | {"label": [1, "?"]})[0].value
    b'{"schema_version":1,"model_id":"m","rows":2,"prediction_id":["a","b"],"timestamp":0,"label":[1,"?"]}'

    """
    fields = _plain(columns)
    if "prediction_id" not in fields:  # by which rows are counted
        raise DecodeError(Reason.MISSING_FIELD, "prediction_id: is missing")
    size = len(fields["prediction_id"])
    for name, column in _columns(fields):  # before it is cut, since then it would be one of the parts
        if len(column) != size:
            raise DecodeError(Reason.UNEQUAL_COLUMNS, f"{name}: has {len(column)} values, and there are {size} rows")
    found: list[Encoded] = []
    for start in range(0, size, MAX_ROWS):
        batch = validate(_cut(fields, start, min(start + MAX_ROWS, size)), into)
        found += _encoded(batch)
    return found


def _plain(columns: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in columns.items():
        if value is None:
            continue
        if name in GROUPS:
            fields[name] = as_table(name, value)
        elif name == "timestamp":
            fields[name] = as_times(value)
        elif name in _SHARED or (name == "latency_ms" and not is_column(value)):
            fields[name] = value
        else:
            fields[name] = as_list(name, value)
    return fields


def _columns(fields: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yield all columns, with the names that they have in an Arrow table."""
    for name, value in fields.items():
        if name in GROUPS:
            yield from ((f"{name}.{entry}", column) for entry, column in value.items())
        elif isinstance(value, list):
            yield name, value


def _cut(fields: dict[str, Any], start: int, end: int) -> dict[str, Any]:
    """Return the rows from `start` up to `end`."""
    part: dict[str, Any] = {"rows": end - start}
    for name, value in fields.items():
        if name in GROUPS:
            part[name] = {entry: column[start:end] for entry, column in value.items()}
        elif isinstance(value, list):
            part[name] = value[start:end]
        elif name != "rows":
            part[name] = value
    return part


def _encoded(batch: Batch) -> list[Encoded]:
    """Return the records of a batch, which is halved until each of them is small enough."""
    encoded = _arrow(batch) or _json(batch)
    if len(encoded.value) <= MAX_BYTES:
        return [encoded]
    if batch.rows == 1:
        raise DecodeError(Reason.TOO_LARGE, f"a row of {len(encoded.value)} bytes, at most {MAX_BYTES} are sent")
    middle, fields = batch.rows // 2, dict(batch)
    halves = (type(batch).model_construct(**_cut(fields, *part)) for part in ((0, middle), (middle, batch.rows)))
    return [record for half in halves for record in _encoded(half)]


def as_json(encode: Callable[[E], bytes], event: E) -> bytes:
    """Return what `encode` writes of an event or a batch.

    Raises
    ------
    DecodeError
        If it cannot be written as JSON.

    """
    try:
        return encode(event)
    except RecursionError:
        raise DecodeError(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH}") from None
    except (TypeError, ValueError) as error:
        # The text of a Unicode error holds the character: a part of a value.
        why = error.reason if isinstance(error, UnicodeEncodeError) else error
        what = "a value cannot be written as JSON; send strings, numbers, booleans or null"
        raise DecodeError(Reason.WRONG_TYPE, f"{what} ({why})") from None


def _json(batch: Batch) -> Encoded:
    value = as_json(encode_batch, batch)
    if isinstance(batch, PredictionBatch) and len(value) <= MAX_BYTES:
        # What is no scalar was not looked into when the batch was checked: the worker would be the first to.
        kinds = {kind for column in batch.features.values() for kind in set(map(type, column))}
        if not kinds <= _SCALARS:
            decode_batch(value, PredictionBatch)
    return Encoded(value, ())


@cache
def _pyarrow() -> Any:  # noqa: ANN401 - a module, if it is installed
    return import_module("pyarrow") if find_spec("pyarrow") is not None else None


def _arrow(batch: Batch) -> Encoded | None:
    """Return a batch as an Arrow stream; None without Arrow, and if a column mixes types, or has what Arrow has not."""
    pa = _pyarrow()
    if pa is None:
        return None
    arrays = {}
    fields = dict(batch)
    for name in ("timestamp", "latency_ms"):  # one value for all rows
        if isinstance(fields.get(name), int | float):
            fields[name] = [fields[name]] * batch.rows
    for name, column in _columns(fields):
        array = _array(pa, column, is_coded=name != "prediction_id")
        if array is None:
            return None
        arrays[name] = array
    metadata = {name: str(value) for name, value in fields.items() if name in _SHARED - {"rows"}}
    table = pa.record_batch(arrays).replace_schema_metadata(metadata)
    sink = pa.BufferOutputStream()
    with import_module("pyarrow.ipc").new_stream(sink, table.schema) as writer:
        writer.write_batch(table)
    return Encoded(sink.getvalue().to_pybytes(), _ARROW_HEADERS)


def _array(pa: Any, column: list[Any], *, is_coded: bool) -> Any:  # noqa: ANN401 - an Arrow array, or None
    kinds = set(map(type, column)) - {type(None)}
    if len(kinds) > 1:
        return None
    types = {float: pa.float64(), int: pa.int64(), bool: pa.bool_(), str: pa.string()}
    kind = kinds.pop() if kinds else None
    if kind is None:
        return pa.nulls(len(column))
    if kind not in types:
        return None
    try:
        array = pa.array(column, types[kind])
    except (ValueError, TypeError, OverflowError):  # an integer beyond 64 bits, a text that is no Unicode
        return None
    return array.dictionary_encode() if is_coded and kind is str else array
