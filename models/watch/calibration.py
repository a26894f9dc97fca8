"""What the reference says a label is worth where the model says a score."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from statistics import fmean
from typing import TYPE_CHECKING, Final, Self

from driftline.models.drift.thinned import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_BINS: Final = 20
_FEWEST_PAIRS: Final = 125  # of a bin: the mean outcome of fewer says little
PROBABILITY: Final = (0.0, 1.0)
NUMBER: Final = (-1e100, 1e100)


class Calibration:
    """The expected outcome at a score: a line through the means of bins that are quantiles of the reference's scores.

    Before the first bin and after the last the line runs to where score and outcome are both at their limit: so a shift
    of inputs to scores that the reference has hardly seen is not taken for labels that no longer follow the score.

    Parameters
    ----------
    scores, outcomes
        The corners of the line, by rising score.

    Examples
    --------
    >>> calibration = Calibration.of([0.1] * 200 + [0.5] * 200, [0.0] * 200 + [0.6] * 200, PROBABILITY)
    >>> [round(calibration.expected(score), 2) for score in (0.0, 0.1, 0.3, 0.5, 0.75, 1.0)]
    [0.0, 0.0, 0.3, 0.6, 0.8, 1.0]

    """

    __slots__ = ("_outcomes", "_scores")

    def __init__(self, scores: array[float], outcomes: array[float]) -> None:
        self._scores = scores
        self._outcomes = outcomes

    @classmethod
    def of(cls, scores: Sequence[float], outcomes: Sequence[float], limits: tuple[float, float]) -> Self:
        """Return the calibration of reference pairs, at least one: scores and outcomes in the same order and limits."""
        ordered = sorted(scores)
        bins = max(1, min(_MOST_BINS, len(ordered) // _FEWEST_PAIRS))
        edges = sorted({ordered[k * len(ordered) // bins] for k in range(bins)})[1:]
        pairs: list[list[tuple[float, float]]] = [[] for _ in range(len(edges) + 1)]
        for score, outcome in zip(scores, outcomes, strict=True):
            pairs[bisect_right(edges, score)].append((score, outcome))
        corners = [(fmean(score for score, _ in pair), fmean(outcome for _, outcome in pair)) for pair in pairs]
        lowest, highest = limits
        before = [(lowest, lowest)] if corners[0][0] > lowest else []
        after = [(highest, highest)] if corners[-1][0] < highest else []
        by_score = [*before, *corners, *after]
        return cls(array("d", (score for score, _ in by_score)), array("d", (outcome for _, outcome in by_score)))

    def expected(self, score: float) -> float:
        """Return the mean outcome that the reference leads to expect at a score within the limits."""
        scores, outcomes = self._scores, self._outcomes
        place = bisect_right(scores, score)
        if place == len(scores):
            return outcomes[-1]
        share = (score - scores[place - 1]) / (scores[place] - scores[place - 1])
        return outcomes[place - 1] + share * (outcomes[place] - outcomes[place - 1])

    def snapshot(self) -> list[str]:
        """Return plain values."""
        return [pack(self._scores), pack(self._outcomes)]

    @classmethod
    def restore(cls, snapshot: list[str]) -> Self:
        """Rebuild what `snapshot` returned."""
        scores, outcomes = snapshot
        return cls(unpack(scores), unpack(outcomes))
