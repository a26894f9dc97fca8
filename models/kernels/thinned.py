"""A bounded, deterministic sample of a stream: every value at first, then one of every two, of every four and so on.

What `driftline.models.drift.thinned.Thinned` says of it holds here too. Its values are in pages, records of another
bank, which are needed only until a reference is frozen and only as many as there are values.

References
----------
Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.

"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Rows = npt.NDArray[np.void]

CAPACITY: Final = 4096  # 256 quantile cells of 16 values each
PAGE: Final = 512
"""Values of a page; the last of them is the last that there is room for, so a sample needs 8 pages at most."""

THINNED: Final = np.dtype(
    [
        ("count", np.int64),  # of values that came
        ("due", np.int64),  # which of them is the next to be kept, counted from 0
        ("stride", np.int64),  # each value kept stands for as many; 0, in a record of zeros, is 1
        ("kept", np.int32),
        ("room", np.int32),  # values for which there are pages
        ("pages", np.int32, CAPACITY // PAGE),  # their indices, as many as there is room for
    ],
    align=True,
)
"""A sample; one of zeros is empty and has no page."""

THINNED_PAGE: Final = np.dtype([("values", np.float64, PAGE)], align=True)


@kernel
def update(record: np.void, pages: Rows, value: float) -> bool:
    """Take one finite value, and return whether it was taken: if not, because there is no page for it, nothing changed.

    `pages` are the rows of the bank that has the pages.
    """
    if record["count"] != record["due"]:
        record["count"] += 1
        return True
    kept: int = record["kept"]
    if kept == record["room"]:
        return False
    _page(record, pages, kept)[kept % PAGE] = value
    record["kept"] += 1
    if record["kept"] == CAPACITY:
        _halve(record, pages)
    record["due"] = drawn(record["kept"], record["stride"])
    record["count"] += 1
    return True


@kernel
def drawn(block: int, stride: int) -> int:
    """Return the number of the value that stands for a block: that which halving would leave of it."""
    while stride > 1:
        block = 2 * block + _coin(block, stride)
        stride //= 2
    return block


@kernel
def _halve(record: np.void, pages: Rows) -> None:
    """Keep one of each two values, which then stand for blocks twice as long."""
    stride = 2 * max(record["stride"], 1)
    for block in range(CAPACITY // 2):
        kept = 2 * block + _coin(block, stride)
        _page(record, pages, block)[block % PAGE] = _page(record, pages, kept)[kept % PAGE]
    record["stride"] = stride
    record["kept"] = CAPACITY // 2


@kernel
def _page(record: np.void, pages: Rows, place: int) -> npt.NDArray[np.float64]:
    page: npt.NDArray[np.float64] = pages[record["pages"][place // PAGE]]["values"]
    return page


@kernel
def _coin(block: int, stride: int) -> int:
    """Return 0 or 1 for the half of a block that is drawn: a bit of SplitMix64."""
    # Of a signed and an unsigned number numba makes a float, so all of these are unsigned; products wrap around.
    mixed = np.uint64(stride * CAPACITY + block + 1) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return int(mixed >> np.uint64(63))


@kernel
def update_at(rows: Rows, index: int, pages: Rows, value: float) -> bool:
    """Do what `update` does, with the record at an index: what Python calls, as handing over a record takes 1 us."""
    return update(rows[index], pages, value)
