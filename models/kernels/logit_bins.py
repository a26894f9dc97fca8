"""ROC-AUC of a stream in bounded memory, compiled: `driftline.models.performance.auc.LogitBins` for pairs of weight 1.

The bins in use are those of the original: which they are depends only on the scores that came. They stand in a chunk of
rows as they came, 44 bytes each, and are found by hashing: halving sorted rows takes seven times as long, and a pane,
which begins with narrow bins and many insertions, would move its rows all the time. A sum of positions is kept as
offsets from a bin's lower edge: with at least 128 bins to use, 64 bits hold the sums of ``2**40`` pairs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.chunks import Chunks, give_back, room, take
from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.models.kernels.record import Record

BINS: Final = np.dtype(
    [
        ("start", np.int64),  # first row of the chunk
        ("count", np.int32),  # bins in use
        ("most", np.int32),  # bins that may be in use
        ("shift", np.int16),  # a bin is 2**shift of the finest
        ("size", np.int16),  # of the chunk
    ],
    align=True,
)

BINS_PER_LOGIT: Final = 1 << 20
ORIGIN: Final = 745 * BINS_PER_LOGIT
HIGHEST: Final = ORIGIN + 37 * BINS_PER_LOGIT

_GOLDEN: Final = 0x9E3779B1
"""``2**32`` by the golden ratio: keys in a row, which bins mostly have, are spread evenly (Knuth, vol. 3, 6.4)."""


@kernel
def logit_bin(score: float) -> int:
    """Return the finest bin of a score, counted from 0; scores of 0 and 1 and beyond go to the edges."""
    if score <= 0.0:
        return 0
    if score >= 1.0:
        return HIGHEST
    return ORIGIN + math.floor(math.log(score / (1.0 - score)) * BINS_PER_LOGIT)


@kernel
def update(bins: Record, chunks: Chunks, finest: int, column: int) -> None:
    """Count a pair whose score is in the bin `finest`; `column` is 3 for a positive label, else 1."""
    row = row_of(bins, chunks, finest)
    rows = chunks.rows
    rows[row, column] += 1
    rows[row, column + 1] += finest - (rows[row, 0] << bins.shift)


@kernel
def merge(bins: Record, chunks: Chunks, other: Record, others: Chunks) -> None:
    """Add what `other`, whose rows are in `others`, has counted; the bound on bins stays this one's."""
    widen(bins, chunks, other.shift)
    for theirs in range(other.start, other.start + other.count):
        edge = others.rows[theirs, 0] << other.shift
        row = row_of(bins, chunks, edge)
        _add(chunks.rows, row, others.rows, theirs, edge - (chunks.rows[row, 0] << bins.shift))


@kernel
def widen(bins: Record, chunks: Chunks, shift: int) -> None:
    """Make the bins at least ``2**shift`` times the finest."""
    while bins.shift < shift:
        _double(bins, chunks)


@kernel
def load(bins: Record, chunks: Chunks, shift: int, rows: NDArray[np.int64]) -> None:
    """Give bins ``2**shift`` times the finest, and these rows, to what has none."""
    bins.shift = shift
    for n in range(rows.shape[0]):
        row = row_of(bins, chunks, rows[n, 0] << shift)
        for column in range(1, 5):
            chunks.rows[row, column] = rows[n, column]


@kernel
def clear(bins: Record, chunks: Chunks) -> None:
    """Forget all that was counted."""
    give_back(chunks, bins.start, bins.size)
    bins.start = bins.count = bins.shift = bins.size = 0


@kernel
def row_of(bins: Record, chunks: Chunks, finest: int) -> int:
    """Return the row of the bin where `finest` belongs; it may be a new one, and bins may become wider for it."""
    rows, places = chunks.rows, chunks.places
    while True:
        key = finest >> bins.shift
        place = 0
        if bins.size > 0:
            place = _place(bins, rows, places, key)
            if places[place] > 0:
                return int(bins.start + places[place] - 1)
        if bins.count < bins.most:
            break
        _double(bins, chunks)
    if bins.count == room(bins.size):
        _move_to_larger(bins, chunks)
        place = _place(bins, rows, places, key)
    row = bins.start + bins.count
    bins.count += 1
    places[place] = bins.count
    rows[row, 0] = key
    rows[row, 1:] = 0
    return int(row)


@kernel
def _place(bins: Record, rows: NDArray[np.int64], places: NDArray[np.uint16], key: int) -> int:
    """Return the place of a key, or the empty one that it would have."""
    first = 2 * bins.start
    mask = (4 << 3 * bins.size) - 1
    n = ((key * _GOLDEN) & 0xFFFFFFFF) >> (30 - 3 * bins.size)
    while True:
        found = places[first + n]
        if found == 0 or rows[bins.start + found - 1, 0] == key:
            return int(first + n)
        n = (n + 1) & mask


@kernel
def _move_to_larger(bins: Record, chunks: Chunks) -> None:
    start = take(chunks, bins.size + 1)
    for n in range(bins.count):
        for column in range(5):
            chunks.rows[start + n, column] = chunks.rows[bins.start + n, column]
    give_back(chunks, bins.start, bins.size)
    bins.start = start
    bins.size += 1
    _hash(bins, chunks)


@kernel
def _hash(bins: Record, chunks: Chunks) -> None:
    rows, places = chunks.rows, chunks.places
    places[2 * bins.start : 2 * (bins.start + room(bins.size))] = 0
    for n in range(bins.count):
        places[_place(bins, rows, places, rows[bins.start + n, 0])] = n + 1


@kernel
def _double(bins: Record, chunks: Chunks) -> None:
    """Make the bins twice as wide."""
    rows, places = chunks.rows, chunks.places
    count, bins.count = bins.count, 0
    places[2 * bins.start : 2 * (bins.start + room(bins.size))] = 0
    for row in range(bins.start, bins.start + count):
        key = rows[row, 0]
        step = (key & 1) << bins.shift  # from the wider bin's edge to this one's
        place = _place(bins, rows, places, key >> 1)
        target = bins.start + places[place] - 1
        if places[place] == 0:
            target = bins.start + bins.count
            bins.count += 1
            places[place] = bins.count
            count_n, offset_n, count_p, offset_p = rows[row, 1], rows[row, 2], rows[row, 3], rows[row, 4]
            rows[target, 0] = key >> 1
            rows[target, 1] = count_n
            rows[target, 2] = offset_n + step * count_n
            rows[target, 3] = count_p
            rows[target, 4] = offset_p + step * count_p
        else:
            _add(rows, target, rows, row, step)
    bins.shift += 1


@kernel
def _add(rows: NDArray[np.int64], row: int, others: NDArray[np.int64], other: int, step: int) -> None:
    """Add to a row another one, whose bin begins `step` above its edge."""
    for column in (1, 3):
        count = others[other, column]
        rows[row, column] += count
        rows[row, column + 1] += others[other, column + 1] + step * count
