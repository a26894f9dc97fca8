"""A number as JSON writes it, as the double that is nearest to it: what Python's float makes of the same text.

D. Lemire, "Number parsing at a gigabyte per second", Software: Practice and Experience 51, 2021: the digits as an
integer of 64 bits, times a power of ten of which 128 bits are at hand, are enough to tell but in a few cases in a
billion. What they are not enough for, and whatever has more than 19 digits, is for another to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.words import product

if TYPE_CHECKING:
    from driftline.models.kernels.types import Bytes, Word

INTEGER, FLOAT, OTHER = range(3)
"""What a text is: a number without a fraction and an exponent, one with either, and none or one that is not read."""

_MOST_DIGITS = 19  # fit into 64 bits
_EXACT = 22  # powers of ten up to here are doubles
_TAIL = np.uint64(0x1FF)  # the bits of the product that round the mantissa
_LEAST: Final = -342
_GREATEST: Final = 308


def _power(exponent: int) -> tuple[int, int]:
    """Return the 128 leading bits of a power of ten, those that follow cut off."""
    if exponent >= 0:
        power = 10**exponent
        shift = power.bit_length() - 128
        bits = power >> shift if shift >= 0 else power << -shift
    else:
        divisor = 10**-exponent
        bits = (1 << (divisor.bit_length() + 127)) // divisor
        bits >>= bits.bit_length() - 128
    return bits >> 64, bits & (2**64 - 1)


_POWERS: Final = np.array([_power(exponent) for exponent in range(_LEAST, _GREATEST + 1)], np.uint64)
_EXACT_POWERS: Final = np.array([10.0**exponent for exponent in range(_EXACT + 1)])


@kernel
def read(text: Bytes, at: int) -> tuple[int, int, float]:
    """Read a number from a place on: return what it is, where it ends, and its value."""
    place = at
    negative = text[place] == ord("-")
    place += negative
    first = place
    digits: Word = np.uint64(0)
    while ord("0") <= text[place] <= ord("9"):
        digits = digits * np.uint64(10) + np.uint64(text[place] - ord("0"))
        place += 1
    count = place - first
    if count == 0 or (text[first] == ord("0") and count > 1):
        return OTHER, at, 0.0
    exponent = 0
    kind = INTEGER
    if text[place] == ord("."):
        kind = FLOAT
        place += 1
        after = place
        while ord("0") <= text[place] <= ord("9"):
            digits = digits * np.uint64(10) + np.uint64(text[place] - ord("0"))
            place += 1
        exponent = after - place
        if exponent == 0:
            return OTHER, at, 0.0
        count -= exponent
        if text[first] == ord("0"):  # zeros that lead say nothing
            count -= 1
            while after < place and text[after] == ord("0"):
                after += 1
                count -= 1
    if text[place] == ord("e") or text[place] == ord("E"):
        kind = FLOAT
        place += 1
        below = text[place] == ord("-")
        place += below or text[place] == ord("+")
        after = place
        power = 0
        while ord("0") <= text[place] <= ord("9") and place - after < 6:  # noqa: PLR2004 - beyond any double
            power = 10 * power + text[place] - ord("0")
            place += 1
        if place == after:
            return OTHER, at, 0.0
        exponent += -power if below else power
    if count > _MOST_DIGITS:
        return OTHER, at, 0.0
    if kind == INTEGER:
        if digits > np.uint64(2**63 - 1):
            return OTHER, at, 0.0
        whole = np.float64(np.int64(digits))
        return INTEGER, place, -whole if negative and digits > 0 else whole
    if digits == 0:
        value, is_read = 0.0, True
    elif digits <= np.uint64(2**53) and -_EXACT <= exponent <= _EXACT:
        whole = np.float64(np.int64(digits))
        value = whole / _EXACT_POWERS[-exponent] if exponent < 0 else whole * _EXACT_POWERS[exponent]
        is_read = True
    else:
        value, is_read = _nearest(digits, exponent)
    return FLOAT if is_read else OTHER, place, -value if negative else value


@kernel
def _nearest(digits: Word, exponent: int) -> tuple[float, bool]:
    """Return the double nearest to digits times a power of ten, and whether that could be told."""
    if exponent < _LEAST or exponent > _GREATEST:
        return 0.0, False
    high_power, low_power = _POWERS[exponent - _LEAST, 0], _POWERS[exponent - _LEAST, 1]
    zeros = 0
    while digits >> np.uint64(63) == 0:
        digits <<= np.uint64(1)
        zeros += 1
    binary = ((217_706 * exponent) >> 16) + 64 + 1023 - zeros
    high, low = product(digits, high_power)
    if high & _TAIL == _TAIL and low + digits < digits:  # what was cut off may matter
        higher, lower = product(digits, low_power)
        merged = low + higher
        if merged < low:
            high += np.uint64(1)
        if high & _TAIL == _TAIL and merged + np.uint64(1) == 0 and lower + digits < digits:
            return 0.0, False
        low = merged
    top = high >> np.uint64(63)
    top_bit = 1 if top else 0
    mantissa = high >> (top + np.uint64(9))
    binary -= 1 - top_bit
    if low == 0 and high & _TAIL == 0 and mantissa & np.uint64(3) == 1:  # between two doubles
        return 0.0, False
    mantissa += mantissa & np.uint64(1)
    mantissa >>= np.uint64(1)
    if mantissa >> np.uint64(53):
        mantissa >>= np.uint64(1)
        binary += 1
    if binary < 1 or binary >= 0x7FF:  # noqa: PLR2004 - less than normal, or infinite
        return 0.0, False
    bits = np.empty(1, np.uint64)
    bits[0] = np.uint64(binary) << np.uint64(52) | (mantissa & np.uint64(0xFFFFFFFFFFFFF))
    return bits.view(np.float64)[0], True
