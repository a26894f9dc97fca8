"""HDDM_W: whether the exponentially weighted mean of a stream has changed, by McDiarmid's bound.

River 0.26.1's, operation by operation, without its zone of warning. (Where ``(1 - lambda)**2`` and the product of the
two differ in the last bit, as they do for one lambda of a thousand and for no multiple of 0.001, so may the bounds.)
Values lie in [0, 1].

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

if TYPE_CHECKING:
    import numpy.typing as npt

SAMPLE: Final = np.dtype(
    [
        ("count", np.int64),
        ("mean", np.float64),  # exponentially weighted
        ("weights", np.float64),  # the sum of the squared weights in it
    ],
    align=True,
)

HDDM_W: Final = np.dtype(
    [
        ("all", SAMPLE),
        ("lowest", SAMPLE),  # of the values up to where the upper bound of their mean was least
        ("after_lowest", SAMPLE),
        ("ceiling", np.float64),  # that least bound
        ("highest", SAMPLE),  # of the values up to where the lower bound was greatest
        ("after_highest", SAMPLE),
        ("floor", np.float64),  # that greatest bound
    ],
    align=True,
)
"""136 bytes. Zeros are a detector that has not begun."""

# River's defaults, in the order of the arguments.
DRIFT_CONFIDENCE: Final = 0.001
LAMBDA_VAL: Final = 0.05
TWO_SIDED_TEST: Final = False


@kernel
def update(
    record: np.void,
    value: float,
    drift_confidence: float,
    lambda_val: float,
    two_sided_test: bool,  # noqa: FBT001 - River's
) -> bool:
    """Take one value; return whether the mean has changed. Then `reset` is due.

    Parameters
    ----------
    record
        Of `HDDM_W`.
    value
        In [0, 1].
    drift_confidence
        The chance of a false alarm at one value, as McDiarmid's inequality bounds it.
    lambda_val
        The weight of the newest value in a mean.
    two_sided_test
        Whether a fall counts, not only a rise.

    Examples
    --------
    >>> detector = np.zeros(1, HDDM_W)[0]
    >>> [n for n in range(1000) if update(detector, 0.2 if n < 500 else 0.8, 0.001, 0.05, False)][0]
    523

    """
    everything = record["all"]
    if everything["count"] == 0:
        record["ceiling"] = math.inf
        record["floor"] = -math.inf
    _take(everything, value, lambda_val)
    surprise = math.log(1.0 / drift_confidence)
    bound = math.sqrt(everything["weights"] * surprise / 2.0)
    if everything["mean"] + bound < record["ceiling"]:
        record["ceiling"] = everything["mean"] + bound
        _copy(everything, record["lowest"])
        _clear(record["after_lowest"])
    else:
        _take(record["after_lowest"], value, lambda_val)
    if everything["mean"] - bound > record["floor"]:
        record["floor"] = everything["mean"] - bound
        _copy(everything, record["highest"])
        _clear(record["after_highest"])
    else:
        _take(record["after_highest"], value, lambda_val)
    if _is_above(record["after_lowest"], record["lowest"], surprise):
        return True
    return two_sided_test and _is_above(record["highest"], record["after_highest"], surprise)


@kernel
def update_at(
    rows: npt.NDArray[np.void],
    index: int,
    value: float,
    drift_confidence: float,
    lambda_val: float,
    two_sided_test: bool,  # noqa: FBT001 - River's
) -> bool:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(rows[index], value, drift_confidence, lambda_val, two_sided_test)


@kernel
def reset(record: np.void) -> None:
    """Begin again, as River's does at the value after a change."""
    _clear(record["all"])
    _clear(record["lowest"])
    _clear(record["after_lowest"])
    _clear(record["highest"])
    _clear(record["after_highest"])
    record["ceiling"] = 0.0
    record["floor"] = 0.0


@kernel
def _take(sample: np.void, value: float, lambda_val: float) -> None:
    kept = 1.0 - lambda_val
    if sample["count"] == 0:
        sample["mean"] = value
        sample["weights"] = 1.0
    else:
        sample["mean"] = lambda_val * value + kept * sample["mean"]
    sample["weights"] = lambda_val * lambda_val + kept * kept * sample["weights"]
    sample["count"] += 1


@kernel
def _copy(sample: np.void, to: np.void) -> None:
    to["count"] = sample["count"]
    to["mean"] = sample["mean"]
    to["weights"] = sample["weights"]


@kernel
def _clear(sample: np.void) -> None:
    sample["count"] = 0
    sample["mean"] = 0.0
    sample["weights"] = 0.0


@kernel
def _is_above(sample: np.void, other: np.void, surprise: float) -> bool:
    """Return whether a mean is above another by more than chance allows; no where either has no value."""
    if sample["count"] == 0 or other["count"] == 0:
        return False
    is_above: bool = sample["mean"] - other["mean"] > math.sqrt((sample["weights"] + other["weights"]) * surprise / 2.0)
    return is_above
