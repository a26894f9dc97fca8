"""Sums of pairs of any weight of a model that predicts a number, in Python's integers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from driftline.models.kernels.wide_sum import STEP_BITS
from driftline.models.performance.exact import ONE, UNIT_BITS, divide, dump, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.performance.protocol import Report, Snapshot

# Every float64 is a whole number of its smallest step above 0. In those steps labels, errors and their squares are
# integers, so their sums are exact from 5e-324 to 1e308: no value overflows, none has to be left out, and R² does not
# suffer from labels that are large beside their spread (Welford's and Chan's updates lose about
# log10(mean / deviation) digits, and a sum of squares twice that).
_SUM_BITS: Final = STEP_BITS + UNIT_BITS  # weighted values
_SQUARE_BITS: Final = 2 * STEP_BITS + UNIT_BITS  # weighted squares
_ROOT_BITS: Final = 128  # what the square root is taken of, so that the root has more digits than a float64


class RegressionOutcome(NamedTuple):
    """One pair, read: what `RegressionSums` adds up, weighted, as exact integers.

    Attributes
    ----------
    weight
        In units of ``2**-100``.
    error, absolute_error, label
        In units of ``2**-1174``; the error is prediction - label.
    squared_error, squared_label
        In units of ``2**-2248``.
    true, predicted
        Label and prediction, as floats.

    """

    weight: int
    error: int
    absolute_error: int
    squared_error: int
    label: int
    squared_label: int
    true: float
    predicted: float


class RegressionSums:
    """MAE, RMSE, R² and bias from sums that are exact and merge exactly."""

    __slots__ = ("_absolute_error", "_error", "_label", "_squared_error", "_squared_label", "_weight", "pairs")

    def __init__(self) -> None:
        self.pairs = self._weight = 0
        self._error = self._absolute_error = self._squared_error = 0
        self._label = self._squared_label = 0

    @classmethod
    def counted(cls, pairs: int, above: int, below: int, label: int, squared_error: int, squared_label: int) -> Self:  # noqa: PLR0913, PLR0917 - the sums
        """Return the sums of pairs of weight 1: of numbers in units of ``2**-1074``, and of squares of ``2**-2148``.

        `above` is of the errors that are above 0, and `below` of the others, without their sign.
        """
        sums = cls()
        sums.pairs, sums._weight = pairs, pairs * ONE
        sums._error, sums._absolute_error = (above - below) << UNIT_BITS, (above + below) << UNIT_BITS
        sums._label = label << UNIT_BITS
        sums._squared_error, sums._squared_label = squared_error << UNIT_BITS, squared_label << UNIT_BITS
        return sums

    def update(self, outcome: RegressionOutcome) -> None:
        """Count one pair."""
        weight, error, absolute_error, squared_error, label, squared_label, *_ = outcome
        self.pairs += 1
        self._weight += weight
        self._error += error
        self._absolute_error += absolute_error
        self._squared_error += squared_error
        self._label += label
        self._squared_label += squared_label

    def merge(self, other: RegressionSums) -> None:
        """Add what `other` has counted."""
        self.pairs += other.pairs
        self._weight += other._weight
        self._error += other._error
        self._absolute_error += other._absolute_error
        self._squared_error += other._squared_error
        self._label += other._label
        self._squared_label += other._squared_label

    def report(self) -> Report:
        """Return the metrics and the count `pairs`.

        R² is None while all labels are equal (scikit-learn says 0 or 1 there). A metric beyond float64's range, which
        takes errors of 1e308, is None as well.
        """
        spread = self._squared_label * self._weight - self._label * self._label  # weight² times the labels' variance
        unexplained = self._squared_error * self._weight
        return {
            "pairs": self.pairs,
            "mae": divide(self._absolute_error, self._weight << STEP_BITS),
            "rmse": _root(self._squared_error, self._weight),
            "r2": divide(spread - unexplained, spread),
            "bias": divide(self._error, self._weight << STEP_BITS),
        }

    def snapshot(self) -> Snapshot:
        """Return the whole state."""
        return {
            "pairs": self.pairs,
            "weight": dump(self._weight),
            "error": dump(self._error, _SUM_BITS),
            "absolute_error": dump(self._absolute_error, _SUM_BITS),
            "squared_error": dump(self._squared_error, _SQUARE_BITS),
            "label": dump(self._label, _SUM_BITS),
            "squared_label": dump(self._squared_label, _SQUARE_BITS),
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """Return the counters that a snapshot describes."""
        sums = cls()
        sums.pairs = snapshot["pairs"]
        sums._weight = load(snapshot["weight"])
        sums._error = load(snapshot["error"], _SUM_BITS)
        sums._absolute_error = load(snapshot["absolute_error"], _SUM_BITS)
        sums._squared_error = load(snapshot["squared_error"], _SQUARE_BITS)
        sums._label = load(snapshot["label"], _SUM_BITS)
        sums._squared_label = load(snapshot["squared_label"], _SQUARE_BITS)
        return sums


def _root(squares: int, weight: int) -> float | None:
    """Return the square root of a mean square whose sum is in units of ``2**-2248``."""
    if weight == 0:
        return None
    bits = max(0, _ROOT_BITS - squares.bit_length() + weight.bit_length())
    bits += bits % 2
    return divide(math.isqrt((squares << bits) // weight), 1 << (STEP_BITS + bits // 2))
