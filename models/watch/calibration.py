"""What the reference says a label is worth where the model says a score."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from statistics import fmean
from typing import TYPE_CHECKING, Final, Self

from driftline.models.drift.thinned import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_MOST_BINS: Final = 20
_FEWEST_PAIRS: Final = 125  # of a bin: the mean outcome of fewer says little
_LARGEST: Final = 1e100  # as of every number in an event


class Calibration:
    """The expected outcome at a score: a line through the means of bins that are quantiles of the reference's scores.

    Beyond the bins the outcome is expected to follow the score, so that a shift of inputs to scores that the reference
    has hardly seen is not taken for labels that no longer follow the score: of probabilities the line runs to where
    score and outcome are both 0 or both 1, and numbers keep the distance that they have at the outermost bin.

    Parameters
    ----------
    scores, outcomes
        The corners of the line, by rising score.

    Examples
    --------
    >>> scores, outcomes = [0.1] * 200 + [0.5] * 200, [0.0] * 200 + [0.6] * 200
    >>> calibration = Calibration.of_probabilities(scores, outcomes)
    >>> [round(calibration.expected(score), 2) for score in (0.0, 0.1, 0.3, 0.5, 0.75, 1.0)]
    [0.0, 0.0, 0.3, 0.6, 0.8, 1.0]
    >>> calibration = Calibration.of_numbers(scores, outcomes)
    >>> [round(calibration.expected(score), 2) for score in (-9.0, 0.1, 0.3, 0.5, 9.0)]
    [-9.1, 0.0, 0.3, 0.6, 9.1]

    """

    __slots__ = ("_outcomes", "_scores")

    def __init__(self, scores: array[float], outcomes: array[float]) -> None:
        self._scores = scores
        self._outcomes = outcomes

    @classmethod
    def of_probabilities(cls, scores: Sequence[float], outcomes: Sequence[float]) -> Self:
        """Return the calibration of reference pairs, at least one: scores and outcomes in [0, 1], in the same order."""
        corners = _corners(scores, outcomes)
        before = [(0.0, 0.0)] if corners[0][0] > 0.0 else []
        after = [(1.0, 1.0)] if corners[-1][0] < 1.0 else []
        return cls._through([*before, *corners, *after])

    @classmethod
    def of_numbers(cls, scores: Sequence[float], outcomes: Sequence[float]) -> Self:
        """Return the calibration of reference pairs, at least one, of numbers within 1e100 of 0, in the same order."""
        return cls._through(_corners(scores, outcomes))

    @classmethod
    def _through(cls, corners: Sequence[tuple[float, float]]) -> Self:
        return cls(array("d", (score for score, _ in corners)), array("d", (outcome for _, outcome in corners)))

    def expected(self, score: float) -> float:
        """Return the mean outcome that the reference leads to expect at a score."""
        scores, outcomes = self._scores, self._outcomes
        place = bisect_right(scores, score)
        if 0 < place < len(scores):
            share = (score - scores[place - 1]) / (scores[place] - scores[place - 1])
            return outcomes[place - 1] + share * (outcomes[place] - outcomes[place - 1])
        # From the corner and not from a far limit: beside that the distance would be lost in rounding.
        end = 0 if place == 0 else -1
        return min(max(outcomes[end] + (score - scores[end]), -_LARGEST), _LARGEST)

    def fill(self, record: np.void) -> None:
        """Copy the line into a record of type CALIBRATION, for the kernel that reads it."""
        corners = len(self._scores)
        record["corners"] = corners
        record["scores"][:corners] = self._scores
        record["outcomes"][:corners] = self._outcomes

    def snapshot(self) -> list[bytes]:
        """Return plain values."""
        return [pack(self._scores), pack(self._outcomes)]

    @classmethod
    def restore(cls, snapshot: list[bytes]) -> Self:
        """Rebuild what `snapshot` returned."""
        scores, outcomes = snapshot
        return cls(unpack(scores), unpack(outcomes))


def _corners(scores: Sequence[float], outcomes: Sequence[float]) -> list[tuple[float, float]]:
    """Return the mean score and the mean outcome of each bin."""
    ordered = sorted(scores)
    bins = max(1, min(_MOST_BINS, len(ordered) // _FEWEST_PAIRS))
    edges = sorted({ordered[k * len(ordered) // bins] for k in range(bins)})[1:]
    pairs: list[list[tuple[float, float]]] = [[] for _ in range(len(edges) + 1)]
    for score, outcome in zip(scores, outcomes, strict=True):
        pairs[bisect_right(edges, score)].append((score, outcome))
    return [(fmean(score for score, _ in pair), fmean(outcome for _, outcome in pair)) for pair in pairs]
