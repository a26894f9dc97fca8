"""What the reference says a label is worth where the model says a score."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from driftline.models.thinned import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

_BINS: Final = 20
_PRIOR: Final = 1.0  # pairs of the overall mean that each bin starts with, so that an empty one is defined


class Calibration:
    """The mean outcome by bin of the score, bins being quantiles of the reference's scores.

    Parameters
    ----------
    scores, outcomes
        Of the reference pairs, in the same order, at least one.

    Examples
    --------
    >>> calibration = Calibration([0.1] * 50 + [0.9] * 50, [0.0] * 50 + [1.0] * 50)
    >>> round(calibration.expected(0.05), 2), round(calibration.expected(0.95), 2)
    (0.01, 0.99)

    """

    __slots__ = ("_edges", "_means")

    def __init__(self, scores: Sequence[float], outcomes: Sequence[float]) -> None:
        ordered = sorted(scores)
        starts = sorted({ordered[k * len(ordered) // _BINS] for k in range(_BINS)})
        self._edges = array("d", starts[1:])  # what lies before the first or after the last belongs to their bins
        sums, counts = [fmean(outcomes) * _PRIOR] * len(starts), [_PRIOR] * len(starts)
        for score, outcome in zip(scores, outcomes, strict=True):
            place = bisect_right(self._edges, score)
            sums[place] += outcome
            counts[place] += 1
        self._means = array("d", (total / count for total, count in zip(sums, counts, strict=True)))

    def expected(self, score: float) -> float:
        """Return the mean outcome that the reference had at such a score."""
        return self._means[bisect_right(self._edges, score)]

    def snapshot(self) -> list[str]:
        """Return plain values."""
        return [pack(self._edges), pack(self._means)]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Calibration:
        """Rebuild what `snapshot` returned."""
        calibration = cls.__new__(cls)
        calibration._edges, calibration._means = unpack(snapshot[0]), unpack(snapshot[1])
        return calibration
