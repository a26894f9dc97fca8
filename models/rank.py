"""Measures by rank: for streams of any unit, scale and tail, which a detector of means cannot take as they are."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, Final

from driftline.models.measure import STANDARD_ERRORS, Measure, Residual, ShareGrowth, standard_error
from driftline.models.thinned import pack, unpack
from driftline.schemas.alerts import Effect

if TYPE_CHECKING:
    from collections.abc import Sequence

_CELLS: Final = 256
_GROUP: Final = 16  # cells that one PSI bin is made of


class Ranks:
    """256 quantile cells of a reference.

    A value equal to many of the reference takes the middle of their ranks.

    Parameters
    ----------
    reference
        At least one finite value, in any order.

    Examples
    --------
    >>> ranks = Ranks([float(n) for n in range(1000)])
    >>> ranks.unit(499.5), ranks.unit(-1e9), ranks.unit(1e9)
    (0.5, 0.0, 1.0)

    """

    __slots__ = ("_cells", "median")

    def __init__(self, reference: Sequence[float]) -> None:
        ordered = sorted(reference)
        last = len(ordered) - 1
        self._cells = array("d", (ordered[round(k * last / (_CELLS - 1))] for k in range(_CELLS)))
        self.median = median(ordered)

    def unit(self, value: float) -> float:
        """Return the mid-rank in [0, 1]."""
        return (bisect_left(self._cells, value) + bisect_right(self._cells, value)) / (2 * _CELLS)

    def binned(self, values: Sequence[float]) -> list[int]:
        """Count values in 17 bins of 16 cells; what lies beyond the reference's maximum has the last one to itself."""
        counts = [0] * (_CELLS // _GROUP + 1)
        for value in values:
            counts[bisect_right(self._cells, value) // _GROUP] += 1
        return counts

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [pack(self._cells), self.median]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Ranks:
        """Rebuild what `snapshot` returned."""
        ranks = cls.__new__(cls)
        ranks._cells, ranks.median = unpack(snapshot[0]), snapshot[1]
        return ranks


class RankPsi:
    """Population stability index against the reference, over bins of its quantiles.

    Examples
    --------
    >>> measure = RankPsi([float(n) for n in range(1000)])
    >>> measure.effect([n * 100.0 for n in range(300)]).value > 1
    True

    """

    __slots__ = ("_ranks", "_shares", "unit")

    def __init__(self, reference: Sequence[float]) -> None:
        self._ranks = Ranks(reference)
        self._shares = [count / len(reference) for count in self._ranks.binned(reference)]
        self.unit = self._ranks.unit

    def effect(self, recent: Sequence[float]) -> Effect:
        """Return the PSI less what chance alone would give so few values."""
        n = len(recent)
        bins = sum(1 for share in self._shares if share)
        psi = 0.0
        for count, share in zip(self._ranks.binned(recent), self._shares, strict=True):
            after, before = (count + 0.5) / (n + 0.5 * bins), max(share, 0.5 / (2 * _CELLS))
            psi += (after - before) * math.log(after / before)
        # Under no change n · PSI is about chi-squared with bins - 1 degrees of freedom (Yurdakul, 2018).
        chance = (bins - 1 + STANDARD_ERRORS * math.sqrt(2 * (bins - 1))) / n
        value = max(psi - chance, 0.0)
        return Effect(measure="psi", value=value, before=self._ranks.median, after=median(recent))

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return ["psi", self._ranks.snapshot(), self._shares]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> RankPsi:
        """Rebuild what `snapshot` returned."""
        measure = cls.__new__(cls)
        measure._ranks, measure._shares = Ranks.restore(snapshot[1]), snapshot[2]
        measure.unit = measure._ranks.unit
        return measure


class RankShift:
    """How far the mean rank has moved from the middle; for residuals of numbers.

    Examples
    --------
    >>> effect = RankShift("residual_rank", [float(n) for n in range(-500, 500)]).effect([250.0] * 100)
    >>> round(effect.value, 2), effect.after
    (0.25, 250.0)

    """

    __slots__ = ("_ranks", "name", "unit")

    def __init__(self, name: str, reference: Sequence[float]) -> None:
        self.name = name
        self._ranks = Ranks(reference)
        self.unit = self._ranks.unit

    def effect(self, recent: Sequence[float]) -> Effect:
        """Return the distance of the mean rank from one half."""
        units = [self.unit(value) for value in recent]
        mean = fmean(units)
        value = max(abs(mean - 0.5) - STANDARD_ERRORS * standard_error(units, mean), 0.0)
        return Effect(measure=self.name, value=value, before=self._ranks.median, after=median(recent))

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return ["shift", self.name, self._ranks.snapshot()]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> RankShift:
        """Rebuild what `snapshot` returned."""
        measure = cls.__new__(cls)
        measure.name, measure._ranks = snapshot[1], Ranks.restore(snapshot[2])
        measure.unit = measure._ranks.unit
        return measure


class MeanGrowth:
    """How much larger a positive, unbounded loss is than in the reference, as a share of it; ranked for the detector.

    Examples
    --------
    >>> measure = MeanGrowth("relative_mae", [1.0, 2.0, 3.0] * 100)
    >>> round(measure.effect([4.0] * 500).value, 2)
    1.0

    """

    __slots__ = ("_before", "_ranks", "name")

    def __init__(self, name: str, reference: Sequence[float]) -> None:
        self.name = name
        self._before = fmean(reference)
        self._ranks = Ranks(reference)

    def unit(self, value: float) -> float:
        """Return the mid-rank in [0, 1]."""
        return self._ranks.unit(value)

    def effect(self, recent: Sequence[float]) -> Effect:
        """Return the relative growth of the mean."""
        after = fmean(recent)
        spread = standard_error(recent, after)
        scale = self._before or 1.0  # a reference without any loss: the growth is then in the loss's own unit
        value = max((after - self._before - STANDARD_ERRORS * spread) / scale, 0.0)
        return Effect(measure=self.name, value=value, before=self._before, after=after)

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return ["mean", self.name, self._before, self._ranks.snapshot()]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> MeanGrowth:
        """Rebuild what `snapshot` returned."""
        measure = cls.__new__(cls)
        measure.name, measure._before = snapshot[1], snapshot[2]
        measure._ranks = Ranks.restore(snapshot[3])
        return measure


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
