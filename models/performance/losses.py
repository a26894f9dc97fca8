"""The loss of a probability, shared by the tasks that predict classes."""

from __future__ import annotations

import math
from typing import Final

from driftline.models.kernels.exact_sum import EPSILON
from driftline.models.performance.exact import ONE, UNIT_BITS

_SCALE: Final = float(ONE)


def log_loss(probability: float, weight: int) -> int:
    """Return the weighted log loss, in units, where the true class was given `probability` in [0, 1]."""
    return weighted(-math.log(min(max(probability, EPSILON), 1.0 - EPSILON)), weight)


def weighted(loss: float, weight: int) -> int:
    """Return `loss` times a weight in units, in units."""
    units = int(loss * _SCALE)  # exact: a power of two, and no loss of a probability comes near float64's limit
    return units if weight == ONE else units * weight >> UNIT_BITS
