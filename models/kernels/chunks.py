"""Room for the bins of all records of a bank, in chunks of 16, 128 or 1024 rows.

A record has one chunk, from its first bin on, and changes it for one of the next size when it is full. A chunk that was
given back is used again for another record, but not for the next size: with sizes eight times as large the small ones
that nobody needs any more are an eighth of the memory, with sizes twice as large they would be half of it.

A kernel cannot make an array longer: whoever makes a record first sees to it that there are `rows_for` rows more. That
is enough, since there are never more chunks of a size than records that may have one; and it costs nothing, since the
system gives memory only for rows that have been touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIZES: Final = 4

MOST_ROWS: Final = 8192
"""Rows of a chunk of the last size."""

ALLOTMENT: Final = np.dtype([("used", np.int64), ("free", np.int64, (_SIZES,))], align=True)
"""The rows that were ever part of a chunk, and the first free chunk of each size, counted from 1; 0 if there is none.
A free chunk has the next one in its first cell."""


class Chunks(NamedTuple):
    """The arrays.

    Attributes
    ----------
    allotment
        One record: which rows are free.
    rows
        Five columns: a bin's key, then count and sum of offsets of its negatives, then of its positives.
    places
        Two for each row. Those of a chunk are a hash table of its keys: which row of the chunk, counted from 1, a key
        has; 0 where there is none.

    """

    allotment: NDArray[np.void]
    rows: NDArray[np.int64]
    places: NDArray[np.uint16]


@kernel
def room(size: int) -> int:
    """Return the rows of a chunk of the size 1 to 4; the size 0 stands for no chunk."""
    return 2 << 3 * size if size > 0 else 0


def rows_for(most: int) -> int:
    """Return how many rows a record with up to `most` bins may come to hold, each size having been in use.

    Examples
    --------
    >>> rows_for(16), rows_for(128), rows_for(1024)  # 16, 16 + 128, 16 + 128 + 1024
    (16, 144, 1168)

    """
    rows = largest = 16
    while largest < most:
        largest *= 8
        rows += largest
    return rows


@kernel
def take(chunks: Chunks, size: int) -> int:
    """Return the first row of a chunk that is now the caller's. What is in it is whatever it was."""
    allotment = chunks.allotment[0]
    start = allotment.free[size - 1] - 1
    if start >= 0:
        allotment.free[size - 1] = chunks.rows[start, 0]
    else:
        start = allotment.used
        allotment.used += room(size)
    return int(start)


@kernel
def give_back(chunks: Chunks, start: int, size: int) -> None:
    """Let a chunk be used again; the size 0 is none."""
    if size > 0:
        allotment = chunks.allotment[0]
        chunks.rows[start, 0] = allotment.free[size - 1]
        allotment.free[size - 1] = start + 1
