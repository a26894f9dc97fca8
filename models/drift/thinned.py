"""A bounded, deterministic sample of a stream: every value at first, then one of every two, of every four and so on."""

from __future__ import annotations

from array import array
from base64 import b64decode, b64encode
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final
from zlib import compress, decompress

if TYPE_CHECKING:
    from collections.abc import Callable

_COMPRESSED: Final = "~"  # no character of base64
_REPEATED: Final = 4  # times that a value occurs on average, from which compressing pays
_CAPACITY: Final = 4096  # 256 quantile cells of 16 values each
_64_BITS: Final = (1 << 64) - 1


class Thinned:
    """Up to 4,096 values, one of each block of `stride` values, where the stride doubles as the stream grows.

    Which one of a block is drawn by a hash: the k-th of each would be the same item of a batch again and again, where
    records come in a fixed rotation. Two blocks that become one draw between the two values they had, so the sample is
    a function of the stream alone, and a snapshot needs no generator.

    Examples
    --------
    >>> sample = Thinned()
    >>> for n in range(10_000):
    ...     sample.update(float(n))
    >>> len(sample.values), sample.values[:5].tolist()
    (2500, [1.0, 7.0, 8.0, 12.0, 16.0])

    """

    __slots__ = ("_count", "_next", "_stride", "values")

    def __init__(self) -> None:
        self.values = array("d")
        self._count = 0
        self._stride = 1
        self._next = 0

    def update(self, value: float) -> None:
        """Take one finite value."""
        if self._count == self._next:
            self.values.append(value)
            if len(self.values) == _CAPACITY:
                self._stride *= 2
                self.values = array("d", _halved(self._stride)(self.values))
            self._next = _drawn(len(self.values), self._stride)
        self._count += 1

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [pack(self.values), self._count, self._stride]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Thinned:
        """Rebuild what `snapshot` returned."""
        sample = cls()
        sample.values, sample._count, sample._stride = unpack(snapshot[0]), snapshot[1], snapshot[2]
        sample._next = _drawn(len(sample.values), sample._stride)
        return sample


@cache  # all samples of a version ask the same; as many answers as strides
def _halved(stride: int) -> Callable[[array[float]], tuple[float, ...]]:
    """Return what keeps one of each two values, which then stand for blocks of `stride`."""
    return itemgetter(*(2 * block + _coin(block, stride) for block in range(_CAPACITY // 2)))


def _drawn(block: int, stride: int) -> int:
    """Return the number of the value that stands for a block: that which halving would leave of it."""
    while stride > 1:
        block = 2 * block + _coin(block, stride)
        stride //= 2
    return block


def _coin(block: int, stride: int) -> int:
    """Return 0 or 1 for the half of a block that is drawn: a bit of SplitMix64 (Steele, Lea and Flood, 2014)."""
    mixed = (stride * _CAPACITY + block + 1) * 0x9E3779B97F4A7C15 & _64_BITS
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _64_BITS
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _64_BITS
    return mixed >> 63


def pack(values: array[float]) -> str:
    """Write doubles as text, exactly; values that repeat, such as zeros and ones, in a fraction of the space."""
    raw = values.tobytes()
    if len(set(values)) * _REPEATED < len(values):
        return _COMPRESSED + b64encode(compress(raw, 1)).decode()
    return b64encode(raw).decode()


def unpack(text: str) -> array[float]:
    """Read what `pack` wrote."""
    if text.startswith(_COMPRESSED):
        return array("d", decompress(b64decode(text[1:])))
    return array("d", b64decode(text))
