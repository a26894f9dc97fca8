"""Where in event time and in Kafka a stream stood: marks that are fine for the recent past, ever coarser before.

`driftline.models.drift.trail` reads them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record

FINEST = 8
"""Values between two marks: finer than any change point can be told."""

STRIDES = (FINEST, 64, 512, 4096, 32_768, 262_144)
SIZES = (64, 16, 16, 16, 16, 16)
STARTS = (0, 64, 80, 96, 112, 128)

TRAIL = np.dtype(
    [
        ("newest", "i8"),
        ("first", "i8", 4),
        ("low", "u4", (sum(SIZES), 3)),
        ("high", "i2", (sum(SIZES), 3)),
    ],
    align=True,
)
"""`newest` is the count of values at the newest mark and `first` the first mark whole (its count is 0: there is none).

Of each stride as many marks as its size are kept; that of the n-th value stands in slot n // stride modulo the size. It
is three numbers of 48 bits, event time and two offsets: `low` has 32 of them and `high` the rest.
"""

_LOW = 32
_LATEST = 2**47 - 1  # ms, in the year 6429: what is later is taken for that


@kernel
def note(trail: Record, nth: int, at: int, prediction_offset: int, label_offset: int) -> None:
    """Take a place, in order: the first one, and then that of every eighth value; others are not kept."""
    if trail.first[0] == 0:
        trail.first[0] = nth
        trail.first[1] = at
        trail.first[2] = prediction_offset
        trail.first[3] = label_offset
    for level in range(len(STRIDES)):
        if nth % STRIDES[level] != 0:
            return
        slot = STARTS[level] + nth // STRIDES[level] % SIZES[level]
        trail.newest = nth
        _write(trail, slot, 0, min(at, _LATEST))
        _write(trail, slot, 1, prediction_offset)
        _write(trail, slot, 2, label_offset)


@kernel
def _write(trail: Record, slot: int, column: int, number: int) -> None:
    trail.low[slot, column] = number & (2**_LOW - 1)
    trail.high[slot, column] = number >> _LOW
