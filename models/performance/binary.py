"""Performance of a model that tells positives from negatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

from driftline.models.performance.auc import MAX_BINS, LogitBins, logit_bin
from driftline.models.performance.exact import ONE, divide, dump, load
from driftline.models.performance.losses import log_loss, weighted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.performance.protocol import Report, Snapshot

_TRUE_NEGATIVE, _FALSE_POSITIVE, _OUTSIDE_NEGATIVE, _FALSE_NEGATIVE, _TRUE_POSITIVE, _OUTSIDE_POSITIVE = range(6)
_CORRECT = frozenset({_TRUE_NEGATIVE, _TRUE_POSITIVE})
_OUTSIDE = frozenset({_OUTSIDE_NEGATIVE, _OUTSIDE_POSITIVE})


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
        return self.cell >= _FALSE_NEGATIVE

    @property
    def correct(self) -> bool:
        """Whether the prediction is the label."""
        return self.cell in _CORRECT


class BinaryPerformance:
    """Accuracy, precision, recall, F1, log loss, Brier score and ROC-AUC from sums that merge exactly.

    A prediction that is neither class is an error: it lowers the accuracy, and the recall if the label is positive; it
    is not a positive prediction, so it leaves the precision alone. Its score counts like any other. A pair without a
    score enters every metric that needs none.

    Parameters
    ----------
    max_bins
        Bins of the ROC-AUC.

    Examples
    --------
    >>> performance = BinaryPerformance()
    >>> performance.update(BinaryOutcome.of(positive=True, predicted=True, score=0.9))
    >>> performance.update(BinaryOutcome.of(positive=False, predicted=True, score=0.6))
    >>> report = performance.report()
    >>> report["precision"], report["recall"], report["roc_auc"]
    (0.5, 1.0, 1.0)

    """

    __slots__ = ("_bins", "_cells", "_log_loss", "_outside", "_pairs", "_scored", "_scored_weight", "_squared_error")

    def __init__(self, max_bins: int = MAX_BINS) -> None:
        self._pairs = self._outside = self._scored = 0
        self._cells = [0] * 6
        self._scored_weight = self._log_loss = self._squared_error = 0
        self._bins = LogitBins(max_bins)

    def update(self, outcome: BinaryOutcome) -> None:
        """Count one pair."""
        cell, weight, score_bin, log_loss, squared_error = outcome
        self._pairs += 1
        self._cells[cell] += weight
        if cell in _OUTSIDE:
            self._outside += 1
        if score_bin is not None:
            self._scored += 1
            self._scored_weight += weight
            self._log_loss += log_loss
            self._squared_error += squared_error
            self._bins.update(score_bin, cell >= _FALSE_NEGATIVE, weight)

    def merge(self, other: BinaryPerformance) -> None:
        """Add what `other` has counted."""
        self._pairs += other._pairs
        self._outside += other._outside
        self._scored += other._scored
        self._cells = [mine + theirs for mine, theirs in zip(self._cells, other._cells, strict=True)]
        self._scored_weight += other._scored_weight
        self._log_loss += other._log_loss
        self._squared_error += other._squared_error
        self._bins.merge(other._bins)

    def report(self) -> Report:
        """Return the metrics, and the counts `pairs`, `scored` (those with a score) and `outside` (neither class)."""
        tn, fp, _, fn, tp, outside_positive = self._cells
        total = sum(self._cells)
        missed = fn + outside_positive
        return {
            "pairs": self._pairs,
            "scored": self._scored,
            "outside": self._outside,
            "base_rate": divide(tp + missed, total),
            "accuracy": divide(tp + tn, total),
            "precision": divide(tp, tp + fp),
            "recall": divide(tp, tp + missed),
            "f1": divide(2 * tp, 2 * tp + fp + missed),
            "log_loss": divide(self._log_loss, self._scored_weight),
            "brier": divide(self._squared_error, self._scored_weight),
            "roc_auc": self._bins.roc_auc(),
        }

    def snapshot(self) -> Snapshot:
        """Return the whole state."""
        return {
            "pairs": self._pairs,
            "outside": self._outside,
            "scored": self._scored,
            "cells": [dump(weight) for weight in self._cells],
            "scored_weight": dump(self._scored_weight),
            "log_loss": dump(self._log_loss),
            "squared_error": dump(self._squared_error),
            "bins": self._bins.snapshot(),
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """Return the counters that a snapshot describes."""
        performance = cls()
        performance._pairs = snapshot["pairs"]
        performance._outside = snapshot["outside"]
        performance._scored = snapshot["scored"]
        performance._cells = [load(weight) for weight in snapshot["cells"]]
        performance._scored_weight = load(snapshot["scored_weight"])
        performance._log_loss = load(snapshot["log_loss"])
        performance._squared_error = load(snapshot["squared_error"])
        performance._bins = LogitBins.restore(snapshot["bins"])
        return performance
