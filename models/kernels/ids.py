"""Which entry of the join an id has: a hash table of places, with linear probing.

D. E. Knuth, "The Art of Computer Programming", volume 3, section 6.4, algorithms L and R: a place that is taken out is
filled from behind, so there are no marks of what was deleted, and a search never grows longer than the table is full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from driftline.models.kernels.types import Indices, Record, Records, Word

NONE = -1

_SCATTER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 by the golden ratio: section 6.4 of the same


@kernel
def home(low: Word, high: Word, seed: int, size: int) -> int:
    """Return where the search for an id begins; `size` is a power of two."""
    mixed: Word = (np.uint64(low) ^ np.uint64(seed)) * _SCATTER ^ np.uint64(high) * np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> np.uint64(32)
    scattered: Word = np.int64(mixed * _SCATTER >> np.uint64(32))
    return scattered & (size - 1)


@kernel
def find(entries: Records, places: Indices, seed: int, low: Word, high: Word) -> int:
    """Return the entry of an id, `NONE` if there is none."""
    size = len(places)
    at = home(low, high, seed, size)
    while places[at] != NONE:
        entry = entries[places[at]]
        if entry.low == low and entry.high == high:
            return places[at]
        at = (at + 1) & (size - 1)
    return NONE


@kernel
def put(entries: Records, places: Indices, seed: int, index: int) -> None:
    """Add an entry whose id has none; a place must be free."""
    size = len(places)
    at = home(entries[index].low, entries[index].high, seed, size)
    while places[at] != NONE:
        at = (at + 1) & (size - 1)
    places[at] = index


@kernel
def take_out(entries: Records, places: Indices, seed: int, index: int) -> None:
    """Remove an entry."""
    size = len(places)
    hole = home(entries[index].low, entries[index].high, seed, size)
    while places[hole] != index:
        hole = (hole + 1) & (size - 1)
    at = hole
    while True:
        at = (at + 1) & (size - 1)
        if places[at] == NONE:
            break
        entry = entries[places[at]]
        # What stands here may fill the hole unless its search begins behind it.
        if (at - home(entry.low, entry.high, seed, size)) & (size - 1) >= (at - hole) & (size - 1):
            places[hole] = places[at]
            hole = at
    places[hole] = NONE


@kernel
def comes_before(entry: Record, other: Record) -> bool:
    """Return whether an id of the same model is the smaller one, by its bytes."""
    return entry.low < other.low or (entry.low == other.low and entry.high < other.high)
