"""Columns as a service has them, lists, arrays or tables of any library, as lists of plain values.

No library is imported for it: what an object can do tells what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sized
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from driftline.schemas.errors import DecodeError, Reason
from driftline.schemas.fields import SHOWN

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_MISSING: Final = frozenset({"NAType", "NaTType"})  # what pandas has in the place of a value
_LISTING: Final = ("to_pylist", "to_list", "tolist")  # of Arrow, polars, and both numpy and pandas


def is_column(value: object) -> bool:
    """Return whether a value is a column and not one value for all rows."""
    if isinstance(value, str | bytes | Mapping):
        return False
    if getattr(value, "ndim", None) == 0:
        return False
    return isinstance(value, Sized) or hasattr(value, "__array__") or hasattr(value, "__arrow_c_stream__")


def as_list(name: str, column: Any) -> list[Any]:  # noqa: ANN401 - of any library
    """Return a column's values, None where there is none. NaN among numbers is a number.

    Raises
    ------
    DecodeError
        If it is no column.

    Examples
    --------
    >>> as_list("score", (0.5, None))
    [0.5, None]

    """
    if not is_column(column):
        raise DecodeError(Reason.WRONG_TYPE, f"{name}: must be a column: a list, an array, a series")
    values = _listed(column)
    kinds = set(map(type, values))
    if any(kind.__name__ in _MISSING for kind in kinds):
        values = [None if type(value).__name__ in _MISSING else value for value in values]
    if float in kinds and kinds & {str, bool} and all(_is_nan(value) for value in values if type(value) is float):
        values = [None if type(value) is float else value for value in values]  # as pandas has it among strings
    return values


def _is_nan(value: float) -> bool:
    return value != value  # noqa: PLR0124 - NaN is what differs from itself


def _listed(column: Any) -> list[Any]:  # noqa: ANN401 - as above
    for method in _LISTING:
        if callable(lists := getattr(column, method, None)):
            return list(lists())
    if hasattr(column, "__array__"):
        return list(column.__array__().tolist())
    if hasattr(column, "__arrow_c_stream__"):
        import pyarrow as pa  # noqa: PLC0415 - whoever has Arrow's interface need not have this; then it says so

        return list(pa.chunked_array(column).to_pylist())
    return list(column)


def as_times(times: Any) -> Any:  # noqa: ANN401 - a column or one
    """Return moments, in a column or one for all rows: a `datetime` as epoch milliseconds, others as they are.

    Raises
    ------
    DecodeError
        If a moment has no time zone.

    Examples
    --------
    >>> as_times(datetime(2026, 11, 23, 4, tzinfo=UTC)), as_times([0, "2026-11-23T04:00:00Z"])
    (1795406400000, [0, '2026-11-23T04:00:00Z'])

    """
    if not is_column(times):
        return _milliseconds(times)
    values = as_list("timestamp", times)
    if getattr(getattr(times, "dtype", None), "kind", None) == "M" and any(type(value) is int for value in values):
        raise _naive()  # numpy lists the finer ones as numbers of their own unit
    return [_milliseconds(value) for value in values]


def _milliseconds(value: Any) -> Any:  # noqa: ANN401 - a moment, or what the contract may refuse
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise _naive()
    return (value - _EPOCH) // _MILLISECOND


def _naive() -> DecodeError:
    return DecodeError(Reason.NAIVE_TIMESTAMP, "timestamp: needs a time zone, or send integer epoch milliseconds")


def as_table(name: str, table: Any) -> dict[Any, list[Any]]:  # noqa: ANN401 - of any library
    """Return the columns of a table by name: of a mapping, a data frame, or an Arrow table.

    Raises
    ------
    DecodeError
        If it is no table.

    Examples
    --------
    >>> as_table("features", {"amount": (12.5, 3), "country": ["PT", None]})
    {'amount': [12.5, 3], 'country': ['PT', None]}

    """
    if not isinstance(table, Mapping) and not hasattr(table, "columns") and hasattr(table, "__arrow_c_stream__"):
        import pyarrow as pa  # noqa: PLC0415 - as above

        table = pa.table(table)
    names = getattr(table, "column_names", None)
    if names is None:
        names = table.keys() if isinstance(table, Mapping) else getattr(table, "columns", None)
    if names is None or callable(names):
        raise DecodeError(Reason.WRONG_TYPE, f"{name}: must be columns by name: a dict, a data frame, an Arrow table")
    return {entry: as_list(f"{name}[{str(entry)[:SHOWN]!a}]", table[entry]) for entry in list(names)}
