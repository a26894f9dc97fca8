"""ADWIN over small whole numbers, 32 values at a time, for streams of several windows of which all grow alike.

It decides as `driftline.models.kernels.adwin` does, and so as River's ADWIN, at every value, and holds the same sums to
the last bit, in a quarter of the time and half of the room:

- At the 32nd value only are cuts tried, so it takes values when there are 32.
- Values are whole numbers of a unit, and buckets hold whole sums: of the values, and of their squares where those do
  not follow from them. The variance of a bucket that ADWIN merges step by step in floats is the same: no step rounds.
- What stands at a cut is compared in whole numbers first, without a root or a quotient; where that leaves any doubt,
  it is compared as ADWIN does it.
- The windows of a stream have buckets of the same sizes, so these are counted once.

Windows hold 1.3 million values at most: the largest buckets are of 2^17.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.scratch import doubles, wholes

if TYPE_CHECKING:
    import numpy.typing as npt

    from driftline.models.kernels.types import Integers, Record

ROWS: Final = 18
BUCKETS: Final = 5  # of a row
MOST: Final = BUCKETS * (2**ROWS - 1)
"""Values of a window."""

CLOCK: Final = 32
"""Values that are taken at a time."""

SHAPE: Final = np.dtype([("width", np.int64), ("used", np.int32), ("counts", np.int8, ROWS)], align=True)
"""How many values the windows of a stream hold, and how many buckets each row has; those of row k are of 2^k values."""

_TOTAL_BITS: Final = 27
_TOTAL: Final = 2**_TOTAL_BITS - 1


def layout(sums: type[np.integer]) -> np.dtype[np.void]:
    """Return the layout of a window: sum and variance times width of its values, and what its buckets hold.

    A bucket holds the sum of its values, the oldest bucket of a row first; and, unless they are zeros and ones, 2^27
    times the sum of their squares. Values are 512 at most.
    """
    fields = [("total", np.int64), ("variance", np.float64), ("sums", sums, (ROWS, BUCKETS))]
    return np.dtype(fields, align=True)


NUMBERS: Final = layout(np.int64)
BITS: Final = layout(np.uint32)


@kernel
def packed(value: int) -> int:
    """Return what a bucket holds of one value that is more than a bit."""
    return value + ((value * value) << _TOTAL_BITS)


@kernel
def step(shape: Record) -> int:
    """Return how many values are to be taken at a time: one, where the oldest bucket may have to be given up."""
    return CLOCK if shape.width + CLOCK <= MOST else 1


@kernel
def log_odds(width: float, delta: float) -> float:
    """Return what the paper has of the width of a window and of the chance of a false alarm."""
    return math.log(2.0 * math.log(width) / delta)


@kernel
def weigh(window: Record, shape: Record, values: Integers, first: int, n: int, unit: float) -> None:
    """Take `n` values from the `first` on into sum and variance of a window. `unit` of them are 1."""
    totals, growth = doubles(), doubles()
    width, total, share = shape.width, window.total, 1.0 / unit
    for place in range(n):
        totals[place] = total
        total += values[first + place]
    window.total = total
    for place in range(n):
        before = float(width + place)
        off = values[first + place] * share - totals[place] * share / before
        growth[place] = before * off * off / (before + 1.0)
    variance = window.variance
    for place in range(1 if width == 0 else 0, n):
        variance += growth[place]
    window.variance = variance


@kernel
def insert(sums: Integers, counts: npt.NDArray[np.int8], held: Integers, first: int, n: int) -> None:
    """Make buckets of a value each, from the `first` on; of a full row the two oldest go to the next as one."""
    coming, line = wholes(), wholes()
    for place in range(n):
        coming[place] = held[first + place]
    for row in range(ROWS):
        size = int(counts[row])
        for place in range(size):
            line[place] = sums[row, place]
        for place in range(n):
            line[size + place] = coming[place]
        size += n
        n = (size - BUCKETS + 1) // 2 if size > BUCKETS else 0
        for place in range(n):
            coming[place] = line[2 * place] + line[2 * place + 1]
        size -= 2 * n
        for place in range(size):
            sums[row, place] = line[2 * n + place]
        for place in range(size, BUCKETS):
            sums[row, place] = 0
        if n == 0:
            return


@kernel
def grow(shape: Record, n: int) -> None:
    """Count the buckets of `n` values, once they have been inserted in all windows."""
    shape.width += n
    for row in range(ROWS):
        size = shape.counts[row] + n
        n = (size - BUCKETS + 1) // 2 if size > BUCKETS else 0
        shape.counts[row] = size - 2 * n
        if size > 0 and row >= shape.used:
            shape.used = row + 1
        if n == 0:
            return


@kernel
def is_cut(window: Record, shape: Record, odds: float, unit: float) -> bool:
    """Return whether the means on both sides of some cut differ by more than they may; `odds` are `log_odds`."""
    width, total = shape.width, window.total
    doubled_variance = 2.0 * (window.variance / width)
    # The square of a difference of means that is surely allowed is this over o * n, of the values on both sides, as
    # 1 / o + 1 / n = width / (o * n). In whole numbers that difference times o * n is exact.
    allowed = (1.0 - 1e-9) * unit * unit * doubled_variance * odds * width
    older = older_total = 0
    for row in range(shape.used - 1, -1, -1):
        for place in range(shape.counts[row]):
            older += 1 << row
            older_total += window.sums[row, place] & _TOTAL
            newer = width - older
            apart = float(older_total * width - total * older)
            if apart * apart <= allowed * float(older * newer):
                continue
            newer_total = total - older_total
            if _is_apart(float(older), older_total / unit, float(newer), newer_total / unit, doubled_variance, odds):
                return True
    return False


_SHORTEST: Final = 5  # side of a cut


@kernel
def _is_apart(
    older: float, older_total: float, newer: float, newer_total: float, doubled_variance: float, odds: float
) -> bool:
    if older < _SHORTEST or newer < _SHORTEST:
        return False
    apart = abs(older_total / older - newer_total / newer)
    shares = 1.0 / (older - _SHORTEST + 1.0) + 1.0 / (newer - _SHORTEST + 1.0)
    return apart > math.sqrt(shares * doubled_variance * odds) + 2.0 / 3.0 * odds * shares


@kernel
def forget(window: Record, shape: Record, width: int, unit: float) -> None:
    """Give up the oldest bucket of a window of so many values; `shrink` is due for all windows together."""
    row = shape.used - 1
    size = float(1 << row)
    oldest = np.int64(window.sums[row, 0])
    total = oldest & _TOTAL
    squares = oldest >> _TOTAL_BITS if unit != 1.0 else total
    window.total -= total
    left = float(width) - size
    apart = total / unit / size - window.total / unit / left
    variance = (squares * (1 << row) - total * total) / (unit * unit * size)
    window.variance -= variance + size * left * apart * apart / (size + left)
    for place in range(1, BUCKETS):
        window.sums[row, place - 1] = window.sums[row, place]
    window.sums[row, BUCKETS - 1] = 0


@kernel
def shrink(shape: Record) -> None:
    """Count the oldest bucket no more."""
    row = shape.used - 1
    shape.width -= 1 << row
    shape.counts[row] -= 1
    if shape.counts[row] == 0:
        shape.used = row


@kernel
def cut(window: Record, shape: Record, delta: float, unit: float) -> int:
    """Give up what is not like the newest values; return how many are left. Then all windows are to be cleared."""
    while is_cut(window, shape, log_odds(float(shape.width), delta), unit):
        forget(window, shape, shape.width, unit)
        shrink(shape)
    return int(shape.width)


@kernel
def clear(window: Record, rows: int) -> None:
    """Forget all values, of so many rows."""
    window.total = 0
    window.variance = 0.0
    for row in range(rows):
        for place in range(BUCKETS):
            window.sums[row, place] = 0


@kernel
def clear_shape(shape: Record) -> None:
    """Have windows of no values."""
    shape.width = 0
    shape.used = 0
    for row in range(ROWS):
        shape.counts[row] = 0
