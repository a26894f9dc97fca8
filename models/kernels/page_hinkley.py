"""Page-Hinkley: whether the mean of a stream has moved away from its mean so far, by a cumulative sum.

River 0.26.1's, operation by operation. Values are finite, of any unit; `delta` and `threshold` are in that unit.

References
----------
Page, "Continuous inspection schemes", Biometrika 41, 1954.

"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.moments import MEAN, reset_mean, update_mean

if TYPE_CHECKING:
    import numpy.typing as npt

PAGE_HINKLEY: Final = np.dtype(
    [
        ("mean", MEAN),
        ("rise", np.float64),  # sum of how far the values were above the mean, less delta each, fading
        ("least_rise", np.float64),
        ("fall", np.float64),  # the same, plus delta each
        ("most_fall", np.float64),
    ],
    align=True,
)
"""48 bytes. Zeros are a detector that has not begun."""

UP: Final = 1
DOWN: Final = 2
BOTH: Final = UP | DOWN

# River's defaults, in the order of the arguments.
MIN_INSTANCES: Final = 30
DELTA: Final = 0.005
THRESHOLD: Final = 50.0
ALPHA: Final = 1 - 0.0001
MODE: Final = BOTH


@kernel
def update(
    record: np.void, value: float, min_instances: int, delta: float, threshold: float, alpha: float, mode: int
) -> bool:
    """Take one value; return whether the mean has changed. Then `reset` is due.

    Parameters
    ----------
    record
        Of `PAGE_HINKLEY`.
    value
        Finite.
    min_instances
        Values before which nothing is said.
    delta
        A deviation that is tolerated.
    threshold
        How far the sum must come from its extreme.
    alpha
        What is left of the sum at the next value.
    mode
        `UP`, `DOWN` or `BOTH`: which changes count.

    Examples
    --------
    >>> detector = np.zeros(1, PAGE_HINKLEY)[0]
    >>> values = [0.0] * 100 + [1.0] * 100
    >>> [n for n, value in enumerate(values) if update(detector, value, 30, 0.005, 20.0, 0.9999, UP)][0]
    122

    """
    mean = record["mean"]
    if mean["count"] == 0:
        record["least_rise"] = math.inf
        record["most_fall"] = -1.0  # not minus infinity: as River begins
    update_mean(mean, value)
    off = value - mean["mean"]
    rise = alpha * record["rise"] + off - delta
    fall = alpha * record["fall"] + off + delta
    record["rise"] = rise
    record["fall"] = fall
    record["least_rise"] = min(rise, record["least_rise"])
    record["most_fall"] = max(fall, record["most_fall"])
    if mean["count"] < min_instances:
        return False
    is_up = mode & UP != 0 and rise - record["least_rise"] > threshold
    return is_up or (mode & DOWN != 0 and record["most_fall"] - fall > threshold)


@kernel
def update_at(
    rows: npt.NDArray[np.void],
    index: int,
    value: float,
    min_instances: int,
    delta: float,
    threshold: float,
    alpha: float,
    mode: int,
) -> bool:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(rows[index], value, min_instances, delta, threshold, alpha, mode)


@kernel
def reset(record: np.void) -> None:
    """Begin again, as River's does at the value after a change."""
    reset_mean(record["mean"])
    record["rise"] = 0.0
    record["least_rise"] = 0.0
    record["fall"] = 0.0
    record["most_fall"] = 0.0
