"""Where in event time and in Kafka a stream stood when it held its n-th value."""

from __future__ import annotations

from collections import deque
from typing import Any, Final, NamedTuple

FINEST: Final = 8
"""Values between two marks: finer than any change point can be told."""

_LEVELS: Final = ((FINEST, 64), (64, 16), (512, 16), (4096, 16), (32_768, 16), (262_144, 16))


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

    Values need not come in the order of event time and offsets: pairs come in the order of their labels. So `around`
    answers with bounds.

    Examples
    --------
    >>> trail = Trail()
    >>> for n in range(1, 1001):
    ...     trail.note(Mark(n, n * 10, n))
    >>> start, end = trail.around(900, 901, now=Mark(1000, 10_000, 1000))
    >>> start.nth, start.at, end.nth, end.at
    (896, 8960, 904, 9040)

    """

    __slots__ = ("_first", "_levels")

    def __init__(self) -> None:
        self._first: Mark | None = None
        self._levels: tuple[deque[Mark], ...] = tuple(deque(maxlen=size) for _, size in _LEVELS)

    def note(self, mark: Mark) -> None:
        """Take a place, in order: the first one, and then that of every eighth value; others are not kept."""
        if self._first is None:
            self._first = mark
        for (stride, _), level in zip(_LEVELS, self._levels, strict=True):
            if mark.nth % stride:
                return
            level.append(mark)

    def around(self, earliest: int, latest: int, *, now: Mark) -> tuple[Mark, Mark]:
        """Return places between which all lies that came after the `earliest` and up to the `latest` value.

        The first is that of the last mark not after `earliest`, moved back to the earliest place up to the second; the
        second that of the first mark not before `latest` (else `now`), moved on to the latest place so far.
        """
        kept = self._kept()
        start = next((mark for mark in reversed(kept) if mark.nth <= earliest), kept[0] if kept else now)
        end = next((mark for mark in kept if mark.nth >= latest), now)
        passed = [*(mark for mark in kept if mark.nth < end.nth), end]
        between = [mark for mark in passed if mark.nth >= start.nth] or [end]
        return (
            Mark(start.nth, *map(min, zip(*(mark[1:] for mark in between), strict=True))),
            Mark(end.nth, *map(max, zip(*(mark[1:] for mark in passed), strict=True))),
        )

    def _kept(self) -> list[Mark]:
        first = () if self._first is None else (self._first,)
        return sorted({*first, *(mark for level in self._levels for mark in level)})

    def snapshot(self) -> list[Any]:
        """Return plain lists."""
        return [self._first, [list(level) for level in self._levels]]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Trail:
        """Rebuild what `snapshot` returned."""
        trail = cls()
        first, levels = snapshot
        trail._first = None if first is None else Mark(*first)
        for level, marks in zip(trail._levels, levels, strict=True):
            level.extend(Mark(*mark) for mark in marks)
        return trail
