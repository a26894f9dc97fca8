"""Arrays that kernels read and Python appends to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

FEWEST: Final = 64


class Growing:
    """An array that grows as it must; what is behind its length is zero.

    Examples
    --------
    >>> growing = Growing(np.dtype(np.uint8))
    >>> growing.append(7), growing.extend(b"ab"), len(growing)
    (0, 1, 3)

    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.array: npt.NDArray[Any] = np.zeros(FEWEST, dtype)
        self._length = 0

    def __len__(self) -> int:
        """Return how many items there are."""
        return self._length

    def _make_room(self, more: int) -> None:
        size = len(self.array)
        while size < self._length + more + 1:  # there is always one behind the last
            size *= 2
        if size > len(self.array):
            grown = np.zeros(size, self.array.dtype)
            grown[: self._length] = self.array[: self._length]
            self.array = grown

    def append(self, item: object) -> int:
        """Add an item and return its place."""
        self._make_room(1)
        self.array[self._length] = item
        self._length += 1
        return self._length - 1

    def extend(self, items: Sequence[int]) -> int:
        """Add some bytes and return the place of the first."""
        self._make_room(len(items))
        start = self._length
        self.array[start : start + len(items)] = np.frombuffer(bytes(items), np.uint8)
        self._length += len(items)
        return start
