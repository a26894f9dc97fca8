"""Quantiles of a stream of durations in bounded memory, with a relative error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

# With gamma = (1 + alpha) / (1 - alpha), the bucket i holds (gamma^(i - 1), gamma^i], and answering with its
# 2 gamma^i / (gamma + 1) is off by at most alpha.
_ALPHA: Final = 0.01
_GAMMA: Final = (1.0 + _ALPHA) / (1.0 - _ALPHA)
_BUCKETS_PER_LOG: Final = 1.0 / math.log(_GAMMA)

# A fixed range bounds the buckets: 2,073 of them. DDSketch's own bound moves with the largest value, so that a single
# absurd one costs the resolution of all others.
_SMALLEST: Final = 1e-6
_LARGEST: Final = 1e12
_LOWEST: Final = math.ceil(math.log(_SMALLEST) * _BUCKETS_PER_LOG)
_HIGHEST: Final = math.ceil(math.log(_LARGEST) * _BUCKETS_PER_LOG)


class QuantileSketch:
    """DDSketch: counts in buckets that grow geometrically; deterministic, and merging is exact.

    A quantile is off by at most 1 % of itself, from 1e-6 to 1e12 of whatever the unit is (in seconds: from a
    microsecond to 30,000 years). Smaller values share the lowest bucket and larger ones the highest. A value below 0
    (clocks of two machines disagree) is taken as 0 and counted as `negative`.

    References
    ----------
    Masson, Rim, Lee, "DDSketch: A fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019.

    Examples
    --------
    >>> sketch = QuantileSketch()
    >>> for delay in range(1, 1001):
    ...     sketch.update(float(delay))
    >>> abs(sketch.quantile(0.9) - 900) < 9
    True
    >>> sketch.report()["max"]
    1000.0

    """

    __slots__ = ("_buckets", "_count", "_max", "_min", "_negative")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._count = 0
        self._negative = 0
        self._min: float | None = None
        self._max: float | None = None

    def update(self, value: float) -> None:
        """Count a finite value."""
        if value < 0.0:
            value = 0.0
            self._negative += 1
        self._count += 1
        self._extend(value, value)
        if value <= _SMALLEST:
            bucket = _LOWEST
        elif value >= _LARGEST:
            bucket = _HIGHEST
        else:
            bucket = math.ceil(math.log(value) * _BUCKETS_PER_LOG)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1

    def _extend(self, low: float, high: float) -> None:
        if self._min is None or low < self._min:
            self._min = low
        if self._max is None or high > self._max:
            self._max = high

    def merge(self, other: QuantileSketch) -> None:
        """Add what `other` has counted; exactly as if its values had been counted here."""
        if other._min is None or other._max is None:
            return
        self._count += other._count
        self._negative += other._negative
        self._extend(other._min, other._max)
        for bucket, count in other._buckets.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count

    def quantile(self, q: float) -> float | None:
        """Return the value at rank ``floor(q * (count - 1))``, counted from 0 in rising order; None without values.

        Raises
        ------
        ValueError
            If `q` is not in [0, 1].

        """
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"a quantile lies between 0 and 1, not at {q}")
        if self._min is None or self._max is None:
            return None
        rank = math.floor(q * (self._count - 1))
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank < 0:
                break
        middle = 0.0 if bucket == _LOWEST else 2.0 * _GAMMA**bucket / (_GAMMA + 1.0)
        return min(max(middle, self._min), self._max)

    def report(self) -> dict[str, float | int | None]:
        """Return the counts, the exact extremes and three quantiles; None without values."""
        return {
            "count": self._count,
            "negative": self._negative,
            "min": self._min,
            "max": self._max,
            "p50": self.quantile(0.5),
            "p90": self.quantile(0.9),
            "p99": self.quantile(0.99),
        }

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state as plain JSON; `restore` continues from it identically."""
        buckets = [[bucket, self._buckets[bucket]] for bucket in sorted(self._buckets)]
        counts = {"count": self._count, "negative": self._negative, "buckets": buckets}
        return {**counts, "min": self._min, "max": self._max}

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """Return the sketch that a snapshot describes."""
        sketch = cls()
        sketch._count = snapshot["count"]
        sketch._negative = snapshot["negative"]
        sketch._min = snapshot["min"]
        sketch._max = snapshot["max"]
        sketch._buckets = dict(snapshot["buckets"])
        return sketch
