"""ROC-AUC of a stream in bounded memory, compiled: `driftline.models.performance.auc.LogitBins` for pairs of weight 1.

The bins in use are those of the original: which they are depends only on the scores that came. They stand in a chunk of
rows as they came and are found by hashing: halving sorted rows takes seven times as long, and a pane, which begins with
fine bins and many insertions, would move its rows all the time. A sum of positions is kept as offsets from a bin's
lower edge. With 16 bits for a count and 32 for a sum a row takes 18 to 20 bytes, and 42 to 44 once one of its chunk
needs more than that, which is after some ten million pairs: with at least 128 bins to use, 64 bits hold the sums of
``2**40``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from driftline.models.kernels.chunks import NARROW, WIDE, Chunks, give_back, has_octets, room, take, words_of
from driftline.models.kernels.compiled import inlined, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.models.kernels.record import Record

BINS: Final = np.dtype(
    [
        ("start", np.int64),  # first word of the chunk
        ("count", np.int32),  # bins in use
        ("most", np.int32),  # bins that may be in use
        ("shift", np.int16),  # a bin is 2**shift of the finest
        ("size", np.int8),  # of the chunk
        ("wide", np.int8),  # whether its rows are
    ],
    align=True,
)

BINS_PER_LOGIT: Final = 1 << 20
ORIGIN: Final = 745 * BINS_PER_LOGIT
HIGHEST: Final = ORIGIN + 37 * BINS_PER_LOGIT

_BITS: Final = 16  # of a count in a narrow row
_MOST: Final = (1 << _BITS) - 1
_LARGEST: Final = (1 << 32) - 1  # sum of offsets
_LONGS: Final = WIDE // 2

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


@inlined
def update(bins: Record, chunks: Chunks, finest: int, positive: bool) -> None:  # noqa: FBT001 - it is what is counted
    """Count a pair whose score is in the bin `finest`."""
    row = _known_row(bins, chunks, finest)
    if row < 0:
        row = _new_row(bins, chunks, finest)
    if bins.wide == 0:
        words, at = chunks.words, bins.start + NARROW * row
        place, bit = (at + 3, _BITS) if positive else (at + 2, 0)
        counts = np.int64(words[at + 1])
        total = np.int64(words[place]) + finest - (np.int64(words[at]) << bins.shift)
        if total <= _LARGEST and (counts >> bit) & _MOST < _MOST:
            words[place] = total
            words[at + 1] = counts + (1 << bit)
            return
        _make_wide(bins, chunks)
    longs, at = chunks.longs, (bins.start >> 1) + _LONGS * row
    place = at + 3 if positive else at + 1
    longs[place] += 1
    longs[place + 1] += finest - (longs[at] << bins.shift)


@kernel
def merge(bins: Record, chunks: Chunks, other: Record, others: Chunks) -> None:
    """Add what `other`, whose rows are in `others`, has counted; the bound on bins stays this one's."""
    widen(bins, chunks, other.shift)
    for theirs in range(other.count):
        row = _row(other, others, theirs)
        _count(bins, chunks, row[0] << other.shift, row)


@kernel
def widen(bins: Record, chunks: Chunks, shift: int) -> None:
    """Make the bins at least ``2**shift`` times the finest."""
    while bins.shift < shift:
        _fold(bins, chunks, 1)


@kernel
def load(bins: Record, chunks: Chunks, shift: int, rows: NDArray[np.int64]) -> None:
    """Give bins ``2**shift`` times the finest, and these rows, to what has none."""
    bins.shift = shift
    for n in range(rows.shape[0]):
        row = (rows[n, 0], rows[n, 1], rows[n, 2], rows[n, 3], rows[n, 4])
        _count(bins, chunks, row[0] << shift, row)


@kernel
def clear(bins: Record, chunks: Chunks) -> None:
    """Forget all that was counted."""
    give_back(chunks, bins.start, bins.size, bins.wide)
    bins.start = bins.count = bins.shift = bins.size = bins.wide = 0


@kernel
def row_of(bins: Record, chunks: Chunks, finest: int) -> int:
    """Return which row has the bin where `finest` belongs; it may be a new one, and bins may become wider for it."""
    row = _known_row(bins, chunks, finest)
    return row if row >= 0 else _new_row(bins, chunks, finest)


