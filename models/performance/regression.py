"""Performance of a model that predicts a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from driftline.models.kernels.regression import count_at, merge
from driftline.models.kernels.wide_sum import from_wide
from driftline.models.performance.bank import RegressionBank
from driftline.models.performance.counters import Counters
from driftline.models.performance.exact import ONE
from driftline.models.performance.regression_sums import RegressionOutcome, RegressionSums

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.performance.protocol import Report, Snapshot

_SUMS = "above", "below", "label", "squared_error", "squared_label"


class RegressionPerformance(Counters[RegressionOutcome]):
    """MAE, RMSE, R² and bias from sums that are exact and merge exactly.

    Parameters
    ----------
    bank
        Where the numbers are; by default in a bank of its own.

    Examples
    --------
    >>> from driftline.models.performance import Pair, RegressionScoring
    >>> scoring = RegressionScoring()
    >>> performance = scoring.new()
    >>> for label, prediction in [(1e9 + 1, 1e9 + 1), (1e9 + 2, 1e9 + 3), (1e9 + 3, 1e9 + 3)]:
    ...     performance.update(scoring.interpret(Pair(label, prediction)))
    >>> performance.report()["r2"]
    0.5

    """

    __slots__ = ()

    def __init__(self, bank: RegressionBank | None = None) -> None:
        super().__init__(RegressionBank() if bank is None else bank, 0)

    def _new_rest(self) -> RegressionSums:
        return RegressionSums()

    def update(self, outcome: RegressionOutcome) -> None:
        """Count one pair."""
        if outcome.weight == ONE:
            count_at(self.bank.arrays, self.record, outcome.true, outcome.predicted)
        else:
            self.weigh(outcome)

    def merge(self, other: RegressionPerformance) -> None:
        """Add what `other` has counted."""
        if other.rest is not None:
            self._rest_here().merge(other.rest)
        merge(self.bank.arrays, self.record, other.bank.arrays, other.record)

    @property
    def _sums(self) -> RegressionSums:
        row = self._row
        sums = RegressionSums.counted(int(row["pairs"] - row["rest"]), *(from_wide(row[name]) for name in _SUMS))
        if self.rest is not None:
            sums.merge(self.rest)
        return sums

    def report(self) -> Report:
        """Return the metrics and the count `pairs`.

        R² is None while all labels are equal (scikit-learn says 0 or 1 there). A metric beyond float64's range, which
        takes errors of 1e308, is None as well.
        """
        return self._sums.report()

    def snapshot(self) -> Snapshot:
        """Return the whole state."""
        return self._sums.snapshot()

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any], bank: RegressionBank | None = None) -> Self:
        """Return the counters that a snapshot describes."""
        performance, rest = cls(bank), RegressionSums.restore(snapshot)
        performance._take_over(rest, rest.pairs)
        return performance
