"""FHDDM: whether the rate of ones in a sliding window has fallen from the highest it had, by Hoeffding's bound.

River 0.26.1's, operation by operation. Values are 1 and 0. It is a fall that is found: in the papers a 1 is a correct
prediction. River's documentation calls a 1 an error, and fed so, its detector finds only that errors have become fewer.

References
----------
Pesaranghader and Viktor, "Fast Hoeffding drift detection method for evolving data streams", ECML-PKDD 2016.
Pesaranghader, Viktor and Paquet, "Reservoir of diverse adaptive learners and stacking fast Hoeffding drift detection
methods for evolving data streams", Machine Learning 107, 2018.

"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

LONGEST: Final = 512
"""The largest window that a record has room for."""

FHDDM: Final = np.dtype(
    [
        ("count", np.int64),
        ("position", np.int64),  # of the next value among `values`: the count modulo the window's size
        ("ones", np.int64),  # in the window
        ("short_ones", np.int64),  # in the short window
        ("highest", np.float64),  # rate of ones in the window
        ("short_highest", np.float64),
        ("allowed", np.float64),  # below the highest rate, once the window is full: Hoeffding's bound
        ("short_allowed", np.float64),
        ("values", np.uint8, LONGEST),  # the last ones, as a ring
    ],
    align=True,
)
"""576 bytes. Zeros are a detector that has not begun."""

# River's defaults, in the order of the arguments.
SLIDING_WINDOW_SIZE: Final = 100
CONFIDENCE_LEVEL: Final = 0.000001
SHORT_WINDOW_SIZE: Final = 0  # none


@kernel
def update(record: np.void, value: float, size: int, confidence_level: float, short_size: int) -> bool:
    """Take one value; return whether the rate of ones has fallen. Then `reset` is due.

    Parameters
    ----------
    record
        Of `FHDDM`.
    value
        0 or 1.
    size
        Of the sliding window, in values: at most `LONGEST`, the same for each call.
    confidence_level
        The chance of a false alarm at one value, as Hoeffding's inequality bounds it.
    short_size
        Of a second window, no larger than the first; 0 for none.

    Examples
    --------
    >>> detector = np.zeros(1, FHDDM)[0]
    >>> values = [float(n % 10 != 0) for n in range(500)] + [float(n % 2) for n in range(500)]
    >>> [n for n, value in enumerate(values) if update(detector, value, 100, 1e-6, 0)][0]
    566

    """
    position, values, is_one = record["position"], record["values"], value != 0.0
    if short_size > 0:
        leaving = position - short_size if position >= short_size else position - short_size + size
        record["short_ones"] += is_one - values[leaving]  # before there was one, a 0
    record["ones"] += is_one - values[position]
    values[position] = is_one
    record["position"] = position + 1 if position + 1 < size else 0
    record["count"] += 1
    if record["count"] < size:
        return False
    if record["allowed"] == 0.0:  # the logarithm and the root would take longer than all the rest
        surprise = math.log(1.0 / confidence_level)
        record["allowed"] = math.sqrt(surprise / (2 * size))
        record["short_allowed"] = math.sqrt(surprise / (2 * short_size)) if short_size > 0 else 0.0
    rate = record["ones"] / size
    record["highest"] = max(rate, record["highest"])
    is_changed: bool = record["highest"] - rate > record["allowed"]
    if short_size > 0:
        rate = record["short_ones"] / short_size
        record["short_highest"] = max(rate, record["short_highest"])
        is_changed |= record["short_highest"] - rate > record["short_allowed"]
    return is_changed


@kernel
def update_at(
    rows: npt.NDArray[np.void], index: int, value: float, size: int, confidence_level: float, short_size: int
) -> bool:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(rows[index], value, size, confidence_level, short_size)


@kernel
def reset(record: np.void) -> None:
    """Begin again, as River's does at the value after a change."""
    record["count"] = 0
    record["position"] = 0
    record["ones"] = 0
    record["short_ones"] = 0
    record["highest"] = 0.0
    record["short_highest"] = 0.0
    record["allowed"] = 0.0
    record["short_allowed"] = 0.0
    record["values"][:] = False
