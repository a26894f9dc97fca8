"""Which stored predictions memory holds too: the newest of all models of a partition, up to a number and a size."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from driftline.models.join.entry import Entry

_MOST: Final = 20_000
_MOST_BYTES: Final = 16_000_000
"""As they are stored. In memory a prediction takes two to five times as much."""


class Elsewhere:
    """How many predictions of a model wait with a payload that only the store has."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class PayloadCache:
    """Takes the payload from the entries that have had it for longest.

    Parameters
    ----------
    most, most_bytes
        Payloads, and bytes of them as they are stored.

    Examples
    --------
    >>> from driftline.models.join.entry import Entry, EntryState, Pending
    >>> first, second = (Entry(EntryState.PENDING, 9, Pending(0, n, "1", prediction=1)) for n in range(2))
    >>> cache, elsewhere = PayloadCache(most=1), Elsewhere()
    >>> cache.add(first, 60, elsewhere)
    >>> cache.add(second, 60, elsewhere)
    >>> cache.trim()
    >>> first.payload is None, second.payload is None, elsewhere.count
    (True, False, 1)

    """

    def __init__(self, most: int = _MOST, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._cached: deque[tuple[Entry, int, Elsewhere]] = deque()
        self._bytes = 0

    def add(self, entry: Entry, size: int, elsewhere: Elsewhere) -> None:
        """Keep the payload of an entry that is about to be stored.

        Parameters
        ----------
        entry
            Whoever drops it takes its payload, too.
        size
            Bytes in the store.
        elsewhere
            Of its model: counts it once it has gone.

        """
        self._cached.append((entry, size, elsewhere))
        self._bytes += size

    def trim(self) -> None:
        """Let the oldest go that are too many; all of them must be stored by now."""
        while len(self._cached) > self._most or self._bytes > self._most_bytes:
            entry, size, elsewhere = self._cached.popleft()
            self._bytes -= size
            if entry.payload is not None:
                entry.payload = None
                elsewhere.count += 1
