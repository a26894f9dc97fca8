"""Where in a stream a change began, told from sums of its newest values in blocks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from driftline.models.drift.change import locate
from driftline.models.kernels.season import DAY

if TYPE_CHECKING:
    from collections.abc import Sequence

_FEWEST: Final = 4  # blocks after the change before, which a new one right after it is placed in
_BEFORE: Final = 4  # times as many values before a change as after it, to compare with
_LIKELY: Final = 3.0  # standard errors of a difference
_SURE: Final = 3.9  # those of one that was chosen for being large


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
    (68, 96, 112, 0.44)

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
        # Evidence grows with the values after a change: it had half of its digits after half of them. So there are no
        # more than three times those since, with some to spare; of a slow change the blocks tell the middle.
        earliest = min(earliest, max(count - 3 * since, regime))
    elif change.earliest == 1:  # it may have begun before these blocks
        earliest = min(earliest, regime)
    return Place(change.difference, earliest, (first + change.best) * size, latest)


def compared(blocks: Blocks, best: int) -> tuple[int, int]:
    """Return how many of the newest blocks are of a change that began at `best`, and how many to compare with."""
    after = max(blocks.last - best // blocks.size, 1)
    return after, max(min(_BEFORE * after, len(blocks.sums) - after, blocks.last - after), 0)


def may_be_of_the_hour(
    blocks: Blocks, parts: tuple[int, int], variance: float, milliseconds: int, *, is_bounded: bool
) -> bool:
    """Return whether a mean has moved no faster than one that goes up and down once a day, as far as it can.

    Parameters
    ----------
    blocks, parts
        Of which so many of a change and so many before it are compared, as `compared` has it.
    variance
        Of the values, as their sums have it.
    milliseconds
        That the blocks compared took.
    is_bounded
        Whether the mean, which is in [0, 1], bounds by how much it may go up and down.

    Examples
    --------
    >>> blocks = Blocks([4.0] * 8 + [6.0] * 2, size=16, taken=9 * 16, bits=False)
    >>> may_be_of_the_hour(blocks, (2, 6), variance=0.01, milliseconds=60_000, is_bounded=True)
    False
    >>> may_be_of_the_hour(blocks, (2, 6), variance=0.01, milliseconds=10_800_000, is_bounded=True)
    True

    """
    after, before = parts
    if before == 0:
        return False
    sums, size = blocks.newest(before + after), blocks.size
    middle, moved = sum(sums[:before]) / (before * size), sum(sums[before:]) / (after * size)
    # The middles of both parts are half of the time apart, in which a sine rises by this much at most.
    most = min(middle, 1.0 - middle) if is_bounded else 0.5
    swing = 2.0 * math.pi * most * milliseconds / (2 * DAY)
    error = math.sqrt(variance / size * (1.0 / after + 1.0 / before))
    is_slow = abs(moved - middle) <= max(swing + _LIKELY * error, _SURE * error)
    if is_slow or is_bounded:
        return is_slow
    # What is beyond the reference was too rare to have scattered yet. So by how much a share has moved that was chosen
    # for its few is told by an angle, which scatters alike whatever the share is (Anscombe, 1948).
    angle = 2.0 * abs(math.asin(math.sqrt(moved)) - math.asin(math.sqrt(middle)))
    return angle <= _SURE * math.sqrt((1.0 / after + 1.0 / before) / size)
