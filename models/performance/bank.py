"""Where the numbers of binary models are: one bank for any number of them, so that a kernel counts for all at once."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from driftline.models.bank import fresh
from driftline.models.kernels.binary import BINARY, WINDOW, Bank, reset
from driftline.models.kernels.chunks import ALLOTMENT, MOST_ROWS, Chunks, words_for

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray


class BinaryBank:
    """Gives out records and windows, and takes them back.

    Attributes
    ----------
    arrays
        What kernels take. Others stand here after `take` and `take_window`, which make the arrays longer if need be:
        read it anew before each call of a kernel.

    Examples
    --------
    >>> bank = BinaryBank()
    >>> first, second = bank.take(1024), bank.take(128)
    >>> bank.drop(second)
    >>> bank.take(128) == second
    True

    """

    __slots__ = ("_dropped", "_dropped_windows", "_free", "_promised", "_records", "_windows", "arrays")

    def __init__(self) -> None:
        self.arrays = Bank(
            np.zeros(0, BINARY),
            np.zeros(0, WINDOW),
            Chunks.of(np.zeros(1, ALLOTMENT), np.empty(0, np.uint32)),
        )
        self._records = self._windows = 0  # that were ever given out
        self._promised = 0  # words for bins
        self._free: dict[int, list[int]] = {}  # records by their bound on bins
        self._dropped: deque[int] = deque()
        self._dropped_windows: deque[int] = deque()

    def take(self, most: int) -> int:
        """Return an empty record that is now the caller's, with at most `most` bins.

        Raises
        ------
        ValueError
            If there cannot be so many, or so few.

        """
        if not 1 <= most <= MOST_ROWS:
            raise ValueError(f"the bins of a binary model can be 1 to {MOST_ROWS}, not {most}")
        self._reclaim()
        if free := self._free.get(most):
            return free.pop()
        index = self._records
        self._records += 1
        self._promised += words_for(most)
        records, windows, chunks = self.arrays
        self.arrays = Bank(_longer(records, self._records), windows, self._with_room(chunks))
        self.arrays.records[index]["bins"]["most"] = most
        return index

    def take_window(self, size: int, pane: int) -> int:
        """Return a window, now the caller's, whose panes have `size` pairs and of which `pane` is being filled."""
        if self._dropped_windows:
            index = self._dropped_windows.popleft()
        else:
            index = self._windows
            self._windows += 1
            records, windows, chunks = self.arrays
            self.arrays = Bank(records, _longer(windows, self._windows), chunks)
        self.arrays.windows[index] = (size, pane)
        return index

    def drop(self, index: int) -> None:
        """Take a record back, soon.

        Only a note is made: this is called when an object is garbage, and that may be in the middle of `take`.
        """
        self._dropped.append(index)

    def drop_window(self, index: int) -> None:
        """Take a window back."""
        self._dropped_windows.append(index)

    def _reclaim(self) -> None:
        while self._dropped:
            index = self._dropped.popleft()
            reset(self.arrays, index)
            most = int(self.arrays.records[index]["bins"]["most"])
            self._free.setdefault(most, []).append(index)

    def _with_room(self, chunks: Chunks) -> Chunks:
        allotment, words = chunks.allotment, chunks.words
        if self._promised <= len(words):
            return chunks
        length = max(self._promised, len(words) * 3 // 2)
        used = int(allotment[0]["used"])
        # Nothing but what was used is copied: pages that are not touched cost no memory.
        longer = fresh(length + length % 2, words.dtype)
        longer[:used] = words[:used]
        return Chunks.of(allotment, longer)


def _longer(array: NDArray[Any], length: int) -> NDArray[Any]:
    if length <= len(array):
        return array
    longer = fresh(max(length, 2 * len(array)), array.dtype)
    longer[: len(array)] = array
    return longer