@inlined
def _known_row(bins: Record, chunks: Chunks, finest: int) -> int:
    """Return which row has the bin where `finest` belongs; less than 0 if none has it."""
    return _find(bins, chunks, finest >> bins.shift)[1] - 1 if bins.size > 0 else -1


@kernel
def _new_row(bins: Record, chunks: Chunks, finest: int) -> int:
    """Return which row has that bin, after making room for it."""
    while bins.count >= bins.most:
        _fold(bins, chunks, _doublings(bins, chunks, finest >> bins.shift))
        row = _known_row(bins, chunks, finest)
        if row >= 0:
            return row
    if bins.count == room(bins.size):
        _move_to_larger(bins, chunks)
    key = finest >> bins.shift
    return _append(bins, chunks, _find(bins, chunks, key)[0], (key, 0, 0, 0, 0))


def rows_of(bins: Record, chunks: Chunks) -> NDArray[np.int64]:
    """Return the rows in use, to Python: a bin's key, then count and sum of offsets of its negatives and positives."""
    start, count = int(bins["start"]), int(bins["count"])
    if bins["wide"]:
        return chunks.longs[start >> 1 :][: _LONGS * count].reshape(count, _LONGS).copy()
    key, counts, *sums = chunks.words[start : start + NARROW * count].reshape(count, NARROW).T.astype(np.int64)
    return np.column_stack([key, counts & _MOST, sums[0], counts >> _BITS, sums[1]])


# A row as both kinds have it: key, count and sum of negatives, count and sum of positives.
_Row: TypeAlias = tuple[Any, Any, Any, Any, Any]


@kernel
def _row(bins: Record, chunks: Chunks, row: int) -> _Row:
    if bins.wide:
        longs, at = chunks.longs, (bins.start >> 1) + _LONGS * row
        return longs[at], longs[at + 1], longs[at + 2], longs[at + 3], longs[at + 4]
    words, at = chunks.words, bins.start + NARROW * row
    counts = np.int64(words[at + 1])
    sums = np.int64(words[at + 2]), np.int64(words[at + 3])
    return np.int64(words[at]), counts & _MOST, sums[0], counts >> _BITS, sums[1]


@kernel
def _set_row(bins: Record, chunks: Chunks, row: int, what: _Row) -> None:
    """Write a row, whose numbers are not too large for its kind."""
    if bins.wide:
        longs, at = chunks.longs, (bins.start >> 1) + _LONGS * row
        longs[at], longs[at + 1], longs[at + 2], longs[at + 3], longs[at + 4] = what
    else:
        words, at = chunks.words, bins.start + NARROW * row
        words[at] = what[0]
        words[at + 1] = what[1] | (what[3] << _BITS)
        words[at + 2] = what[2]
        words[at + 3] = what[4]


@kernel
def _count(bins: Record, chunks: Chunks, finest: int, what: _Row) -> None:
    """Add what another bin, which begins at `finest`, has counted."""
    row = row_of(bins, chunks, finest)
    step = finest - (_row(bins, chunks, row)[0] << bins.shift)
    _add(bins, chunks, row, what, step)


@kernel
def _add(bins: Record, chunks: Chunks, row: int, what: _Row, step: int) -> None:
    """Add to a row another one, whose bin begins `step` above its edge."""
    key, count_n, offset_n, count_p, offset_p = _row(bins, chunks, row)
    count_n += what[1]
    offset_n += what[2] + step * what[1]
    count_p += what[3]
    offset_p += what[4] + step * what[3]
    if bins.wide == 0 and (max(count_n, count_p) > _MOST or max(offset_n, offset_p) > _LARGEST):
        _make_wide(bins, chunks)
    _set_row(bins, chunks, row, (key, count_n, offset_n, count_p, offset_p))


@kernel
def _append(bins: Record, chunks: Chunks, place: int, what: _Row) -> int:
    """Make a new row, whose key has a place."""
    row = bins.count
    bins.count += 1
    if has_octets(bins.size):
        chunks.octets[place] = bins.count
    else:
        chunks.shorts[place] = bins.count
    _set_row(bins, chunks, row, what)
    return int(row)


