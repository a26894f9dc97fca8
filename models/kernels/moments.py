"""Mean and variance of a stream, as River's ``stats.Mean`` and ``stats.Var`` have them, to the last bit.

Values are finite, of any unit; the variance is in the square of it.

References
----------
Welford, "Note on a method for calculating corrected sums of squares and products", Technometrics 4, 1962.

"""

from __future__ import annotations

from typing import Final

import numpy as np

from driftline.models.kernels.compiled import kernel

MEAN: Final = np.dtype([("count", np.int64), ("mean", np.float64)], align=True)
"""16 bytes. Zeros are a stream that has not begun, here and below."""

MOMENTS: Final = np.dtype(
    [
        ("count", np.int64),
        ("mean", np.float64),
        ("squares", np.float64),  # the sum of the squared distances from the mean
    ],
    align=True,
)
"""24 bytes."""


@kernel
def update_mean(record: np.void, value: float) -> None:
    """Take one value into a `MEAN`."""
    record["count"] += 1
    record["mean"] += 1.0 / record["count"] * (value - record["mean"])


@kernel
def reset_mean(record: np.void) -> None:
    """Forget the values of a `MEAN`."""
    record["count"] = 0
    record["mean"] = 0.0


@kernel
def update(record: np.void, value: float) -> None:
    """Take one value into `MOMENTS`.

    Examples
    --------
    >>> moments = np.zeros(1, MOMENTS)[0]
    >>> for value in (3.0, 5.0, 4.0, 7.0):
    ...     update(moments, value)
    >>> float(moments["mean"]), round(variance(moments, 1), 4)
    (4.75, 2.9167)

    """
    record["count"] += 1
    before = value - record["mean"]
    record["mean"] += 1.0 / record["count"] * before
    record["squares"] += before * (value - record["mean"])


@kernel
def variance(record: np.void, ddof: int) -> float:
    """Return the variance with the divisor `count - ddof`, 0 where that is not positive."""
    if record["count"] <= ddof:
        return 0.0
    found: float = record["squares"] / (record["count"] - ddof)
    return found


@kernel
def reset(record: np.void) -> None:
    """Forget everything."""
    record["count"] = 0
    record["mean"] = 0.0
    record["squares"] = 0.0
