"""How the pairs of a regression model are read."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from driftline.models.performance.exact import weight_units
from driftline.models.performance.panes import TumblingPanes
from driftline.models.performance.regression import STEP_BITS, RegressionOutcome, RegressionPerformance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.performance.pair import Pair
    from driftline.models.performance.protocol import Snapshot
    from driftline.schemas.fields import Scalar


class RegressionScoring:
    """Reads the pairs of a regression model.

    Booleans and strings are no numbers, not even "1.5": a service that sends text where a number belongs is better
    found out.

    Examples
    --------
    >>> from driftline.models.performance import Pair
    >>> scoring = RegressionScoring()
    >>> scoring.loss(scoring.interpret(Pair(label=1.5, prediction=2)))
    0.5
    >>> scoring.interpret(Pair(label="1.5", prediction=2)) is None
    True

    """

    __slots__ = ()

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
            min(abs(prediction - label), sys.float_info.max),
        )

    def knows(self, prediction: Scalar) -> bool:
        """Return whether a prediction is a finite number."""
        return _number(prediction) is not None

    def loss(self, outcome: RegressionOutcome) -> float:
        """Return the absolute error, >= 0 and not bounded by 1."""
        return outcome.loss

    def new(self) -> RegressionPerformance:
        """Return empty counters."""
        return RegressionPerformance()

    def new_compact(self) -> RegressionPerformance:
        """Return empty counters: they are compact already."""
        return RegressionPerformance()

    def new_panes(self, count: int, size: int) -> TumblingPanes[RegressionOutcome]:
        """Return `count` empty panes, each for `size` pairs."""
        return TumblingPanes(self, count, size)

    def restore(self, snapshot: Mapping[str, Any]) -> RegressionPerformance:
        """Return the counters that a snapshot describes."""
        return RegressionPerformance.restore(snapshot)

    def snapshot(self) -> Snapshot:
        """Return the task."""
        return {"task": "regression"}


def _number(value: Scalar) -> float | None:
    """Return `value` as a finite float; None if it is not a number or too large for one."""
    if isinstance(value, bool | str):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
