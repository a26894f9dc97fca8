"""What the contract says of single fields, for all rows at once.

Each function returns the column as the core has it, and in which rows it is wrong; None if in none. Why a row is wrong
is for `driftline.schemas.decoding` to say.
"""

from __future__ import annotations

import math
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic_core import PydanticCustomError

from driftline.models.batch.column import Coded, Column, Loose, Mask, Typed
from driftline.models.wire import milliseconds
from driftline.schemas.events import check_feature_values, segment_value
from driftline.schemas.fields import MAX_EPOCH_MS, MAX_INTEGER, MAX_NAME, MAX_NUMBER, MAX_STRING, parse_scalar

T = TypeVar("T")
Checked: TypeAlias = tuple[T, Mask | None]
Doubles: TypeAlias = npt.NDArray[np.float64]
Milliseconds: TypeAlias = npt.NDArray[np.int64]

_TEXTS: Final = frozenset({str, type(None)})
_NUMBERS: Final = frozenset({int, float, bool, type(None)})
_PLAIN: Final = frozenset({float, bool, type(None)})


def either(one: Mask | None, other: Mask | None) -> Mask | None:
    """Return where at least one of two is."""
    if one is None or other is None:
        return other if one is None else one
    return one | other


def _if_any(mask: Mask) -> Mask | None:
    return mask if mask.any() else None


def check_ids(column: Column) -> Checked[list[str]]:
    """Check the ids of predictions."""
    ids = column.tolist()
    if set(map(type, ids)) == {str} and min(map(len, ids)) > 0 and max(map(len, ids)) <= MAX_NAME:
        return ids, None
    return ids, _if_any(np.array([type(name) is not str or not 0 < len(name) <= MAX_NAME for name in ids]))


def check_times(column: Column) -> Checked[Milliseconds]:
    """Check moments, as epoch milliseconds or as RFC 3339 says them."""
    if isinstance(column, Typed) and column.values.dtype.kind in "iu":
        values = column.values
        bad = values > MAX_EPOCH_MS
        if values.dtype.kind == "i":
            bad |= values < 0
        if column.present is not None:
            bad |= ~column.present
        return values.astype(np.int64, copy=False), _if_any(bad)
    moments = [_moment(value) for value in column.tolist()]
    bad = np.array([moment is None for moment in moments])
    return np.array([moment or 0 for moment in moments], np.int64), _if_any(bad)


def _moment(value: object) -> int | None:
    if type(value) is int:
        moment = value
    elif type(value) is str:
        try:
            moment = milliseconds(value)
        except PydanticCustomError:
            return None
    else:
        return None
    return moment if 0 <= moment <= MAX_EPOCH_MS else None


def check_values(column: Column) -> Checked[Column]:
    """Check labels, or what was predicted."""
    if isinstance(column, Typed):
        values = column.values
        if values.dtype.kind == "f":
            bad = ~(np.abs(values) <= MAX_NUMBER)
        elif values.dtype.kind == "b":
            bad = np.zeros(len(values), np.bool_)
        else:
            bad = values > MAX_INTEGER
            if values.dtype.kind == "i":
                bad |= values < -MAX_INTEGER
        if column.present is not None:
            bad |= ~column.present
        return Typed(values), _if_any(bad)
    if isinstance(column, Coded):
        return column, _if_any((column.codes < 0) | _too_long(column))
    return column, _if_any(np.array([not is_value(value) for value in column.tolist()]))


def is_value(value: object) -> bool:
    """Return whether a value may be a label, or that of a segment."""
    try:
        parse_scalar(value)
    except PydanticCustomError:
        return False
    return True


def check_numbers(column: Column, most: float) -> Checked[Doubles]:
    """Check numbers from 0 to `most`, which need not be there: NaN is where there is none."""
    if isinstance(column, Typed) and column.values.dtype.kind != "b":
        values = column.values.astype(np.float64, copy=False)
        bad = ~((values >= 0) & (values <= most))
        if column.present is not None:
            bad &= column.present
            values = np.where(column.present, values, np.nan)
        return values, _if_any(bad)
    found = [_number(value, most) for value in column.tolist()]
    bad = np.array([number is None for number in found])
    return np.array([math.nan if number is None else number for number in found], np.float64), _if_any(bad)


def _number(value: object, most: float) -> float | None:
    """Return a number, NaN if there is none, None if that is wrong."""
    if value is None:
        return math.nan
    if type(value) is int or type(value) is float:
        return float(value) if 0 <= value <= most else None
    return None


def is_share(value: object) -> bool:
    """Return whether a value may be a probability."""
    return _number(value, 1) is not None


def check_feature(column: Column) -> Checked[Column]:
    """Check a feature, of which only strings can be wrong."""
    if isinstance(column, Typed):
        return column, None
    if isinstance(column, Coded):
        return column, _if_any(_too_long(column))
    values = column.tolist()
    if _PLAIN.issuperset(map(type, values)):
        return column, None
    checked = [_feature(value) for value in values]
    return Loose([value for value, _ in checked]), _if_any(np.array([is_bad for _, is_bad in checked]))


def _feature(value: Any) -> tuple[Any, bool]:  # noqa: ANN401 - anything
    kind = type(value)
    if kind is str:
        return value, len(value) > MAX_STRING
    if kind in _PLAIN or (kind is list and _NUMBERS.issuperset(map(type, value))):
        return value, False
    try:
        return check_feature_values({"": value})[""], False
    except PydanticCustomError:
        return None, True


def check_segment(column: Column) -> Checked[Coded]:
    """Check the values of an attribute, and make them the texts by which they are known."""
    if isinstance(column, Coded):
        return column, _if_any(_too_long(column))
    if isinstance(column, Loose) and _TEXTS.issuperset(map(type, column.values)):
        return check_segment(_coded(column.values))
    if isinstance(column, Typed):
        kinds, rows = np.unique(column.values, return_inverse=True)
        found, absent = kinds.tolist(), None if column.present is None else ~column.present
    else:
        # 1, 1.0 and True are one key to a dictionary, and not one text.
        places: dict[tuple[type, Any], int] = {}
        rows = np.array([places.setdefault(_key(value), len(places)) for value in column.tolist()])
        found, absent = [value for _, value in places], np.array([value is None for value in column.tolist()])
    codes: dict[str, int] = {}
    coded = np.array([_code(value, codes) for value in found], np.int64)[rows]
    bad = coded < 0
    if absent is not None:
        bad &= ~absent
        coded = np.where(absent, -1, coded)
    return Coded(coded, list(codes)), _if_any(bad)


def _coded(texts: list[str | None]) -> Coded:
    places: dict[str | None, int] = {
        text: place for place, text in enumerate(t for t in dict.fromkeys(texts) if t is not None)
    }
    places[None] = -1
    codes = np.fromiter(map(places.__getitem__, texts), np.int64, len(texts))
    return Coded(codes, [text for text in places if text is not None])


def _key(value: Any) -> tuple[type, Any]:  # noqa: ANN401 - anything
    kind = type(value)
    return (kind, value) if kind in {str, bool, int, float} else (type(None), None)


def _code(value: Any, codes: dict[str, int]) -> int:  # noqa: ANN401 - anything
    try:
        return codes.setdefault(segment_value(parse_scalar(value)), len(codes))
    except PydanticCustomError:
        return -1


def _too_long(column: Coded) -> Mask:
    chosen = [len(text) > MAX_STRING for text in column.texts]
    return column.where(chosen) if any(chosen) else np.zeros(len(column), np.bool_)
