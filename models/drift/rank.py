"""Measures by rank: for streams of any unit, scale and tail, which a detector of means cannot take as they are."""

from __future__ import annotations

from statistics import fmean, median
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from driftline.models.drift.measure import CategoryPsi, Measure, Residual, ShareGrowth
from driftline.models.drift.packed import unpack_record
from driftline.models.kernels import measure as kernels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.kernels.types import Doubles, Record


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

    def __init__(self, cells: Doubles, middle: float) -> None:
        self.cells = cells
        self.median = middle

    @classmethod
    def of(cls, reference: Sequence[float]) -> Self:
        """Return the ranks of a reference: at least one finite value, in any order."""
        ordered = sorted(reference)
        last = len(ordered) - 1
        places = (round(k * last / (kernels.CELLS - 1)) for k in range(kernels.CELLS))
        return cls(np.array([ordered[place] for place in places], float), median(ordered))

    def unit(self, value: float) -> float:
        """Return the mid-rank in [0, 1]."""
        return kernels.twice_mid_rank(self.cells, value) / (2 * kernels.CELLS)


class _Ranked(Measure):
    layout = kernels.RANKED

    def rank_by(self, reference: Sequence[float]) -> Self:
        """Rank values among those of a reference: at least one finite value, in any order."""
        ranks = Ranks.of(reference)
        self.record["cells"] = ranks.cells
        self.record["before"] = ranks.median
        self.record["reference"] = len(reference)
        return self


class RankPsi(_Ranked):
    """Population stability index against the reference, over bins of its quantiles.

    There are 17 bins of the mid-rank, the last one for what lies beyond the reference's maximum. A value that stands
    for many of the reference falls into the middle of its ranks, so that what comes above or below it is told from it
    even if the reference had nothing there.

    Examples
    --------
    >>> measure = RankPsi.of([float(n) for n in range(1000)])
    >>> measure.effect([n * 100.0 for n in range(300)]).value > 1
    True

    """

    kind = kernels.PSI
    sums = kernels.BINS

    def __init__(self, name: str = "psi") -> None:
        super().__init__(name)

    @classmethod
    def of(cls, reference: Sequence[float]) -> Self:
        """Return the measure against a reference: at least one finite value, in any order."""
        measure = cls().rank_by(reference)
        measure.record["bins"] = measure.tally(reference)
        return measure


def complete(measure: Record, reference: Sequence[float]) -> None:
    """Say what of the reference is known at its end only: a `RankPsi` has counted values since it was made."""
    measure["reference"] = int(measure["bins"].sum())
    measure["before"] = median(reference)


class RankShift(_Ranked):
    """How far the mean rank has moved from the middle; for residuals of numbers.

    Examples
    --------
    >>> effect = RankShift.of("residual_rank", [float(n) for n in range(-500, 500)]).effect([250.0] * 100)
    >>> round(effect.value, 2), effect.after
    (0.25, 250.0)

    """

    kind = kernels.SHIFT

    @classmethod
    def of(cls, name: str, reference: Sequence[float]) -> Self:
        """Return the measure of that name against a reference: at least one finite value, in any order."""
        return cls(name).rank_by(reference)


class MeanGrowth(_Ranked):
    """How much larger a positive, unbounded loss is than in the reference, as a share of it; ranked for the detector.

    Examples
    --------
    >>> measure = MeanGrowth.of("relative_mae", [1.0, 2.0, 3.0] * 100)
    >>> round(measure.effect([4.0] * 500).value, 2)
    1.0

    """

    kind = kernels.MEAN

    @classmethod
    def of(cls, name: str, reference: Sequence[float]) -> Self:
        """Return the measure of that name against a reference: at least one finite value, in any order."""
        measure = cls(name).rank_by(reference)
        measure.record["before"] = fmean(reference)
        return measure


_KINDS: Final[dict[int, type[Measure]]] = {
    kind.kind: kind for kind in (RankPsi, RankShift, MeanGrowth, ShareGrowth, Residual, CategoryPsi)
}


def blank_measure(kind: int, name: str) -> Measure:
    """Return a measure of a kind, with nothing of its reference."""
    measure = _KINDS[kind].__new__(_KINDS[kind])
    Measure.__init__(measure, name)
    return measure


def restore_measure(snapshot: list[Any]) -> Measure:
    """Rebuild any measure from its snapshot."""
    kind, name, packed = snapshot
    measure = blank_measure(kind, name)
    unpack_record(packed, measure.record)
    return measure
