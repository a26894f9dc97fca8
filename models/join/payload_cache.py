"""Which stored predictions memory holds too: the newest of all models of a partition, up to a number and a size."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from driftline.models.join.table import JoinTable

_MOST: Final = 20_000
_MOST_BYTES: Final = 16_000_000
"""As they are stored. In memory a prediction takes two to five times as much."""


class PayloadCache:
    """Takes the payloads from a table that have been in it for longest.

    Parameters
    ----------
    table
        Whose payloads.
    most, most_bytes
        Payloads, and bytes of them as they are stored.

    """

    def __init__(self, table: JoinTable, most: int = _MOST, most_bytes: int = _MOST_BYTES) -> None:
        self._table = table
        self._most = most
        self._most_bytes = most_bytes
        self._cached: deque[tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]] = deque()
        self._count = 0
        self._bytes = 0

    def add(self, places: npt.NDArray[np.int32], sizes: npt.NDArray[np.int64]) -> None:
        """Keep payloads, by their places in the table, that are about to be stored in so many bytes each."""
        self._cached.append((places, self._table.serials(places), sizes))
        self._count += len(places)
        self._bytes += int(sizes.sum())

    def trim(self) -> None:
        """Let the oldest go that are too many; all of them must be stored by now."""
        while self._count > self._most or self._bytes > self._most_bytes:
            places, serials, sizes = self._cached.popleft()
            passed = np.cumsum(sizes)
            of_number = self._count - self._most
            of_bytes = int(np.searchsorted(passed, self._bytes - self._most_bytes)) + 1
            over = min(max(of_number, of_bytes if self._bytes > self._most_bytes else 0), len(places))
            self._table.let_go(places[:over], serials[:over])
            self._count -= over
            self._bytes -= int(passed[over - 1]) if over else 0
            if over < len(places):
                self._cached.appendleft((places[over:], serials[over:], sizes[over:]))
