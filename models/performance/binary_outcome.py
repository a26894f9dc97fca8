"""A pair of a binary model, read."""

from __future__ import annotations

from typing import Final, NamedTuple, Self

from driftline.models.performance.auc import logit_bin
from driftline.models.performance.exact import ONE
from driftline.models.performance.losses import log_loss, weighted

FIRST_POSITIVE: Final = 3
"""Cells from here on are of positive labels."""

_CORRECT: Final = frozenset({0, 4})


class BinaryOutcome(NamedTuple):
    """One pair, read: what `BinaryPerformance` adds up. Weights and losses are in units of ``2**-100``.

    Attributes
    ----------
    cell
        3 * (is the label positive) + (0 predicted negative, 1 predicted positive, 2 predicted neither).
    weight
        The weight of the pair.
    score_bin
        The finest logit bin of the score; None if there was no score.
    log_loss, squared_error
        Weighted losses of the score; 0 if there was none.

    """

    cell: int
    weight: int
    score_bin: int | None
    log_loss: int
    squared_error: int

    @classmethod
    def of(cls, positive: bool, predicted: bool | None, score: float | None, weight: int = ONE) -> Self:  # noqa: FBT001 - values
        """Return the outcome of a pair; `predicted` is None for a prediction that is neither class."""
        cell = 3 * positive + (2 if predicted is None else predicted)
        if score is None or not 0.0 <= score <= 1.0:
            return cls(cell, weight, None, 0, 0)
        of_label = score if positive else 1.0 - score
        of_rest = score - positive
        return cls(cell, weight, logit_bin(score), log_loss(of_label, weight), weighted(of_rest * of_rest, weight))

    @property
    def positive(self) -> bool:
        """Whether the label is the positive class."""
        return self.cell >= FIRST_POSITIVE

    @property
    def correct(self) -> bool:
        """Whether the prediction is the label."""
        return self.cell in _CORRECT
