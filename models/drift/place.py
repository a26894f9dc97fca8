"""Where in a stream a change began, told from sums of its newest values in blocks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from driftline.models.drift.change import locate
from driftline.models.kernels.season import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEWEST: Final = 4  # blocks after the change before, which a new one right after it is placed in
_SURE: Final = 2.5  # standard errors of a difference


class Place(NamedTuple):
    """Where a change is thought to have begun, by counts of values, and by how much the mean differs after it."""

    difference: float
    earliest: int
    best: int
    latest: int


class Blocks(NamedTuple):
    """The sums of the newest of so many values `taken`, which are in [0, 1], or zeros and ones where they are `bits`.

    That of the block of `size` values which the n-th one ends stands in place n // size, modulo how many there are.
    """

    sums: Sequence[float]
    size: int
    taken: int
    bits: bool

    @property
    def last(self) -> int:
        """The number of the newest block, from 1."""
        return self.taken // self.size

    def newest(self, n: int) -> list[float]:
        """Return the sums of the last `n`, the oldest first."""
        return [self.sums[block % len(self.sums)] for block in range(self.last - n + 1, self.last + 1)]


def place(blocks: Blocks, regime: int, since: int | None) -> Place:
    """Return where a change began that was seen after the newest value.

    The change before began at `regime`; `since` is how many values there have been for which there was evidence, None
    where that is not known.

    Examples
    --------
    >>> found = place(Blocks([8.0, *[1.0] * 6, 8.0], size=16, taken=128, bits=False), regime=0, since=20)
    >>> found.earliest, found.best, found.latest, round(found.difference, 2)
    (80, 96, 112, 0.44)

    """
    count, size = blocks.taken, blocks.size
    # Before the newest change there is nothing to compare with; a new one right after it has but a few blocks.
    n = min(max(blocks.last - regime // size, _FEWEST), len(blocks.sums), blocks.last)
    if n < 2:  # noqa: PLR2004 - there is nothing to compare
        return Place(0.0, regime, regime, count)
    first = blocks.last - n
    change = locate(blocks.newest(n), size=size, bits=blocks.bits)
    # A change in the middle of a block may be seen at either end of it.
    earliest = (first + change.earliest - 1) * size
    latest = (first + change.latest + 1) * size
    if since is not None:
        # Evidence grows with the values after a change, and a third of them are needed to tell it from none. So there
        # are no more than twice those since; of a slow change the blocks tell the middle.
        earliest = min(earliest, max(count - 2 * since, regime))
    elif change.earliest == 1:  # it may have begun before these blocks
        earliest = min(earliest, regime)
    return Place(change.difference, earliest, (first + change.best) * size, latest)


def compared(blocks: Blocks, since: int) -> int:
    """Return how many of the newest blocks are of a change that so many values have shown, and as many before."""
    return 2 * min(max(since // blocks.size, 1), len(blocks.sums) // 2, blocks.last // 2)


def may_be_of_the_hour(blocks: Blocks, n: int, variance: float, milliseconds: int) -> bool:
    """Return whether a mean has moved no faster than one that goes up and down once a day, as far as it can.

    Parameters
    ----------
    blocks, n
        Of which the newest `n` are compared, an even number: those of the change with as many before.
    variance
        Of the values, as their sums have it.
    milliseconds
        That the blocks compared took.

    Examples
    --------
    >>> blocks = Blocks([4.0] * 8 + [5.0] * 8, size=16, taken=256, bits=False)
    >>> may_be_of_the_hour(blocks, 16, variance=0.01, milliseconds=60_000)
    False
    >>> may_be_of_the_hour(blocks, 16, variance=0.01, milliseconds=7_200_000)
    True

    """
    if n == 0:
        return False
    sums, values = blocks.newest(n), n // 2 * blocks.size
    before, after = (sum(part) / values for part in (sums[: n // 2], sums[n // 2 :]))
    # The middles of both halves are half of the time apart, in which a sine of this mean rises by this much at most.
    swing = 2.0 * math.pi * min(before, 1.0 - before) * milliseconds / (2 * DAY)
    return abs(after - before) - _SURE * math.sqrt(2.0 * variance / values) <= swing
