"""Exact sums: every weight and loss is an integer count of a tiny unit.

Adding integers never rounds and is associative. So a metric does not depend on the order of the records or on how they
were sharded, shards merge to exactly the sum of the whole stream, a billion records lose no digit, and nothing
overflows. In CPython such integers add in 20 to 55 ns, where floats take 11.

Examples
--------
>>> total = 10 * to_units(0.1)
>>> divide(total, ONE), sum([0.1] * 10)
(1.0, 0.9999999999999999)

"""

from __future__ import annotations

import math
from typing import Final

UNIT_BITS: Final = 100
"""The unit of weights and losses is ``2**-100``, 8e-31: below float64's own resolution for anything above 1e-15."""

ONE: Final = 1 << UNIT_BITS
"""A weight of 1."""

_MAX_PLAIN: Final = 1 << 53
"""JSON numbers above are not exact in most languages."""


def to_units(value: float) -> int:
    """Return `value` >= 0, finite, as a whole number of units."""
    numerator, denominator = value.as_integer_ratio()
    return (numerator << UNIT_BITS) // denominator


def weight_units(weight: float) -> int | None:
    """Return a weight in units; None if it is negative or not finite, and so no weight."""
    if weight == 1.0:
        return ONE
    if not 0.0 <= weight < math.inf:
        return None
    return to_units(weight)


def divide(numerator: int, denominator: int) -> float | None:
    """Return the correctly rounded quotient; None where it is undefined or beyond float64's range."""
    if denominator == 0:
        return None
    try:
        return numerator / denominator
    except OverflowError:
        return None


def dump(total: int, bits: int = UNIT_BITS) -> int | str:
    """Write an integer that counts units of ``2**-bits`` in short: as the number it stands for if that is a small
    integer, else as ``"<hexadecimal>:<zero bits>"``.

    Examples
    --------
    >>> dump(3 * ONE), dump(to_units(0.5)), load("1:99") == to_units(0.5)
    (3, '1:99', True)

    """  # noqa: D205 - the summary needs its second line
    whole = total >> bits
    if whole << bits == total and abs(whole) <= _MAX_PLAIN:
        return whole
    zeros = (total & -total).bit_length() - 1
    return f"{total >> zeros:x}:{zeros}"


def load(dumped: int | str, bits: int = UNIT_BITS) -> int:
    """Read what `dump` wrote with the same `bits`."""
    if isinstance(dumped, int):
        return dumped << bits
    mantissa, zeros = dumped.split(":")
    return int(mantissa, 16) << int(zeros)
