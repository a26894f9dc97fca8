"""EDDM: whether errors come closer together than they did, by the mean distance between two and its deviation.

River 0.26.1's, operation by operation, without its zone of warning, and but for one thing: the square root here is
rounded correctly, and River's ``variance**0.5`` is off by one bit once in a thousand times.
Values are 1 for an error and anything else for none; distances are counts of values.

References
----------
Baena-García et al., "Early drift detection method", Fourth International Workshop on Knowledge Discovery from Data
Streams, 2006.

"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels import moments
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.moments import MOMENTS

if TYPE_CHECKING:
    import numpy.typing as npt

EDDM: Final = np.dtype(
    [
        ("count", np.int64),
        ("last_error", np.int64),  # the count at it
        ("distances", MOMENTS),
        ("most", np.float64),  # the largest that the mean distance plus two deviations was
    ],
    align=True,
)
"""48 bytes. Zeros are a detector that has not begun."""

# River's defaults, in the order of the arguments.
WARM_START: Final = 30
BETA: Final = 0.9


@kernel
def update(record: np.void, value: float, warm_start: int, beta: float) -> bool:
    """Take one value; return whether errors come closer together. Then `reset` is due.

    Parameters
    ----------
    record
        Of `EDDM`.
    value
        0 or 1.
    warm_start
        Values, and errors, up to which nothing is said.
    beta
        The part of the largest distance below which it has changed.

    Examples
    --------
    >>> detector = np.zeros(1, EDDM)[0]
    >>> values = [float(n % 10 == 9) for n in range(500)] + [float(n % 2) for n in range(500)]
    >>> [n for n, value in enumerate(values) if update(detector, value, 30, 0.75)][0]
    773

    """
    record["count"] += 1
    if value != 1.0:
        return False
    count, distances = record["count"], record["distances"]
    moments.update(distances, float(count - record["last_error"]))
    record["last_error"] = count
    if count <= warm_start:
        return False
    distance = distances["mean"] + 2.0 * math.sqrt(moments.variance(distances, 1))
    if distance > record["most"]:
        record["most"] = distance
        return False
    is_closer: bool = distances["count"] > warm_start and distance / record["most"] < beta
    return is_closer


@kernel
def update_at(rows: npt.NDArray[np.void], index: int, value: float, warm_start: int, beta: float) -> bool:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(rows[index], value, warm_start, beta)


@kernel
def reset(record: np.void) -> None:
    """Begin again, as River's does at the value after a change."""
    record["count"] = 0
    record["last_error"] = 0
    record["most"] = 0.0
    moments.reset(record["distances"])
