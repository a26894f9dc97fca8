"""What is wrong with single feature values, told before any statistic sees them."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from driftline.schemas.config import FeatureConfig

_LARGEST: Final = 1e100  # squares and products of what is smaller stay finite


class Problem(IntEnum):
    """What a value is; `name.lower()` is its name in the state document."""

    FINE = 0
    MISSING = 1
    WRONG_TYPE = 2
    NON_FINITE = 3
    OUT_OF_RANGE = 4
    UNSEEN = 5


class Absent:
    """The value of a feature that an event does not have."""


def read_number(value: object, config: FeatureConfig) -> tuple[Problem, float | None]:
    """Return what is wrong with a numeric feature's value, and the number if it is one.

    A number out of the configured range is still a number. Beyond 1e100 it counts as not finite.

    Examples
    --------
    >>> from driftline.schemas.config import FeatureConfig
    >>> read_number(-3, FeatureConfig(min=0))
    (<Problem.OUT_OF_RANGE: 4>, -3.0)
    >>> read_number("12.5", FeatureConfig())
    (<Problem.WRONG_TYPE: 2>, None)

    """
    number = finite_number(value)
    if number is None:
        return _why_no_number(value), None
    if (config.min is not None and number < config.min) or (config.max is not None and number > config.max):
        return Problem.OUT_OF_RANGE, number
    return Problem.FINE, number


def finite_number(value: object) -> float | None:
    """Return a feature's value as a number within 1e100 of 0; None if it is anything else.

    Examples
    --------
    >>> [finite_number(value) for value in (3, 2.5, True, "3", float("nan"), 10**400)]
    [3.0, 2.5, None, None, None, None]

    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if -_LARGEST <= value <= _LARGEST else None  # NaN is in no interval


def _why_no_number(value: object) -> Problem:
    if value is None or value is Absent:
        return Problem.MISSING
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Problem.WRONG_TYPE
    return Problem.NON_FINITE


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
