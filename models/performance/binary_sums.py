"""Sums of pairs of any weight of a binary model, in Python's integers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from driftline.models.performance.auc import MAX_BINS, LogitBins
from driftline.models.performance.binary_outcome import FIRST_POSITIVE
from driftline.models.performance.exact import divide, dump, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.performance.binary_outcome import BinaryOutcome
    from driftline.models.performance.protocol import Report, Snapshot

_OUTSIDE: Final = frozenset({2, 5})


@dataclass(slots=True)
class BinarySums:
    """What all metrics but the ROC-AUC follow from.

    Attributes
    ----------
    pairs, outside, scored
        Pairs, those whose prediction is neither class, and those with a score.
    cells
        Weight in units by `BinaryOutcome.cell`.
    scored_weight, log_loss, squared_error
        In units, of the pairs with a score.

    """

    pairs: int = 0
    outside: int = 0
    scored: int = 0
    cells: list[int] = field(default_factory=lambda: [0] * 6)
    scored_weight: int = 0
    log_loss: int = 0
    squared_error: int = 0

    def merge(self, other: BinarySums) -> None:
        """Add the sums of `other`."""
        self.pairs += other.pairs
        self.outside += other.outside
        self.scored += other.scored
        self.cells = [mine + theirs for mine, theirs in zip(self.cells, other.cells, strict=True)]
        self.scored_weight += other.scored_weight
        self.log_loss += other.log_loss
        self.squared_error += other.squared_error

    def report(self, roc_auc: float | None) -> Report:
        """Return the metrics, and the counts `pairs`, `scored` and `outside`."""
        tn, fp, _, fn, tp, outside_positive = self.cells
        total = sum(self.cells)
        missed = fn + outside_positive
        return {
            "pairs": self.pairs,
            "scored": self.scored,
            "outside": self.outside,
            "base_rate": divide(tp + missed, total),
            "accuracy": divide(tp + tn, total),
            "precision": divide(tp, tp + fp),
            "recall": divide(tp, tp + missed),
            "f1": divide(2 * tp, 2 * tp + fp + missed),
            "log_loss": divide(self.log_loss, self.scored_weight),
            "brier": divide(self.squared_error, self.scored_weight),
            "roc_auc": roc_auc,
        }


class WeightedPairs:
    """What `BinaryPerformance` keeps of pairs whose weight is not 1, which no kernel counts.

    The kernels' results are these, so that this is also what they are tested against.

    Parameters
    ----------
    max_bins
        Bins of the ROC-AUC.

    """

    __slots__ = ("bins", "sums")

    def __init__(self, max_bins: int = MAX_BINS) -> None:
        self.sums = BinarySums()
        self.bins = LogitBins(max_bins)

    def update(self, outcome: BinaryOutcome) -> None:
        """Count one pair."""
        cell, weight, score_bin, log_loss, squared_error = outcome
        sums = self.sums
        sums.pairs += 1
        sums.cells[cell] += weight
        if cell in _OUTSIDE:
            sums.outside += 1
        if score_bin is not None:
            sums.scored += 1
            sums.scored_weight += weight
            sums.log_loss += log_loss
            sums.squared_error += squared_error
            self.bins.update(score_bin, cell >= FIRST_POSITIVE, weight)

    def merge(self, other: WeightedPairs) -> None:
        """Add what `other` has counted."""
        self.sums.merge(other.sums)
        self.bins.merge(other.bins)

    def report(self) -> Report:
        """Return the metrics of these pairs."""
        return self.sums.report(self.bins.roc_auc())

    def snapshot(self) -> Snapshot:
        """Return the whole state."""
        sums = self.sums
        return {
            "pairs": sums.pairs,
            "outside": sums.outside,
            "scored": sums.scored,
            "cells": [dump(weight) for weight in sums.cells],
            "scored_weight": dump(sums.scored_weight),
            "log_loss": dump(sums.log_loss),
            "squared_error": dump(sums.squared_error),
            "bins": self.bins.snapshot(),
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """Return the counters that a snapshot describes."""
        weighted = cls()
        weighted.sums = BinarySums(
            snapshot["pairs"],
            snapshot["outside"],
            snapshot["scored"],
            [load(weight) for weight in snapshot["cells"]],
            load(snapshot["scored_weight"]),
            load(snapshot["log_loss"]),
            load(snapshot["squared_error"]),
        )
        weighted.bins = LogitBins.restore(snapshot["bins"])
        return weighted
