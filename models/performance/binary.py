"""Performance of a model that tells positives from negatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from driftline.models.kernels.binary import count, load_bins, merge, widen_bins
from driftline.models.kernels.exact_sum import from_words, to_words
from driftline.models.kernels.logit_bins import rows_of
from driftline.models.performance.auc import MAX_BINS, LogitBins, area_under
from driftline.models.performance.bank import BinaryBank
from driftline.models.performance.binary_outcome import BinaryOutcome
from driftline.models.performance.binary_sums import BinarySums, WeightedPairs
from driftline.models.performance.counters import Counters
from driftline.models.performance.exact import ONE, dump, load
from driftline.models.performance.packed import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from driftline.models.performance.protocol import Report, Snapshot

_COLUMNS: Final = 5  # of a row of bins


class BinaryPerformance(Counters[BinaryOutcome]):
    """Accuracy, precision, recall, F1, log loss, Brier score and ROC-AUC from sums that merge exactly.

    A prediction that is neither class is an error: it lowers the accuracy, and the recall if the label is positive; it
    is not a positive prediction, so it leaves the precision alone. Its score counts like any other. A pair without a
    score enters every metric that needs none.

    Parameters
    ----------
    max_bins
        Bins of the ROC-AUC, at most 8192.
    bank
        Where the numbers are; by default in a bank of its own.

    Examples
    --------
    >>> from driftline.models.performance import BinaryOutcome
    >>> performance = BinaryPerformance()
    >>> performance.update(BinaryOutcome.of(positive=True, predicted=True, score=0.9))
    >>> performance.update(BinaryOutcome.of(positive=False, predicted=True, score=0.6))
    >>> report = performance.report()
    >>> report["precision"], report["recall"], report["roc_auc"]
    (0.5, 1.0, 1.0)

    """

    __slots__ = ()

    def __init__(self, max_bins: int = MAX_BINS, bank: BinaryBank | None = None) -> None:
        super().__init__(BinaryBank() if bank is None else bank, max_bins)

    def _new_rest(self) -> WeightedPairs:
        return WeightedPairs(int(self._row["bins"]["most"]))

    def update(self, outcome: BinaryOutcome) -> None:
        """Count one pair."""
        cell, weight, score_bin, log_loss, squared_error = outcome
        if weight == ONE:
            finest = -1 if score_bin is None else score_bin
            read = (cell, finest, to_words(log_loss), to_words(squared_error))
            count(self.bank.arrays, self.record, read)
        else:
            self.weigh(outcome)

    def merge(self, other: BinaryPerformance) -> None:
        """Add what `other` has counted."""
        other._share_bins()
        if other.rest is not None:
            self._rest_here().merge(other.rest)
        merge(self.bank.arrays, self.record, other.bank.arrays, other.record)

    def report(self) -> Report:
        """Return the metrics, and the counts `pairs`, `scored` (those with a score) and `outside` (neither class)."""
        row, rest = self._row, self.rest
        cells, scored = row["cells"].tolist(), int(row["scored"])
        sums = BinarySums(
            sum(cells),
            cells[2] + cells[5],
            scored,
            [pairs * ONE for pairs in cells],
            scored * ONE,
            from_words(row["log_loss"]),
            from_words(row["squared_error"]),
        )
        if rest is None:
            return sums.report(area_under(self._rows()[:, 1:].tolist(), 1 << int(row["bins"]["shift"])))
        sums.merge(rest.sums)
        return sums.report(self._all_bins(rest).roc_auc())

    def _all_bins(self, rest: WeightedPairs) -> LogitBins:
        """Return the bins that there would be if pairs of all weights had been counted together."""
        bins = self._row["bins"]
        together = LogitBins.counted(int(bins["most"]), int(bins["shift"]), self._rows().tolist())
        together.merge(rest.bins)
        return together

    def _share_bins(self) -> None:
        """Make the bins as wide as if pairs of all weights had been counted together.

        For reports that is early enough. But counters with more bins that these are merged into could not know.
        """
        rest = self.rest
        if rest is not None:
            shift = self._all_bins(rest).shift
            rest.bins.widen_to(shift)
            widen_bins(self.bank.arrays, self.record, shift)

    def _rows(self) -> NDArray[np.int64]:
        """Return the rows of the bins in use, in order."""
        rows = rows_of(self._row["bins"], self.bank.arrays.chunks)
        return rows[np.argsort(rows[:, 0])]

    def snapshot(self) -> Snapshot:
        """Return the whole state; the bins packed, the first column being the distance from each to the next."""
        self._share_bins()
        row, rows, rest = self._row, self._rows(), self.rest
        keys = rows[:, 0]
        steps = np.diff(keys, prepend=keys[:1])
        return {
            "pairs": int(row["pairs"]),
            "weighted": None if rest is None else rest.snapshot(),
            "cells": row["cells"].tolist(),
            "scored": int(row["scored"]),
            "log_loss": dump(from_words(row["log_loss"])),
            "squared_error": dump(from_words(row["squared_error"])),
            "bins": {
                "most": int(row["bins"]["most"]),
                "shift": int(row["bins"]["shift"]),
                "count": len(rows),
                "first": int(keys[0]) if len(rows) else 0,
                "packed": pack([steps, *rows.T[1:]]),
            },
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any], bank: BinaryBank | None = None) -> Self:
        """Return the counters that a snapshot describes."""
        bins = snapshot["bins"]
        performance = cls(bins["most"], bank)
        row = performance._row
        if snapshot["weighted"] is not None:
            rest = WeightedPairs.restore(snapshot["weighted"])
            performance._take_over(rest, rest.sums.pairs)
        row["pairs"] = snapshot["pairs"]
        row["cells"] = snapshot["cells"]
        row["scored"] = snapshot["scored"]
        row["log_loss"] = to_words(load(snapshot["log_loss"]))
        row["squared_error"] = to_words(load(snapshot["squared_error"]))
        rows = np.column_stack(unpack(bins["packed"], bins["count"], _COLUMNS))
        rows[:, 0] = bins["first"] + np.cumsum(rows[:, 0])
        load_bins(performance.bank.arrays, performance.record, bins["shift"], np.ascontiguousarray(rows))
        return performance
