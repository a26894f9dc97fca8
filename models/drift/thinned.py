"""A bounded, deterministic sample of a stream: every value at first, then one of every two, of every four and so on."""

from __future__ import annotations

from array import array
from typing import Any, Final
from zlib import compress, decompress

import numpy as np

from driftline.models.bank import Bank
from driftline.models.kernels.thinned import CAPACITY, PAGE, THINNED, THINNED_PAGE, drawn, update_at

_COMPRESSED: Final = b"~"
_PLAIN: Final = b"="
_REPEATED: Final = 4  # times that a value occurs on average, from which compressing pays


class Thinned:
    """Up to 4,096 values, one of each block of `stride` values, where the stride doubles as the stream grows.

    Which one of a block is drawn by a hash: the k-th of each would be the same item of a batch again and again, where
    records come in a fixed rotation. Two blocks that become one draw between the two values they had, so the sample is
    a function of the stream alone, and a snapshot needs no generator.

    Parameters
    ----------
    bank, pages
        Where its record of type THINNED is, and its values, in records of type THINNED_PAGE, beside those of other
        samples; by default, in banks of its own.

    Examples
    --------
    >>> sample = Thinned()
    >>> for n in range(10_000):
    ...     sample.update(float(n))
    >>> len(sample.values), sample.values[:5].tolist()
    (2500, [1.0, 7.0, 8.0, 12.0, 16.0])

    """

    __slots__ = ("_bank", "_pages", "index")

    def __init__(self, bank: Bank | None = None, pages: Bank | None = None) -> None:
        self._bank = Bank(THINNED) if bank is None else bank
        self._pages = Bank(THINNED_PAGE) if pages is None else pages
        self.index: Final = self._bank.allocate()
        self._record["stride"] = 1

    @property
    def _record(self) -> np.void:
        record: np.void = self._bank.rows[self.index]
        return record

    @property
    def values(self) -> array[float]:
        """A copy of the values kept, in the order they came."""
        record = self._record
        pages = record["pages"][: record["room"] // PAGE]
        values = self._pages.rows[pages]["values"].ravel()[: record["kept"]]
        return array("d", values.tobytes())

    def __len__(self) -> int:
        """Return how many values are kept."""
        return int(self._record["kept"])

    def update(self, value: float) -> None:
        """Take one finite value."""
        if not update_at(self._bank.rows, self.index, self._pages.rows, value):
            self.reserve(1)
            update_at(self._bank.rows, self.index, self._pages.rows, value)

    def reserve(self, values: int) -> None:
        """Make room for so many values more, so that a kernel can take them."""
        record = self._record
        while record["room"] < min(record["kept"] + values, CAPACITY):
            record["pages"][record["room"] // PAGE] = self._pages.allocate()
            record["room"] += PAGE

    def release(self) -> None:
        """Give the record and the pages back to their banks; the sample is not used after that."""
        record = self._record
        for page in record["pages"][: record["room"] // PAGE].tolist():
            self._pages.free(page)
        self._bank.free(self.index)

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        record = self._record
        return [pack(self.values), int(record["count"]), int(record["stride"])]

    @classmethod
    def restore(cls, snapshot: list[Any], bank: Bank | None = None, pages: Bank | None = None) -> Thinned:
        """Rebuild what `snapshot` returned."""
        sample = cls(bank, pages)
        values, count, stride = np.array(unpack(snapshot[0])), snapshot[1], snapshot[2]
        sample.reserve(len(values))
        record = sample._record
        for start in range(0, len(values), PAGE):
            page = values[start : start + PAGE]
            sample._pages.rows[record["pages"][start // PAGE]]["values"][: len(page)] = page
        record["kept"], record["count"], record["stride"] = len(values), count, stride
        record["due"] = drawn(len(values), stride)
        return sample


def pack(values: array[float]) -> bytes:
    """Write doubles, exactly; values that repeat, such as zeros and ones, in a fraction of the space."""
    raw = values.tobytes()
    is_repetitive = len(set(values)) * _REPEATED < len(values)
    return _COMPRESSED + compress(raw, 1) if is_repetitive else _PLAIN + raw


def unpack(packed: bytes) -> array[float]:
    """Read what `pack` wrote."""
    raw = packed[1:]
    return array("d", decompress(raw) if packed.startswith(_COMPRESSED) else raw)
