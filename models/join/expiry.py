"""Keys in the order in which they expire, in memory bounded by how many are live."""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_SLACK: Final = 1024


class ExpiryQueue:
    """A heap of (moment, key) that forgets keys which are no longer live.

    Parameters
    ----------
    is_live
        Whether a key still expires at that moment; keys are never removed from the middle, they cease to be live.

    Examples
    --------
    >>> live = {b"a": 20, b"b": 10}
    >>> queue = ExpiryQueue(lambda key, moment: live.get(key) == moment)
    >>> for key, moment in live.items():
    ...     queue.push(key, moment, live=len(live))
    >>> queue.due(9), queue.due(15), queue.first(), queue.due(15), len(queue)
    (None, 10, b'b', None, 1)

    """

    __slots__ = ("_heap", "_is_live")

    def __init__(self, is_live: Callable[[bytes, int], bool]) -> None:
        self._heap: list[tuple[int, bytes]] = []
        self._is_live = is_live

    def __len__(self) -> int:
        """Return how many entries are held, live or not; after a push at most twice the live ones and 1,025."""
        return len(self._heap)

    def push(self, key: bytes, moment: int, *, live: int) -> None:
        """Add a key; `live` is how many live keys there are, by which memory is bounded."""
        if len(self._heap) > 2 * live + _SLACK:
            self._heap = [entry for entry in self._heap if self._is_live(entry[1], entry[0])]
            heapify(self._heap)
        heappush(self._heap, (moment, key))

    @property
    def soonest(self) -> float:
        """The moment before which no key expires: infinity without keys."""
        return self._heap[0][0] if self._heap else math.inf

    def due(self, now: int) -> int | None:
        """Return the moment of the live key that expires first, if that is `now` or earlier."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            moment, key = heap[0]
            if self._is_live(key, moment):
                return moment
            heappop(heap)
        return None

    def first(self) -> bytes:
        """Remove and return the live key that expires first.

        Raises
        ------
        IndexError
            If no key is live.

        """
        while True:
            moment, key = heappop(self._heap)
            if self._is_live(key, moment):
                return key
