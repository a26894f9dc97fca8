"""Where in event time and in Kafka a stream stood when it held its n-th value."""

from __future__ import annotations

from collections import deque
from typing import Any, Final, NamedTuple

_FINEST: Final = 8  # one mark every 8 values, which is finer than any change point can be told
_LEVELS: Final = ((_FINEST, 64), (64, 16), (512, 16), (4096, 16), (32_768, 16), (262_144, 16))


class Mark(NamedTuple):
    """A place in a stream.

    `nth` values had been taken; the newest was of `at` (epoch milliseconds) and came with these offsets: of the
    prediction, and of its label or, in a stream of predictions, of the newest label before it (-1: none).
    """

    nth: int
    at: int
    prediction_offset: int
    label_offset: int = -1


class Trail:
    """Marks of a stream in bounded memory: fine for the recent past, ever coarser before.

    Examples
    --------
    >>> trail = Trail()
    >>> for n in range(1, 1001):
    ...     trail.note(Mark(n, n * 10, n))
    >>> trail.at_or_before(900).nth, trail.at_or_before(300).nth
    (896, 256)

    """

    __slots__ = ("_levels", "first")

    def __init__(self) -> None:
        self.first: Mark | None = None
        self._levels: tuple[deque[Mark], ...] = tuple(deque(maxlen=size) for _, size in _LEVELS)

    def note(self, mark: Mark) -> None:
        """Take the newest place; indexes come in order, one by one."""
        if self.first is None:
            self.first = mark
        if mark.nth % _FINEST:
            return
        for (stride, _), level in zip(_LEVELS, self._levels, strict=True):
            if mark.nth % stride:
                return
            level.append(mark)

    def at_or_before(self, nth: int) -> Mark:
        """Return the latest mark kept that is not after `nth`, or the oldest there is."""
        best = oldest = self.first
        for level in self._levels:
            for mark in level:
                if mark.nth <= nth and (best is None or best.nth > nth or mark.nth > best.nth):
                    best = mark
        return best or oldest or Mark(0, 0, 0)

    def at_or_after(self, nth: int) -> Mark | None:
        """Return the earliest mark kept that is not before `nth`; None if there is none yet."""
        later = [mark for level in self._levels for mark in level if mark.nth >= nth]
        return min(later, default=None)

    def snapshot(self) -> list[Any]:
        """Return plain lists."""
        return [self.first, [list(level) for level in self._levels]]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Trail:
        """Rebuild what `snapshot` returned."""
        trail = cls()
        first, levels = snapshot
        trail.first = None if first is None else Mark(*first)
        for level, marks in zip(trail._levels, levels, strict=True):
            level.extend(Mark(*mark) for mark in marks)
        return trail
