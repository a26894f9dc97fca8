"""DDSketch over a fixed range: counts in buckets that grow geometrically, one record a sketch.

Values have whatever unit they have; those from 1e-6 to 1e12 are told apart to 1 %.

References
----------
Masson, Rim, Lee, "DDSketch: A fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019.

"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    from driftline.models.kernels.types import Records

# With gamma = (1 + alpha) / (1 - alpha), the bucket i holds (gamma^(i - 1), gamma^i], and answering with its
# 2 gamma^i / (gamma + 1) is off by at most alpha.
_ALPHA: Final = 0.01
GAMMA: Final = (1.0 + _ALPHA) / (1.0 - _ALPHA)
_BUCKETS_PER_LOG: Final = 1.0 / math.log(GAMMA)

# A fixed range bounds the buckets: 2,073 of them. DDSketch's own bound moves with the largest value, so that a single
# absurd one costs the resolution of all others.
_SMALLEST: Final = 1e-6
_LARGEST: Final = 1e12
LOWEST: Final = math.ceil(math.log(_SMALLEST) * _BUCKETS_PER_LOG)
"""The number of the first bucket."""
_HIGHEST: Final = math.ceil(math.log(_LARGEST) * _BUCKETS_PER_LOG)
BUCKETS: Final = _HIGHEST - LOWEST + 1

PAGE: Final = 64
"""Buckets that stand together. Of the pages of a sketch there are those in which something has been counted: durations
are mostly in a few hundred buckets."""

PAGES: Final = -(-BUCKETS // PAGE)

QUANTILE_SKETCH: Final = np.dtype(
    [
        ("count", np.int64),
        ("negative", np.int64),  # values below 0, counted as 0
        ("min", np.float64),  # means nothing while the count is 0
        ("max", np.float64),
        ("pages", np.uint32, PAGES),  # their indices, counted from 1; 0 for one of zeros
    ],
    align=True,
)
"""A sketch; one of zeros is empty."""

SKETCH_PAGE: Final = np.dtype(
    [
        # What a bucket has counted is low + 2^32 high: 32 bits alone are full after 50 days of 1,000 a second, 48 after
        # 9,000 years of them, and 64 would take a third more memory.
        ("low", np.uint32, PAGE),
        ("high", np.uint16, PAGE),
    ],
    align=True,
)

ALLOTMENT: Final = np.dtype([("used", np.int64), ("free", np.int64)], align=True)
"""The pages that were ever in use, and the first free one, counted from 1; 0 if there is none. A free page has the next
one in its first `low`."""


class Sketches(NamedTuple):
    """Any number of sketches.

    A kernel cannot make an array longer: whoever makes a sketch first sees to it that there are `PAGES` pages more.
    That costs nothing, since the system gives memory only for pages that have been touched.
    """

    records: Records
    pages: Records
    allotment: Records


@kernel
def update(sketches: Sketches, index: int, value: float) -> None:
    """Count a finite value."""
    record = sketches.records[index]
    if value < 0.0:
        value = 0.0
        record.negative += 1
    if record.count == 0 or value < record.min:
        record.min = value
    if record.count == 0 or value > record.max:
        record.max = value
    record.count += 1
    if value <= _SMALLEST:
        bucket = 0
    elif value < _LARGEST:
        bucket = math.ceil(math.log(value) * _BUCKETS_PER_LOG) - LOWEST
    else:  # NaN too, which no bucket is for: a kernel that is given one must not write beside the buckets
        bucket = BUCKETS - 1
    if record.pages[bucket // PAGE] == 0:
        record.pages[bucket // PAGE] = _take(sketches)
    page = sketches.pages[record.pages[bucket // PAGE] - 1]
    page.low[bucket % PAGE] += np.uint32(1)
    if page.low[bucket % PAGE] == 0:
        page.high[bucket % PAGE] += np.uint16(1)


@kernel
def add(sketches: Sketches, index: int, counts: npt.NDArray[np.int64]) -> None:
    """Add counts to all buckets of a sketch."""
    record = sketches.records[index]
    for bucket in range(BUCKETS):
        if counts[bucket] == 0:
            continue
        if record.pages[bucket // PAGE] == 0:
            record.pages[bucket // PAGE] = _take(sketches)
        page = sketches.pages[record.pages[bucket // PAGE] - 1]
        total = np.int64(page.low[bucket % PAGE]) + (np.int64(page.high[bucket % PAGE]) << 32) + counts[bucket]
        page.low[bucket % PAGE] = total & 0xFFFFFFFF
        page.high[bucket % PAGE] = total >> 32


@kernel
def counts(sketches: Sketches, index: int) -> npt.NDArray[np.int64]:
    """Return what all buckets have counted."""
    record, found = sketches.records[index], np.zeros(BUCKETS, np.int64)
    for bucket in range(BUCKETS):
        if record.pages[bucket // PAGE] != 0:
            page = sketches.pages[record.pages[bucket // PAGE] - 1]
            found[bucket] = np.int64(page.low[bucket % PAGE]) + (np.int64(page.high[bucket % PAGE]) << 32)
    return found


@kernel
def release(sketches: Sketches, index: int) -> None:
    """Give the pages of a sketch back."""
    record, allotment = sketches.records[index], sketches.allotment[0]
    for place in range(PAGES):
        taken = record.pages[place]
        if taken != 0:
            page = sketches.pages[taken - 1]
            for bucket in range(PAGE):
                page.low[bucket] = 0
                page.high[bucket] = 0
            page.low[0] = allotment.free
            allotment.free = taken
            record.pages[place] = 0


@kernel
def _take(sketches: Sketches) -> int:
    """Return the index of a page of zeros, counted from 1."""
    allotment = sketches.allotment[0]
    if allotment.free == 0:
        allotment.used += 1
        return int(allotment.used)
    taken = allotment.free
    page = sketches.pages[taken - 1]
    allotment.free = page.low[0]
    page.low[0] = 0
    return int(taken)
