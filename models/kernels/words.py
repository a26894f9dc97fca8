"""Whole numbers of 128 bits in two words, which the processor multiplies and numba does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from driftline.models.kernels.types import Word


@kernel
def product(one: Word, other: Word) -> tuple[Word, Word]:
    """Return the upper and the lower 64 bits of a product."""
    mask, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    one_high, one_low, other_high, other_low = one >> half, one & mask, other >> half, other & mask
    lowest = one_low * other_low
    cross = one_high * other_low + (lowest >> half)
    middle = one_low * other_high + (cross & mask)
    return one_high * other_high + (cross >> half) + (middle >> half), one * other
