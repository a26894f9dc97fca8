"""Where the numbers of counters are: one bank for any number of models of a task, so that a kernel counts for all."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from driftline.models.bank import fresh
from driftline.models.kernels import binary, multiclass, regression
from driftline.models.kernels.chunks import ALLOTMENT, MOST_ROWS, Chunks, words_for
from driftline.models.kernels.panes import WINDOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


class CounterBank:
    """Gives out records and windows, and takes them back.

    Parameters
    ----------
    arrays
        Empty ones, with `records` and `windows`.
    reset
        The kernel that makes a record as if nothing had been counted.

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

    __slots__ = ("_dropped", "_dropped_windows", "_free", "_records", "_reset", "_sizes", "_windows", "arrays")

    def __init__(self, arrays: Any, reset: Callable[[Any, int], None]) -> None:  # noqa: ANN401 - of the task
        self.arrays = arrays
        self._reset = reset
        self._records = self._windows = 0  # that were ever given out
        self._sizes: list[int] = []  # of each record
        self._free: dict[int, list[int]] = {}  # records by their size
        self._dropped: deque[int] = deque()
        self._dropped_windows: deque[int] = deque()

    def take(self, size: int) -> int:
        """Return an empty record that is now the caller's, of this size, whatever that is to the task."""
        self._reclaim()
        if free := self._free.get(size):
            return free.pop()
        index = self._records
        self._records += 1
        self._sizes.append(size)
        self.arrays = self.arrays._replace(records=_longer(self.arrays.records, self._records))
        self._open(index, size)
        return index

    def _open(self, index: int, size: int) -> None:
        """Make room for what a new record is to hold besides itself."""

    def take_window(self, size: int, pane: int) -> int:
        """Return a window, now the caller's, whose panes have `size` pairs and of which `pane` is being filled."""
        if self._dropped_windows:
            index = self._dropped_windows.popleft()
        else:
            index = self._windows
            self._windows += 1
            self.arrays = self.arrays._replace(windows=_longer(self.arrays.windows, self._windows))
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
            self._reset(self.arrays, index)
            self._free.setdefault(self._sizes[index], []).append(index)


class BinaryBank(CounterBank):
    """Of binary models; the size of a record is how many bins it may have at most."""

    __slots__ = ("_promised",)

    def __init__(self) -> None:
        chunks = Chunks.of(np.zeros(1, ALLOTMENT), np.empty(0, np.uint32))
        super().__init__(binary.Bank(np.zeros(0, binary.BINARY), np.zeros(0, WINDOW), chunks), binary.reset)
        self._promised = 0  # words for bins

    def take(self, size: int) -> int:
        """Return an empty record.

        Raises
        ------
        ValueError
            If there cannot be so many bins, or so few.

        """
        if not 1 <= size <= MOST_ROWS:
            raise ValueError(f"the bins of a binary model can be 1 to {MOST_ROWS}, not {size}")
        return super().take(size)

    def _open(self, index: int, size: int) -> None:
        self._promised += words_for(size)
        self.arrays = self.arrays._replace(chunks=self._with_room(self.arrays.chunks))
        self.arrays.records[index]["bins"]["most"] = size

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


class MulticlassBank(CounterBank):
    """Of models that tell several classes apart; the size of a record is how many there are."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        records = np.zeros(0, multiclass.MULTICLASS)
        super().__init__(multiclass.Bank(records, np.zeros(0, WINDOW), np.zeros(0, np.int64)), multiclass.reset)
        self._counts = 0  # in use

    def _open(self, index: int, size: int) -> None:
        record = self.arrays.records[index]
        record["classes"], record["start"] = size, self._counts
        self._counts += 3 * size
        self.arrays = self.arrays._replace(counts=_longer(self.arrays.counts, self._counts))


class RegressionBank(CounterBank):
    """Of models that predict a number; all records are of one size."""

    __slots__ = ()

    def __init__(self) -> None:
        records = np.zeros(0, regression.REGRESSION)
        super().__init__(regression.Bank(records, np.zeros(0, WINDOW)), regression.reset)


class CounterBanks(NamedTuple):
    """Those of all tasks."""

    binary: BinaryBank
    multiclass: MulticlassBank
    regression: RegressionBank

    @classmethod
    def empty(cls) -> CounterBanks:
        """Return new ones."""
        return cls(BinaryBank(), MulticlassBank(), RegressionBank())


def _longer(array: NDArray[Any], length: int) -> NDArray[Any]:
    if length <= len(array):
        return array
    longer = fresh(max(length, 2 * len(array)), array.dtype)
    longer[: len(array)] = array
    return longer
