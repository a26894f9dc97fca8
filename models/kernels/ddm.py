"""DDM: whether a rate of errors has risen from the lowest it had, in standard deviations.

River 0.26.1's, operation by operation, without its zone of warning. Values are 1 for an error and 0 for none.

References
----------
Gama, Medas, Castillo and Rodrigues, "Learning with drift detection", SBIA 2004.

"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.moments import MEAN, reset_mean, update_mean

if TYPE_CHECKING:
    import numpy.typing as npt

DDM: Final = np.dtype(
    [
        ("rate", MEAN),
        ("least_rate", np.float64),  # where the rate plus its standard deviation was least
        ("least_deviation", np.float64),  # there as well
        ("least_sum", np.float64),
    ],
    align=True,
)
"""40 bytes. Zeros are a detector that has not begun."""

# River's defaults, in the order of the arguments.
WARM_START: Final = 30
DRIFT_THRESHOLD: Final = 3.0


@kernel
def update(record: np.void, value: float, warm_start: int, drift_threshold: float) -> bool:
    """Take one value; return whether the rate has risen. Then `reset` is due.

    Parameters
    ----------
    record
        Of `DDM`.
    value
        0 or 1.
    warm_start
        Values up to which nothing is said.
    drift_threshold
        Standard deviations above the least rate.

    Examples
    --------
    >>> detector = np.zeros(1, DDM)[0]
    >>> values = [float(n % 10 == 0) for n in range(500)] + [float(n % 2) for n in range(500)]
    >>> [n for n, value in enumerate(values) if update(detector, value, 30, 3.0)][0]
    535

    """
    rate = record["rate"]
    if rate["count"] == 0:
        record["least_sum"] = math.inf
    update_mean(rate, value)
    if rate["count"] <= warm_start:
        return False
    mean = rate["mean"]
    deviation = math.sqrt(mean * (1.0 - mean) / rate["count"])
    if mean + deviation <= record["least_sum"]:
        record["least_rate"] = mean
        record["least_deviation"] = deviation
        record["least_sum"] = mean + deviation
    is_worse: bool = mean + deviation > record["least_rate"] + drift_threshold * record["least_deviation"]
    return is_worse


@kernel
def update_at(rows: npt.NDArray[np.void], index: int, value: float, warm_start: int, drift_threshold: float) -> bool:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(rows[index], value, warm_start, drift_threshold)


@kernel
def reset(record: np.void) -> None:
    """Begin again, as River's does at the value after a change."""
    reset_mean(record["rate"])
    record["least_rate"] = 0.0
    record["least_deviation"] = 0.0
    record["least_sum"] = 0.0
