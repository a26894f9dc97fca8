"""Keys in the order in which they expire, in memory bounded by how many are live."""

from __future__ import annotations

from collections import deque
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_SLACK: Final = 1024
NEVER: Final = 2**63
"""After every moment that there is."""


class ExpiryQueue:
    """A queue of keys in the order of (moment, key) that forgets keys which are no longer live.

    Time mostly goes forward: what expires no sooner than all before it stands in a row, to which it costs little to
    add, and only what comes out of order is in a heap. What is first in the row goes into the heap when its moment has
    come, together with all of that moment, so that their keys are in order too.

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

    __slots__ = ("_heap", "_is_live", "_newest", "_row")

    def __init__(self, is_live: Callable[[bytes, int], bool]) -> None:
        self._row: deque[tuple[int, bytes]] = deque()
        self._newest = -NEVER  # the last moment of the row, even if it is empty by now
        self._heap: list[tuple[int, bytes]] = []
        self._is_live = is_live

    def __len__(self) -> int:
        """Return how many entries are held, live or not; after a push at most twice the live ones and 1,025."""
        return len(self._row) + len(self._heap)

    def push(self, key: bytes, moment: int, live: int) -> None:
        """Add a key; `live` is how many live keys there are, by which memory is bounded."""
        row = self._row
        if len(row) + len(self._heap) > 2 * live + _SLACK:
            self._forget(2 * live + _SLACK)
            row = self._row
        if moment >= self._newest:
            self._newest = moment
            row.append((moment, key))
        else:
            heappush(self._heap, (moment, key))

    def _forget(self, most: int) -> None:
        """Forget what is no longer live: what is first in the row will do if it is enough."""
        row, is_live = self._row, self._is_live
        while row and not is_live(row[0][1], row[0][0]):
            row.popleft()
        if len(self) > most:
            self._row = deque(entry for entry in row if is_live(entry[1], entry[0]))
            self._heap = [entry for entry in self._heap if is_live(entry[1], entry[0])]
            heapify(self._heap)

    def earliest(self) -> int:
        """Return a moment before which no key is due, and `NEVER` if there is none."""
        moment = self._row[0][0] if self._row else NEVER
        heap = self._heap
        return heap[0][0] if heap and heap[0][0] < moment else moment

    def due(self, now: int) -> int | None:
        """Return the moment of the live key that expires first, if that is `now` or earlier."""
        row, heap, is_live = self._row, self._heap, self._is_live
        while True:
            while row and (moment := row[0][0]) <= now and (not heap or moment <= heap[0][0]):
                heappush(heap, row.popleft())
            if not heap:
                return None
            moment, key = heap[0]
            if moment > now:
                return None
            if is_live(key, moment):
                return moment
            heappop(heap)

    def take(self, now: int) -> bytes | None:
        """Remove and return the live key that expires first, if that is at `now` or earlier."""
        return None if self.due(now) is None else heappop(self._heap)[1]

    def first(self) -> bytes:
        """Remove and return the live key that expires first.

        Raises
        ------
        IndexError
            If no key is live.

        """
        self.due(NEVER)
        return heappop(self._heap)[1]
