"""What is wrong with single feature values, told before any statistic sees them."""

from __future__ import annotations

import math
from enum import IntEnum

from driftline.models.kernels import feature as kernels


class Problem(IntEnum):
    """What a value is; `name.lower()` is its name in the state document."""

    FINE = kernels.FINE
    MISSING = kernels.MISSING
    WRONG_TYPE = kernels.WRONG_TYPE
    NON_FINITE = kernels.NON_FINITE
    OUT_OF_RANGE = kernels.OUT_OF_RANGE
    UNSEEN = kernels.UNSEEN


class Absent:
    """The value of a feature that an event does not have."""


def read_number(value: object) -> tuple[Problem, float]:
    """Return what is wrong with a numeric feature's value as it is, and the number that it is, NaN if it is none.

    What is wrong with a number by itself is for the kernel to tell: out of the configured range it is still a number,
    and beyond 1e100 or NaN it is none.

    Examples
    --------
    >>> read_number(-3), read_number("12.5"), read_number(None)
    ((<Problem.FINE: 0>, -3.0), (<Problem.WRONG_TYPE: 2>, nan), (<Problem.MISSING: 1>, nan))

    """
    if value is None or value is Absent:
        return Problem.MISSING, math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Problem.WRONG_TYPE, math.nan
    try:
        return Problem.FINE, float(value)
    except OverflowError:
        return Problem.NON_FINITE, math.nan


def finite_number(value: object) -> float | None:
    """Return a feature's value as a number within 1e100 of 0; None if it is anything else.

    Examples
    --------
    >>> [finite_number(value) for value in (3, 2.5, True, "3", float("nan"), 1e101)]
    [3.0, 2.5, None, None, None, None]

    """
    _, number = read_number(value)
    return number if -kernels.LARGEST <= number <= kernels.LARGEST else None


def read_category(value: object) -> tuple[Problem, str | None]:
    """Return what is wrong with a categorical feature's value, and the category's name.

    Examples
    --------
    >>> read_category(True), read_category([])
    ((<Problem.FINE: 0>, 'true'), (<Problem.WRONG_TYPE: 2>, None))

    """
    if isinstance(value, str):
        return Problem.FINE, value
    if value is None or value is Absent:
        return Problem.MISSING, None
    if isinstance(value, bool):
        return Problem.FINE, "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return Problem.NON_FINITE, None
    if isinstance(value, int | float):
        return Problem.FINE, f"{value:.15g}" if isinstance(value, float) else str(value)
    return Problem.WRONG_TYPE, None
