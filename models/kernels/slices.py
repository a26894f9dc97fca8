"""Which of a version's slices a pair is of: by the counters of its segments, and by the class of its label.

`driftline.models.watch.slices` says what slices are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record

NONE: Final = -1

MOST_SLICES: Final = 64
"""Slices of one version that are watched: all of them are gone through for each segment of a pair."""

SLICES = np.dtype(
    [
        ("bank", "i8"),
        ("count", "i8"),
        ("sum", "f8", MOST_SLICES),
        ("key", "i4", MOST_SLICES),
        ("stream", "i4", MOST_SLICES),
    ],
    align=True,
)
"""The slices of a version: how many, and of each the sum of the losses in the reference, its key and its stream.

The streams are in the `bank`. The key of a segment's value is the record of its counters: a pair comes with that.
"""


@kernel
def key_of_class(number: int) -> int:
    """Return the key of the pairs whose label is a class; no record of counters has such a number."""
    return NONE - 1 - number


@kernel
def find(slices: Record, key: int) -> int:
    """Return the place of the slice with a key; `NONE` if none is watched."""
    for place in range(slices.count):
        if slices.key[place] == key:
            return place
    return NONE
