"""HDDM_A: whether the mean of a stream differs from that of its beginning, by Hoeffding's bound.

River 0.26.1's, operation by operation, without its zone of warning. Values lie in [0, 1].

References
----------
Frías-Blanco et al., "Online and non-parametric drift detection methods based on Hoeffding's bounds", IEEE Transactions
on Knowledge and Data Engineering 27, 2015.

"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.moments import MEAN, reset_mean, update_mean

if TYPE_CHECKING:
    import numpy.typing as npt

HDDM_A: Final = np.dtype(
    [
        ("all", MEAN),
        ("lowest", MEAN),  # of the values up to where the upper bound of their mean was least
        ("highest", MEAN),  # of the values up to where the lower bound was greatest
    ],
    align=True,
)
"""48 bytes. Zeros are a detector that has not begun."""

# River's defaults, in the order of the arguments.
DRIFT_CONFIDENCE: Final = 0.001
TWO_SIDED_TEST: Final = False


@kernel
def update(record: np.void, value: float, drift_confidence: float, two_sided_test: bool) -> bool:  # noqa: FBT001 - River's
    """Take one value; return whether the mean has changed. Then `reset` is due.

    Parameters
    ----------
    record
        Of `HDDM_A`.
    value
        In [0, 1].
    drift_confidence
        The chance of a false alarm at one value, as Hoeffding's inequality bounds it.
    two_sided_test
        Whether a fall counts, not only a rise.

    Examples
    --------
    >>> detector = np.zeros(1, HDDM_A)[0]
    >>> [n for n in range(1000) if update(detector, 0.2 if n < 500 else 0.8, 0.001, False)][0]
    510

    """
    everything, lowest, highest = record["all"], record["lowest"], record["highest"]
    update_mean(everything, value)
    surprise = math.log(1.0 / drift_confidence)
    mean, bound = everything["mean"], _bound(everything, surprise)
    if lowest["count"] == 0 or lowest["mean"] + _bound(lowest, surprise) >= mean + bound:
        _copy(everything, lowest)
    if highest["count"] == 0 or highest["mean"] - _bound(highest, surprise) <= mean - bound:
        _copy(everything, highest)
    surprise_of_either = math.log(2.0 / drift_confidence)
    if mean - lowest["mean"] >= _bound_of_difference(lowest, everything, surprise_of_either):
        return True
    return two_sided_test and highest["mean"] - mean >= _bound_of_difference(highest, everything, surprise_of_either)


@kernel
def update_at(
    rows: npt.NDArray[np.void],
    index: int,
    value: float,
    drift_confidence: float,
    two_sided_test: bool,  # noqa: FBT001 - River's
) -> bool:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(rows[index], value, drift_confidence, two_sided_test)


@kernel
def reset(record: np.void) -> None:
    """Begin again, as River's does at the value after a change."""
    reset_mean(record["all"])
    reset_mean(record["lowest"])
    reset_mean(record["highest"])


@kernel
def _copy(mean: np.void, to: np.void) -> None:
    to["count"] = mean["count"]
    to["mean"] = mean["mean"]


@kernel
def _bound(mean: np.void, surprise: float) -> float:
    """Return how far a mean may be from the true one."""
    return math.sqrt(1.0 / (2 * mean["count"]) * surprise)


@kernel
def _bound_of_difference(part: np.void, everything: np.void, surprise: float) -> float:
    """Return how far the mean of the first values may be from that of all; if those are the same ones, infinity."""
    if part["count"] == everything["count"]:
        return math.inf
    share = (everything["count"] - part["count"]) / part["count"] * (1.0 / everything["count"])
    return math.sqrt(share / 2.0 * surprise)
