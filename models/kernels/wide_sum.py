"""Sums of doubles and of their products that never round, whatever their size.

U. Kulisch and W. Miranker, "The arithmetic of the digital computer: a new approach", SIAM Review 28, 1986: every double
is a whole number of the smallest one, ``2**-1074``, and every product of two a whole number of ``2**-2148``. So a sum
is a whole number as well, in the two's complement of enough words for ``2**62`` of the largest.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.models.kernels.types import Word

    Words = NDArray[np.uint64]

STEP_BITS: Final = 1074
ADDED, SUBTRACTED = False, True
_DIGITS: Final = 53
_MANTISSA: Final = float(1 << _DIGITS)

WIDE_SUM: Final = np.dtype((np.uint64, (34,)))
"""A field for a sum of doubles, and of differences of two, in units of ``2**-1074``."""

WIDE_SQUARES: Final = np.dtype((np.uint64, (67,)))
"""A field for a sum of products of two, in units of ``2**-2148``."""


@kernel
def split(number: float) -> tuple[bool, Word, int]:
    """Return whether a finite number is negative, and without its sign: a word, and how many places to the left."""
    fraction, exponent = math.frexp(abs(number))
    word = np.uint64(np.int64(fraction * _MANTISSA))
    shift = exponent - _DIGITS + STEP_BITS
    if shift < 0:  # less than normal: as many of its last bits are zero
        word >>= np.uint64(-shift)
        shift = 0
    return number < 0.0, word, shift


@kernel
def add(total: Words, sign: bool, high: Word, low: Word, shift: int) -> None:  # noqa: FBT001 - ADDED or SUBTRACTED
    """Add a number, or subtract it: two words, so many places to the left."""
    place, bits = shift >> 6, np.uint64(shift & 63)
    upper, rest = high, np.uint64(0)
    if bits != np.uint64(0):
        upper = high << bits | low >> (np.uint64(64) - bits)
        rest = high >> (np.uint64(64) - bits)
    if sign:
        _subtract_word(total, place, low << bits)
        _subtract_word(total, place + 1, upper)
        _subtract_word(total, place + 2, rest)
    else:
        _add_word(total, place, low << bits)
        _add_word(total, place + 1, upper)
        _add_word(total, place + 2, rest)


@kernel
def _add_word(total: Words, place: int, word: Word) -> None:
    if word == np.uint64(0):
        return
    total[place] += word
    carries = total[place] < word
    while carries and place + 1 < len(total):
        place += 1
        total[place] += np.uint64(1)
        carries = total[place] == np.uint64(0)


@kernel
def _subtract_word(total: Words, place: int, word: Word) -> None:
    if word == np.uint64(0):
        return
    borrows = total[place] < word
    total[place] -= word
    while borrows and place + 1 < len(total):
        place += 1
        borrows = total[place] == np.uint64(0)
        total[place] -= np.uint64(1)


@kernel
def merge(total: Words, other: Words) -> None:
    """Add another sum of the same kind."""
    carry = np.uint64(0)
    for place in range(len(total)):
        added = total[place] + carry
        carry = np.uint64(added < carry)
        total[place] = added + other[place]
        carry += np.uint64(total[place] < other[place])


def from_wide(words: Any) -> int:  # noqa: ANN401 - an array of words
    """Return the number of units.

    Examples
    --------
    >>> from_wide(np.array([5, 0], np.uint64)), from_wide(np.array([2**64 - 1, 2**64 - 1], np.uint64))
    (5, -1)

    """
    return int.from_bytes(np.asarray(words, "<u8").tobytes(), "little", signed=True)
