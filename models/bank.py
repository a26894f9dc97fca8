"""Records of one kind side by side in memory, where one call of a kernel reaches those of many models."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt


_PRIVATE: Final = getattr(mmap, "MAP_PRIVATE", 0) | getattr(mmap, "MAP_ANONYMOUS", 0)
_SMALL: Final = 1 << 16
"""Bytes below which the system is not asked for pages."""


def fresh(length: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Return an array of zeros of which nothing takes memory until it is written.

    numpy's own may: what it asks for is rounded up to huge pages, and once an array was given back the next may come
    from the heap and be cleared. With a thousand models that was a twelfth of the memory, with two hundred a fifth.
    """
    size = length * dtype.itemsize
    if size < _SMALL:
        return np.zeros(length, dtype)
    pages = mmap.mmap(-1, size, flags=_PRIVATE) if _PRIVATE else mmap.mmap(-1, size)
    return np.frombuffer(pages, dtype)


class Bank:
    """Records of one structured type, addressed by index; there is room for twice as many when all are in use.

    Growing moves the records: keep a bank and an index, and no record or view of `rows`, beyond the next `allocate`.

    Parameters
    ----------
    dtype
        The type of a record.

    Attributes
    ----------
    rows
        All records, those in use and the others: what a kernel is called with.

    Examples
    --------
    >>> bank = Bank(np.dtype([("count", np.int64), ("weights", np.float64, 3)], align=True))
    >>> first, second = bank.allocate(), bank.allocate()
    >>> bank.rows[first]["weights"][1] = 0.5
    >>> third = bank.allocate()
    >>> bank.rows["weights"][:, 1].tolist(), len(bank), len(bank.rows)
    ([0.5, 0.0, 0.0, 0.0], 3, 4)
    >>> bank.free(first)
    >>> bank.allocate() == first, bank.rows[first]["weights"].tolist()
    (True, [0.0, 0.0, 0.0])

    """

    __slots__ = ("_free", "_in_use", "_touched", "rows")

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self.rows: npt.NDArray[np.void] = np.zeros(1, dtype)
        self._free: list[int] = []  # of those that were in use
        self._touched = 0  # records that ever were
        self._in_use = bytearray(1)

    def __len__(self) -> int:
        """Return how many records are in use."""
        return self._touched - len(self._free)

    def allocate(self) -> int:
        """Return the index of a record that nobody uses; all of it is zero."""
        if self._free:
            index = self._free.pop()
        else:
            index = self._touched
            self._touched += 1
            if index == len(self.rows):
                self._grow()
        self._in_use[index] = 1
        return index

    def free(self, index: int) -> None:
        """Give a record back.

        Raises
        ------
        IndexError
            If it is not in use: given back twice, it would be handed out to two.

        """
        if not 0 <= index < len(self.rows) or not self._in_use[index]:
            raise IndexError(f"record {index} is not in use")
        self._raw(self.rows)[index] = 0  # here and not at allocate: fresh memory is zero already, and not yet touched
        self._in_use[index] = 0
        self._free.append(index)

    def _grow(self) -> None:
        size = len(self.rows)
        grown = fresh(2 * size, self.rows.dtype)
        self._raw(grown)[:size] = self._raw(self.rows)
        self.rows = grown
        self._in_use.extend(bytes(size))

    @staticmethod
    def _raw(rows: npt.NDArray[np.void]) -> npt.NDArray[Any]:
        """Return the bytes of each record: numpy copies and clears records field by field, padding left out."""
        return rows.view(np.uint8).reshape(len(rows), rows.itemsize)
