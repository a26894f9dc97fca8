"""A column of a batch, in the one of three forms that fits what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from driftline.models.watch.quality import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

Mask: TypeAlias = npt.NDArray[np.bool_]
Places: TypeAlias = npt.NDArray[np.int64]


class Column(Protocol):
    """The values of a field, row by row; None is where there is none."""

    def __len__(self) -> int:
        """Return how many rows there are."""

    def tolist(self) -> list[Any]:
        """Return the values as Python has them."""

    def item(self, row: int) -> Any:  # noqa: ANN401 - whatever it holds
        """Return the value of one row."""

    def take(self, rows: Places) -> Column:
        """Return the column of some rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Typed:
    """Numbers of one type, or booleans.

    Parameters
    ----------
    values
        Of type float64, int64, uint64 or bool; where there is none, anything.
    present
        Where there is a value; None if everywhere.

    Examples
    --------
    >>> column = Typed(np.array([0.5, 1.5]), np.array([True, False]))
    >>> column.tolist(), column.take(np.array([0])).tolist()
    ([0.5, None], [0.5])

    """

    values: npt.NDArray[Any]
    present: Mask | None = None

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.values)

    def tolist(self) -> list[Any]:
        """Return the values as Python has them."""
        listed: list[Any] = self.values.tolist()
        if self.present is None:
            return listed
        return [value if there else None for value, there in zip(listed, self.present.tolist(), strict=True)]

    def item(self, row: int) -> Any:  # noqa: ANN401 - a number or a boolean
        """Return the value of one row."""
        return self.values[row].item() if self.present is None or self.present[row] else None

    def take(self, rows: Places) -> Typed:
        """Return the column of some rows."""
        return Typed(self.values[rows], None if self.present is None else self.present[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """Strings of which many are the same: each is an index into the list of those that there are.

    Parameters
    ----------
    codes
        Of type int32 or int64, from 0; -1 where there is no string.
    texts
        The strings. Some may be in no row.

    Examples
    --------
    >>> Coded(np.array([1, -1, 0, 1]), ["eu", "us"]).tolist()
    ['us', None, 'eu', 'us']

    """

    codes: npt.NDArray[np.signedinteger[Any]]
    texts: list[str]

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.codes)

    def tolist(self) -> list[Any]:
        """Return the values as Python has them."""
        texts = [*self.texts, None]  # which is where -1 leads
        return [texts[code] for code in self.codes.tolist()]

    def item(self, row: int) -> str | None:
        """Return the value of one row."""
        code = int(self.codes[row])
        return None if code < 0 else self.texts[code]

    def take(self, rows: Places) -> Coded:
        """Return the column of some rows."""
        return Coded(self.codes[rows], self.texts)

    def where(self, chosen: Sequence[bool]) -> Mask:
        """Return the rows whose string is one of those that were chosen, string by string."""
        rows: Mask = np.array([*chosen, False])[self.codes]
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class Loose:
    """Whatever JSON can hold, mixed."""

    values: list[Any]

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.values)

    def tolist(self) -> list[Any]:
        """Return the values as Python has them."""
        return self.values

    def item(self, row: int) -> Any:  # noqa: ANN401 - anything
        """Return the value of one row."""
        return self.values[row]

    def take(self, rows: Places) -> Loose:
        """Return the column of some rows."""
        return Loose([self.values[row] for row in rows.tolist()])


_NUMBERS = frozenset({int, float})


def listed(values: list[Any]) -> Column:
    """Return the column of a list, typed if all that it holds is of one type.

    Examples
    --------
    >>> [type(listed(values)).__name__ for values in ([1.5, None], [True], [1, 2], [1, 2.5], ["a"], [None])]
    ['Typed', 'Typed', 'Typed', 'Loose', 'Loose', 'Loose']

    """
    kinds = set(map(type, values))
    kinds.discard(type(None))
    if len(kinds) != 1 or not kinds <= {float, int, bool}:
        return Loose(values)
    (kind,) = kinds
    present: Mask | None = None
    if None in values:
        present = np.array([value is not None for value in values])
        values_ = [kind() if value is None else value for value in values]
    else:
        values_ = values
    try:
        return Typed(np.array(values_, {float: np.float64, int: np.int64, bool: np.bool_}[kind]), present)
    except OverflowError:  # an integer beyond 64 bits
        return Loose(values)


def numbers(column: Column) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8] | None]:
    """Return a feature's column as `read_number` reads it value by value.

    Returns
    -------
    tuple
        The numbers, NaN where there is none, and what each value is (`Problem`); None in its place if all are fine.

    Examples
    --------
    >>> numbers(listed([1, 2.5, "3", None, True]))
    (array([1. , 2.5, nan, nan, nan]), array([0, 0, 2, 1, 2], dtype=uint8))

    """
    rows = len(column)
    if isinstance(column, Typed) and column.values.dtype != np.bool_:
        values = column.values.astype(np.float64, copy=False)
        if column.present is None:
            return values, None
        return np.where(column.present, values, np.nan), np.where(column.present, Problem.FINE, Problem.MISSING).astype(
            np.uint8
        )
    if isinstance(column, Loose):
        kinds = list(map(type, column.values))
        if _NUMBERS.issuperset(kinds):
            return np.array(column.values, np.float64), None
        fine = [kind in _NUMBERS for kind in kinds]
        found = [value if is_fine else np.nan for value, is_fine in zip(column.values, fine, strict=True)]
        missing = [value is None for value in column.values]
        return np.array(found, np.float64), _problems(np.array(fine), np.array(missing))
    absent = column.codes < 0 if isinstance(column, Coded) else _absent(column)
    return np.full(rows, np.nan), _problems(np.zeros(rows, np.bool_), absent)


def _absent(column: Column) -> Mask:
    if isinstance(column, Typed):
        return np.zeros(len(column), np.bool_) if column.present is None else ~column.present
    return np.array([value is None for value in column.tolist()])


def _problems(fine: Mask, missing: Mask) -> npt.NDArray[np.uint8]:
    worse = np.where(missing, Problem.MISSING, Problem.WRONG_TYPE)
    return np.where(fine, Problem.FINE, worse).astype(np.uint8)
