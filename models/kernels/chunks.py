"""Room for the bins of all records of a bank, in chunks of 16, 128 or 1024 rows, narrow or wide.

A record has one chunk, from its first bin on, and changes it for one of the next size when it is full, and for a wide
one when a number is too large for narrow rows. A chunk that was given back is used again for another record, but not
for another size: with sizes eight times as large the small ones that nobody needs any more are an eighth of the memory,
with sizes twice as large they would be half of it.

A kernel cannot make an array longer: whoever makes a record first sees to it that there are `words_for` words more.
That is enough, since there are never more chunks of a kind than records that may have one; and it costs nothing, since
the system gives memory only for words that have been touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIZES: Final = 4

MOST_ROWS: Final = 8192
"""Rows of a chunk of the last size."""

NARROW: Final = 4
"""Words of a narrow row: a bin's key, 16 bits each for the counts of its negatives and of its positives, and the sums
of their offsets."""

WIDE: Final = 10
"""Words of a wide row, which has two for each number: the key, then count and sum of each class."""

ALLOTMENT: Final = np.dtype([("used", np.int64), ("free", np.int64, (2, _SIZES))], align=True)
"""The words that were ever part of a chunk, and the first free chunk, narrow or wide, of each size, counted from 1; 0
if there is none. A free chunk has the next one in its first word."""


class Chunks(NamedTuple):
    """The arrays.

    Behind its rows a chunk has two places for each, a hash table of their keys: which row of the chunk, counted from 1,
    a key has; 0 where there is none. A place is a byte where that suffices, else two.

    Attributes
    ----------
    allotment
        One record: which words are free.
    words, longs, shorts, octets
        The same memory by 4, 8, 2 and 1 bytes.

    """

    allotment: NDArray[np.void]
    words: NDArray[np.uint32]
    longs: NDArray[np.int64]
    shorts: NDArray[np.uint16]
    octets: NDArray[np.uint8]

    @classmethod
    def of(cls, allotment: NDArray[np.void], words: NDArray[Any]) -> Chunks:
        """Return the arrays of some words."""
        return cls(allotment, words, words.view(np.int64), words.view(np.uint16), words.view(np.uint8))


@kernel
def room(size: int) -> int:
    """Return the rows of a chunk of the size 1 to 4; the size 0 stands for no chunk."""
    return 2 << 3 * size if size > 0 else 0


@kernel
def has_octets(size: int) -> bool:
    """Return whether a place of a chunk is a byte."""
    return size <= 2  # noqa: PLR2004 - 128 rows


@kernel
def words_of(size: int, wide: int) -> int:
    """Return the words of a chunk."""
    rows = room(size)
    return rows * (WIDE if wide else NARROW) + (rows // 2 if has_octets(size) else rows)


def words_for(most: int) -> int:
    """Return how many words a record with up to `most` bins may come to hold, each kind having been in use.

    Examples
    --------
    >>> words_for(16), words_for(128)  # 16 * 15, and 128 * 15 more
    (240, 2160)

    """
    size = 1
    words = 0
    while True:
        words += words_of(size, 0) + words_of(size, 1)
        if room(size) >= most:
            return words
        size += 1


@kernel
def take(chunks: Chunks, size: int, wide: int) -> int:
    """Return the first word of a chunk that is now the caller's. What is in it is whatever it was."""
    allotment = chunks.allotment[0]
    start = allotment.free[wide, size - 1] - 1
    if start >= 0:
        allotment.free[wide, size - 1] = chunks.words[start]
    else:
        start = allotment.used
        allotment.used += words_of(size, wide)
    return int(start)


@kernel
def give_back(chunks: Chunks, start: int, size: int, wide: int) -> None:
    """Let a chunk be used again; the size 0 is none."""
    if size > 0:
        allotment = chunks.allotment[0]
        chunks.words[start] = allotment.free[wide, size - 1]
        allotment.free[wide, size - 1] = start + 1
