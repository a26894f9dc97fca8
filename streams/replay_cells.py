"""What stands in the cells of a table, as events have it."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable

_NAIVE: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:\.[0-9]+)?)?)?")
_MILLISECONDS: Final = re.compile(r"([0-9]{12,15})(?:\.0*)?")  # of fewer digits it may be seconds, or a day


def values_of(column: Any) -> list[Any]:  # noqa: ANN401 - of Arrow
    """Return what a column holds; moments as epoch milliseconds, those of no zone as of UTC."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", column.type.tz), safe=False).cast(pa.int64())
    values: list[Any] = column.to_pylist()
    return values


def can_be_feature(kind: Any) -> bool:  # noqa: ANN401 - a type of Arrow
    """Return whether a column of a type is a feature though nobody said so.

    Moments are none: they grow for ever.

    Examples
    --------
    >>> [can_be_feature(kind) for kind in (pa.float32(), pa.dictionary(pa.int8(), pa.string()), pa.timestamp("ms"))]
    [True, True, False]

    """
    if pa.types.is_dictionary(kind):
        return can_be_feature(kind.value_type)
    return any(is_one(kind) for is_one in _FEATURES)


_FEATURES: Final[tuple[Callable[[Any], bool], ...]] = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_boolean,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_null,
)


def plain(value: Any) -> Any:  # noqa: ANN401 - of a table
    """Return what an event can hold.

    Raises
    ------
    TypeError
        If it can hold nothing like it.

    """
    convert = _PLAIN.get(type(value))
    if convert is None:
        raise TypeError(type(value).__name__)
    return convert(value)


def as_text(value: Any) -> Any:  # noqa: ANN401 - a plain one
    """Return an id as text if it is a whole number; what else it is, is for the event to judge.

    Examples
    --------
    >>> as_text(7), as_text(7.0), as_text("007")
    ('7', '7', '007')

    """
    # pandas makes integers floats as soon as one is missing
    is_whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return str(int(value)) if is_whole else value


def as_moment(value: Any) -> Any:  # noqa: ANN401 - a plain one
    """Return a timestamp as events have it; what is none of a table's is left for the event to judge.

    Examples
    --------
    >>> as_moment("2026-11-23 04:00"), as_moment("2026-11-23"), as_moment(1795406400000.0)
    ('2026-11-23T04:00:00Z', '2026-11-23T00:00:00Z', 1795406400000)

    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str):
        return value
    # One cell that is wrong makes text of all numbers of a column of CSV.
    if number := _MILLISECONDS.fullmatch(value):
        return int(number[1])
    if moment := _NAIVE.fullmatch(value):
        day, minutes, seconds = moment.groups()
        return f"{day}T{minutes or '00:00'}{seconds or ':00'}Z"
    return value


def _same(value: Any) -> Any:  # noqa: ANN401 - of a table
    return value


def _number(value: Decimal) -> int | float:
    """Return an integer where one fits: of an id no digit may be lost."""
    return int(value) if value.as_tuple().exponent == 0 else float(value)


_PLAIN: Final[dict[type, Callable[[Any], Any]]] = {
    **dict.fromkeys((str, int, float, bool, type(None)), _same),
    Decimal: _number,
    date: date.isoformat,
}
