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
    [("newest", "i8"), ("first", "i8", 4), ("at", "i8", sum(SIZES)), ("offsets", "i8", (sum(SIZES), 2))], align=True
)
"""`newest` is the count of values at the newest mark and `first` the first mark whole (its count is 0: there is none).

Of each stride as many marks as its size are kept; that of the n-th value stands in slot n // stride modulo the size.
"""


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
        trail.at[slot] = at
        trail.offsets[slot, 0] = prediction_offset
        trail.offsets[slot, 1] = label_offset
