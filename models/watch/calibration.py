"""What the reference says a label is worth where the model says a score."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final, Self

from driftline.models.drift.thinned import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_BINS: Final = 20
_FEWEST_PAIRS: Final = 50  # of a bin: the mean outcome of fewer says little
PROBABILITY: Final = (0.0, 1.0)
NUMBER: Final = (-1e100, 1e100)


class Calibration:
    """The expected outcome at a score: a line through the means of bins that are quantiles of the reference's scores.

    Beyond the outermost bins the outcome is expected to follow the score one to one, within `limits`: so a shift of
    inputs to scores that the reference has hardly seen is not taken for labels that no longer follow the score.

    Parameters
    ----------
    scores, means
        The mean score and the mean outcome of each bin, by rising score.
    limits
        The smallest and the largest outcome there can be.

    Examples
    --------
    >>> calibration = Calibration.of([0.1] * 50 + [0.5] * 50, [0.0] * 50 + [0.6] * 50, PROBABILITY)
    >>> [round(calibration.expected(score), 2) for score in (0.0, 0.1, 0.3, 0.5, 0.7, 1.0)]
    [0.0, 0.0, 0.3, 0.6, 0.8, 1.0]

    """

    __slots__ = ("_limits", "_means", "_scores")

    def __init__(self, scores: array[float], means: array[float], limits: tuple[float, float]) -> None:
        self._scores = scores
        self._means = means
        self._limits = limits

    @classmethod
    def of(cls, scores: Sequence[float], outcomes: Sequence[float], limits: tuple[float, float]) -> Self:
        """Return the calibration of reference pairs: their scores and outcomes in the same order, at least one."""
        ordered = sorted(scores)
        bins = max(1, min(_MOST_BINS, len(ordered) // _FEWEST_PAIRS))
        edges = sorted({ordered[k * len(ordered) // bins] for k in range(bins)})[1:]
        pairs: list[list[tuple[float, float]]] = [[] for _ in range(len(edges) + 1)]
        for score, outcome in zip(scores, outcomes, strict=True):
            pairs[bisect_right(edges, score)].append((score, outcome))
        return cls(
            array("d", (fmean(score for score, _ in pair) for pair in pairs)),
            array("d", (fmean(outcome for _, outcome in pair) for pair in pairs)),
            limits,
        )

    def expected(self, score: float) -> float:
        """Return the mean outcome that the reference leads to expect at a score."""
        scores, means = self._scores, self._means
        place = bisect_right(scores, score)
        if 0 < place < len(scores):
            share = (score - scores[place - 1]) / (scores[place] - scores[place - 1])
            return means[place - 1] + share * (means[place] - means[place - 1])
        nearest = max(place - 1, 0)
        return min(max(means[nearest] + score - scores[nearest], self._limits[0]), self._limits[1])

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [pack(self._scores), pack(self._means), self._limits]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Self:
        """Rebuild what `snapshot` returned."""
        scores, means, (lowest, highest) = snapshot
        return cls(unpack(scores), unpack(means), (lowest, highest))
