"""Measures by rank: for streams of any unit, scale and tail, which a detector of means cannot take as they are."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, Final, Self

from driftline.models.drift.measure import (
    Measure,
    Residual,
    ShareGrowth,
    around,
    mean_and_error,
    moments,
)
from driftline.models.drift.thinned import pack, unpack
from driftline.schemas.alerts import Effect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.drift.measure import Tally

_CELLS: Final = 256
_GROUP: Final = 16  # cells that one bin is made of
_LARGEST: Final = 1e100  # a relative growth is cut off here, where the reference had next to no loss


class Ranks:
    """256 quantile cells of a reference.

    A value equal to many of the reference takes the middle of their ranks.

    Parameters
    ----------
    cells
        256 quantiles of the reference, the smallest and the largest value included.
    middle
        Its median.

    Examples
    --------
    >>> ranks = Ranks.of([float(n) for n in range(1000)])
    >>> ranks.unit(499.5), ranks.unit(-1e9), ranks.unit(1e9)
    (0.5, 0.0, 1.0)

    """

    __slots__ = ("_cells", "median")

    def __init__(self, cells: array[float], middle: float) -> None:
        self._cells = cells
        self.median = middle

    @classmethod
    def of(cls, reference: Sequence[float]) -> Self:
        """Return the ranks of a reference: at least one finite value, in any order."""
        ordered = sorted(reference)
        last = len(ordered) - 1
        return cls(array("d", (ordered[round(k * last / (_CELLS - 1))] for k in range(_CELLS))), median(ordered))

    def unit(self, value: float) -> float:
        """Return the mid-rank in [0, 1]."""
        return (bisect_left(self._cells, value) + bisect_right(self._cells, value)) / (2 * _CELLS)

    def binned(self, values: Sequence[float]) -> list[int]:
        """Count values in 17 bins of the mid-rank, the last one for what lies beyond the reference's maximum.

        A value that stands for many of the reference falls into the middle of its ranks, so that what comes above or
        below it is told from it even if the reference had nothing there.
        """
        cells = self._cells
        counts = [0] * (_CELLS // _GROUP + 1)
        for value in values:
            counts[(bisect_left(cells, value) + bisect_right(cells, value)) // (2 * _GROUP)] += 1
        return counts

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [pack(self._cells), self.median]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Self:
        """Rebuild what `snapshot` returned."""
        return cls(unpack(snapshot[0]), snapshot[1])


class RankPsi:
    """Population stability index against the reference, over bins of its quantiles.

    Examples
    --------
    >>> measure = RankPsi.of([float(n) for n in range(1000)])
    >>> measure.effect([n * 100.0 for n in range(300)]).value > 1
    True

    """

    __slots__ = ("_counts", "_ranks", "unit")

    def __init__(self, ranks: Ranks, counts: list[int]) -> None:
        self._ranks = ranks
        self._counts = counts
        self.unit = ranks.unit

    @classmethod
    def of(cls, reference: Sequence[float]) -> Self:
        """Return the measure against a reference: at least one finite value, in any order."""
        ranks = Ranks.of(reference)
        return cls(ranks, ranks.binned(reference))

    def tally(self, values: Sequence[float]) -> Tally:
        """Count values in the bins."""
        return self._ranks.binned(values)

    def bounds(self, tally: Tally) -> tuple[float, float]:
        """Return the PSI less what chance alone would give so few values, and the largest one that may be behind it."""
        pairs = [pair for pair in zip(self._counts, tally, strict=True) if any(pair)]
        m, n, bins = sum(self._counts), sum(tally), len(pairs)
        psi = 0.0
        for reference_count, recent_count in pairs:
            # Half a value more in each bin (Jeffreys' prior) keeps an empty one from being an infinite change.
            before, after = (reference_count + 0.5) / (m + 0.5 * bins), (recent_count + 0.5) / (n + 0.5 * bins)
            psi += (after - before) * math.log(after / before)
        # Under no change PSI / (1/n + 1/m) is about chi-squared with bins - 1 degrees of freedom (Yurdakul, 2018), and
        # after one noncentral: it scatters the more the larger the change.
        freedom, scale = bins - 1, 1 / n + 1 / m
        beyond_chance = psi - freedom * scale
        at_least, _ = around(beyond_chance, math.sqrt(2 * freedom) * scale)
        change = max(beyond_chance / scale, 0.0)
        _, at_most = around(beyond_chance, math.sqrt(2 * freedom + 4 * change) * scale)
        return at_least, at_most

    def effect(self, recent: Sequence[float], tally: Tally | None = None) -> Effect:
        """Return the PSI, and both medians."""
        value, _ = self.bounds(tally or self.tally(recent))
        return Effect(measure="psi", value=value, before=self._ranks.median, after=median(recent))

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return ["psi", self._ranks.snapshot(), self._counts]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Self:
        """Rebuild what `snapshot` returned."""
        return cls(Ranks.restore(snapshot[1]), list(snapshot[2]))


class RankShift:
    """How far the mean rank has moved from the middle; for residuals of numbers.

    Examples
    --------
    >>> effect = RankShift.of("residual_rank", [float(n) for n in range(-500, 500)]).effect([250.0] * 100)
    >>> round(effect.value, 2), effect.after
    (0.25, 250.0)

    """

    __slots__ = ("_ranks", "_reference", "name", "unit")

    def __init__(self, name: str, ranks: Ranks, reference: int) -> None:
        self.name = name
        self._ranks = ranks
        self._reference = reference
        self.unit = ranks.unit

    @classmethod
    def of(cls, name: str, reference: Sequence[float]) -> Self:
        """Return the measure of that name against a reference: at least one finite value, in any order."""
        return cls(name, Ranks.of(reference), len(reference))

    def tally(self, values: Sequence[float]) -> Tally:
        """Sum up how far ranks are from the middle."""
        return moments(self.unit(value) - 0.5 for value in values)

    def bounds(self, tally: Tally) -> tuple[float, float]:
        """Return the distance of the mean rank from one half, at least and at most."""
        mean, error = mean_and_error(tally, self._reference)
        return around(abs(mean), error)

    def effect(self, recent: Sequence[float], tally: Tally | None = None) -> Effect:
        """Return the distance of the mean rank from one half, and both medians."""
        value, _ = self.bounds(tally or self.tally(recent))
        return Effect(measure=self.name, value=value, before=self._ranks.median, after=median(recent))

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return ["shift", self.name, self._ranks.snapshot(), self._reference]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Self:
        """Rebuild what `snapshot` returned."""
        return cls(snapshot[1], Ranks.restore(snapshot[2]), snapshot[3])


class MeanGrowth:
    """How much larger a positive, unbounded loss is than in the reference, as a share of it; ranked for the detector.

    Examples
    --------
    >>> measure = MeanGrowth.of("relative_mae", [1.0, 2.0, 3.0] * 100)
    >>> round(measure.effect([4.0] * 500).value, 2)
    1.0

    """

    __slots__ = ("_before", "_ranks", "_reference", "name", "unit")

    def __init__(self, name: str, before: float, ranks: Ranks, reference: int) -> None:
        self.name = name
        self._before = before
        self._ranks = ranks
        self._reference = reference
        self.unit = ranks.unit

    @classmethod
    def of(cls, name: str, reference: Sequence[float]) -> Self:
        """Return the measure of that name against a reference: at least one finite value, in any order."""
        return cls(name, fmean(reference), Ranks.of(reference), len(reference))

    def tally(self, values: Sequence[float]) -> Tally:
        """Sum up how much larger losses are than the reference's mean."""
        return moments(value - self._before for value in values)

    def bounds(self, tally: Tally) -> tuple[float, float]:
        """Return the relative growth of the mean, at least and at most."""
        scale = self._before or 1.0  # a reference without any loss: the growth is then in the loss's own unit
        at_least, at_most = around(*mean_and_error(tally, self._reference))
        return min(at_least / scale, _LARGEST), min(at_most / scale, _LARGEST)

    def effect(self, recent: Sequence[float], tally: Tally | None = None) -> Effect:
        """Return the relative growth of the mean."""
        tally = tally or self.tally(recent)
        after = self._before + tally[1] / tally[0]
        value, _ = self.bounds(tally)
        return Effect(measure=self.name, value=value, before=self._before, after=after)

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return ["mean", self.name, self._before, self._ranks.snapshot(), self._reference]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Self:
        """Rebuild what `snapshot` returned."""
        return cls(snapshot[1], snapshot[2], Ranks.restore(snapshot[3]), snapshot[4])


_MEASURES: Final[dict[str, type[RankPsi | RankShift | MeanGrowth | ShareGrowth | Residual]]] = {
    "psi": RankPsi,
    "shift": RankShift,
    "mean": MeanGrowth,
    "share": ShareGrowth,
    "residual": Residual,
}


def restore_measure(snapshot: list[Any]) -> Measure:
    """Rebuild any measure from its snapshot."""
    return _MEASURES[snapshot[0]].restore(snapshot)
