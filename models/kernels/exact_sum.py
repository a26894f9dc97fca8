"""Exact sums of losses: fixed point in units of ``2**-100``, which is what `driftline.models.performance.exact` counts.

A sum is three 64-bit words: the whole, then twice 50 binary places. Adding never rounds, so neither the order of the
additions nor how they were cut into shards shows in a sum. The first word holds ``2**57`` additions of the largest
loss of a probability (36.05).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

Words: TypeAlias = tuple[int, int, int]

EXACT_SUM: Final = np.dtype((np.int64, (3,)))
"""A field for one sum."""

EPSILON: Final = 2.0**-52
"""Probabilities are clipped to [EPSILON, 1 - EPSILON] before the logarithm, as scikit-learn does for float64."""

_BITS: Final = 50  # of a word below the first: one of these times 2**50 is exact in a float64
_SCALE: Final = float(1 << _BITS)
_MASK: Final = (1 << _BITS) - 1


@kernel
def split(loss: float) -> Words:
    """Return the words of a loss in [0, 2**53), cut off below the last: ``int(loss * 2**100)``."""
    # Each step is exact: a power of two, or what is left of a float after its highest digits.
    whole = int(loss)
    rest = (loss - whole) * _SCALE
    high = int(rest)
    return whole, high, int((rest - high) * _SCALE)


@kernel
def log_loss(probability: float) -> Words:
    """Return the words of the loss where the true class was given this probability, in [0, 1]."""
    return split(-math.log(min(max(probability, EPSILON), 1.0 - EPSILON)))


@kernel
def add(total: NDArray[np.int64], words: Words) -> None:
    """Add the words of one number, or of one sum, to a sum."""
    low = total[2] + words[2]
    high = total[1] + words[1] + (low >> _BITS)
    total[0] += words[0] + (high >> _BITS)
    total[1] = high & _MASK
    total[2] = low & _MASK


def to_words(units: int) -> Words:
    """Return the words of a whole number of units, at least 0 and less than ``2**163``."""
    return units >> 2 * _BITS, units >> _BITS & _MASK, units & _MASK


def from_words(words: Iterable[int]) -> int:
    """Return the number of units.

    Examples
    --------
    >>> from_words(to_words(3 << 99)) == 3 << 99
    True

    """
    units = 0
    for word in words:
        units = (units << _BITS) + int(word)
    return units