@inlined
def _find(bins: Record, chunks: Chunks, key: int) -> tuple[int, Any]:
    """Return the place of a key, or the empty one that it would have, and what stands there."""
    mask = (4 << 3 * bins.size) - 1
    n = ((key * _GOLDEN) & 0xFFFFFFFF) >> (30 - 3 * bins.size)
    octets, first = has_octets(bins.size), _first_place(bins)
    while True:
        found = np.int64(chunks.octets[first + n]) if octets else np.int64(chunks.shorts[first + n])
        if found == 0 or _key(bins, chunks, found - 1) == key:
            return first + n, found
        n = (n + 1) & mask


@inlined
def _key(bins: Record, chunks: Chunks, row: Any) -> int:  # noqa: ANN401 - a whole number
    if bins.wide:
        return int(chunks.longs[(bins.start >> 1) + _LONGS * row])
    return int(np.int64(chunks.words[bins.start + NARROW * row]))


@inlined
def _first_place(bins: Record) -> int:
    first = bins.start + room(bins.size) * (WIDE if bins.wide else NARROW)
    return int(4 * first if has_octets(bins.size) else 2 * first)


@kernel
def _clear_places(bins: Record, chunks: Chunks) -> None:
    first = bins.start + room(bins.size) * (WIDE if bins.wide else NARROW)
    chunks.words[first : bins.start + words_of(bins.size, bins.wide)] = 0


@kernel
def _move(bins: Record, chunks: Chunks, size: int, wide: int) -> None:
    """Move all rows to a chunk of another kind."""
    before, before_size, before_wide = bins.start, bins.size, bins.wide
    start = take(chunks, size, wide)
    for row in range(bins.count):
        what = _row(bins, chunks, row)
        bins.start, bins.wide = start, wide
        _set_row(bins, chunks, row, what)
        bins.start, bins.wide = before, before_wide
    give_back(chunks, before, before_size, before_wide)
    bins.start, bins.size, bins.wide = start, size, wide
    _clear_places(bins, chunks)
    count, bins.count = bins.count, 0
    for row in range(count):
        what = _row(bins, chunks, row)
        place, _ = _find(bins, chunks, what[0])
        _append(bins, chunks, place, what)


@kernel
def _move_to_larger(bins: Record, chunks: Chunks) -> None:
    _move(bins, chunks, bins.size + 1, bins.wide)


@kernel
def _make_wide(bins: Record, chunks: Chunks) -> None:
    _move(bins, chunks, bins.size, 1)


@kernel
def _doublings(bins: Record, chunks: Chunks, key: int) -> int:
    """Return how often the width of the bins must double until two are one, that of a new key among them."""
    if bins.shift > 0:
        return 1
    keys = np.empty(bins.count + 1, np.int64)
    for row in range(bins.count):
        keys[row] = _key(bins, chunks, row)
    keys[bins.count] = key
    keys.sort()
    nearest = HIGHEST
    for row in range(1, len(keys)):
        nearest = min(nearest, keys[row - 1] ^ keys[row])
    doublings = 1
    while nearest >> doublings:
        doublings += 1
    return doublings


@kernel
def _fold(bins: Record, chunks: Chunks, doublings: int) -> None:
    """Make the bins ``2**doublings`` times as wide, of which no three become one."""
    if bins.count == 0:
        bins.shift += doublings
        return
    steps = ((1 << doublings) - 1) << bins.shift
    if bins.wide == 0 and not _fold_into_narrow(bins, chunks, steps):
        _make_wide(bins, chunks)
    _clear_places(bins, chunks)
    count, bins.count = bins.count, 0
    for row in range(count):
        what = _row(bins, chunks, row)
        step = (what[0] << bins.shift) & steps  # from the wider bin's edge to this one's
        key = what[0] >> doublings
        place, found = _find(bins, chunks, key)
        if found > 0:
            _add(bins, chunks, found - 1, what, step)
        else:
            _append(bins, chunks, place, (key, what[1], what[2] + step * what[1], what[3], what[4] + step * what[3]))
    bins.shift += doublings


@kernel
def _fold_into_narrow(bins: Record, chunks: Chunks, steps: int) -> bool:
    """Return whether the numbers of any two bins, one moved by so many steps, are small enough for a narrow row."""
    count = offset = 0
    for row in range(bins.count):
        _, count_n, offset_n, count_p, offset_p = _row(bins, chunks, row)
        count = max(count, count_n, count_p)
        offset = max(offset, offset_n, offset_p)
    return 2 * count <= _MOST and 2 * (offset + steps * count) <= _LARGEST
