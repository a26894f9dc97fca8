"""Quantiles of a stream of durations in bounded memory, with a relative error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from driftline.models.bank import Bank, fresh
from driftline.models.kernels.quantile_sketch import (
    ALLOTMENT,
    BUCKETS,
    GAMMA,
    LOWEST,
    PAGES,
    QUANTILE_SKETCH,
    SKETCH_PAGE,
    Sketches,
    add,
    counts,
    release,
    update,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt


class SketchBank:
    """Sketches side by side, and room for the pages of all.

    Attributes
    ----------
    arrays
        What kernels take: other arrays after `allocate`.

    """

    __slots__ = ("_bank", "arrays")

    def __init__(self) -> None:
        self._bank = Bank(QUANTILE_SKETCH)
        self.arrays = Sketches(self._bank.rows, np.zeros(0, SKETCH_PAGE), np.zeros(1, ALLOTMENT))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._bank)

    def allocate(self) -> int:
        """Return the index of an empty sketch."""
        index = self._bank.allocate()
        _, pages, allotment = self.arrays
        if len(pages) < PAGES * len(self._bank):
            longer, used = fresh(2 * PAGES * len(self._bank), SKETCH_PAGE), int(allotment[0]["used"])
            longer[:used] = pages[:used]
            pages = longer
        self.arrays = Sketches(self._bank.rows, pages, allotment)
        return index

    def free(self, index: int) -> None:
        """Give a sketch back."""
        release(self.arrays, index)
        self._bank.free(index)


class QuantileSketch:
    """DDSketch: counts in buckets that grow geometrically; deterministic, and merging is exact.

    A quantile is off by at most 1 % of itself, from 1e-6 to 1e12 of whatever the unit is (in seconds: from a
    microsecond to 30,000 years). Smaller values share the lowest bucket and larger ones the highest. A value below 0
    (clocks of two machines disagree) is taken as 0 and counted as `negative`.

    Parameters
    ----------
    bank
        Where its numbers are, beside those of others; by default, in a bank of its own.

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

    __slots__ = ("_bank", "index")

    def __init__(self, bank: SketchBank | None = None) -> None:
        self._bank = SketchBank() if bank is None else bank
        self.index: Final = self._bank.allocate()

    @property
    def _record(self) -> np.void:
        record: np.void = self._bank.arrays.records[self.index]
        return record

    @property
    def _counts(self) -> npt.NDArray[np.int64]:
        return counts(self._bank.arrays, self.index)

    def update(self, value: float) -> None:
        """Count a finite value."""
        update(self._bank.arrays, self.index, value)

    def merge(self, other: QuantileSketch) -> None:
        """Add what `other` has counted; exactly as if its values had been counted here."""
        mine, others = self._record, other._record
        if not others["count"]:
            return
        mine["min"] = min(mine["min"], others["min"]) if mine["count"] else others["min"]
        mine["max"] = max(mine["max"], others["max"]) if mine["count"] else others["max"]
        mine["count"] += others["count"]
        mine["negative"] += others["negative"]
        add(self._bank.arrays, self.index, other._counts)

    def quantile(self, q: float) -> float | None:
        """Return the value at rank ``floor(q * (count - 1))``, counted from 0 in rising order; None without values.

        Raises
        ------
        ValueError
            If `q` is not in [0, 1].

        """
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"a quantile lies between 0 and 1, not at {q}")
        record = self._record
        if not record["count"]:
            return None
        rank = math.floor(q * (int(record["count"]) - 1))
        bucket = int(np.searchsorted(np.cumsum(self._counts), rank, side="right"))
        middle = 2.0 * GAMMA ** (bucket + LOWEST) / (GAMMA + 1.0) if bucket else 0.0
        return float(min(max(middle, record["min"]), record["max"]))

    def report(self) -> dict[str, float | int | None]:
        """Return the counts, the exact extremes and three quantiles; None without values."""
        return {
            **self._totals(),
            "p50": self.quantile(0.5),
            "p90": self.quantile(0.9),
            "p99": self.quantile(0.99),
        }

    def release(self) -> None:
        """Give the record back to the bank; the sketch is not used after that."""
        self._bank.free(self.index)

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state as plain JSON; `restore` continues from it identically."""
        found = self._counts
        used = np.flatnonzero(found)
        buckets = [
            [bucket, count] for bucket, count in zip((used + LOWEST).tolist(), found[used].tolist(), strict=True)
        ]
        return {**self._totals(), "buckets": buckets}

    def _totals(self) -> dict[str, float | int | None]:
        record = self._record
        count, negative = int(record["count"]), int(record["negative"])
        low, high = (float(record["min"]), float(record["max"])) if count else (None, None)
        return {"count": count, "negative": negative, "min": low, "max": high}

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any], bank: SketchBank | None = None) -> Self:
        """Return the sketch that a snapshot describes."""
        sketch = cls(bank)
        record = sketch._record
        for field in ("count", "negative", "min", "max"):
            record[field] = snapshot[field] or 0
        found = np.zeros(BUCKETS, np.int64)
        for bucket, count in snapshot["buckets"]:
            found[bucket - LOWEST] = count
        add(sketch._bank.arrays, sketch.index, found)
        return sketch
