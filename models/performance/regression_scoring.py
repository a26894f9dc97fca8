"""How the pairs of a regression model are read."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, Final, Self

from driftline.models.kernels.regression import pane
from driftline.models.kernels.wide_sum import STEP_BITS
from driftline.models.performance.bank import RegressionBank
from driftline.models.performance.exact import weight_units
from driftline.models.performance.regression import RegressionPerformance
from driftline.models.performance.regression_sums import RegressionOutcome
from driftline.models.performance.ring import RingPanes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.performance.bank import CounterBanks
    from driftline.models.performance.pair import Pair
    from driftline.models.performance.protocol import Snapshot
    from driftline.schemas.fields import Scalar


class RegressionScoring:
    """Reads the pairs of a regression model.

    Booleans and strings are no numbers, not even "1.5": a service that sends text where a number belongs is better
    found out.

    Parameters
    ----------
    bank
        Where the numbers of all counters are; by default in a bank of their own.

    Examples
    --------
    >>> from driftline.models.performance import Pair
    >>> scoring = RegressionScoring()
    >>> scoring.loss(scoring.interpret(Pair(label=1.5, prediction=2)))
    0.5
    >>> scoring.interpret(Pair(label="1.5", prediction=2)) is None
    True

    """

    __slots__ = ("_bank",)

    def __init__(self, bank: RegressionBank | None = None) -> None:
        self._bank: Final = RegressionBank() if bank is None else bank

    def within(self, banks: CounterBanks) -> Self:
        """Return the same scoring with its numbers in another bank."""
        return type(self)(banks.regression)

    def cell(self, label: Scalar, prediction: Scalar) -> int | None:
        """Return 0, the one cell that there is; None if either is no finite number."""
        return None if _number(label) is None or _number(prediction) is None else 0

    def interpret(self, pair: Pair) -> RegressionOutcome | None:
        """Return the outcome; None if label or prediction is not a finite number or the weight is none."""
        label = _number(pair.label)
        prediction = _number(pair.prediction)
        weight = weight_units(pair.weight)
        if label is None or prediction is None or weight is None:
            return None
        top, bottom = label.as_integer_ratio()
        prediction_top, prediction_bottom = prediction.as_integer_ratio()
        # Both denominators are powers of two: bring both values to the larger one, and multiply while they are small.
        bits = max(bottom, prediction_bottom).bit_length() - 1
        steps = top << bits + 1 - bottom.bit_length()
        error = (prediction_top << bits + 1 - prediction_bottom.bit_length()) - steps
        left = STEP_BITS - bits
        weighted_error = weight * error << left
        return RegressionOutcome(
            weight,
            weighted_error,
            abs(weighted_error),
            weight * error * error << 2 * left,
            weight * steps << left,
            weight * steps * steps << 2 * left,
            label,
            prediction,
        )

    def knows(self, prediction: Scalar) -> bool:
        """Return whether a prediction is a finite number."""
        return _number(prediction) is not None

    def loss(self, outcome: RegressionOutcome) -> float:
        """Return the absolute error, >= 0 and not bounded by 1."""
        return absolute_error(outcome.true, outcome.predicted)

    def new(self) -> RegressionPerformance:
        """Return empty counters."""
        return RegressionPerformance(self._bank)

    def new_compact(self) -> RegressionPerformance:
        """Return empty counters: they are compact already."""
        return RegressionPerformance(self._bank)

    def new_panes(self, count: int, size: int) -> RingPanes[RegressionOutcome]:
        """Return `count` empty panes, each for `size` pairs."""
        return RingPanes(self, self._bank, pane, count, size)

    def restore(self, snapshot: Mapping[str, Any]) -> RegressionPerformance:
        """Return the counters that a snapshot describes."""
        return RegressionPerformance.restore(snapshot, self._bank)

    def snapshot(self) -> Snapshot:
        """Return the task."""
        return {"task": "regression"}


def absolute_error(label: float, prediction: float) -> float:
    """Return how far a prediction is from its label; at most the largest finite float."""
    return min(abs(prediction - label), sys.float_info.max)


def _number(value: Scalar) -> float | None:
    """Return `value` as a finite float; None if it is not a number or too large for one."""
    if isinstance(value, bool | str):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
