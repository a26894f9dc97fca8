"""e-SR: a Shiryaev-Roberts e-detector, whether numbers that should be 0 on average have come to be more than that.

For d with E[d | past] <= 0 and bets that keep 1 + bet * d >= 0, each ``q <- (1 + bet * d) * (q + weight)``; a change is
what lifts their sum to the threshold. However else the d are distributed, and whatever they depend on, the mean number
of values before a false alarm is at least the threshold: the sum less the count of values is a supermartingale.
The eight bets, of equal weight, are for changes of different size. Of a stream that may move either way, d and -d each
have a record.

References
----------
Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New England Journal
of Statistics in Data Science, 2023.

"""

from __future__ import annotations

from typing import Final

import numpy as np

from driftline.models.kernels.compiled import kernel

BETS: Final = 0.1 * 19.0 ** (np.arange(8) / 7.0)
"""From 0.1 to 1.9, in steps of equal ratio: for a d that is at least -1/2, of which 2 would be the largest bet."""

E_SR: Final = np.dtype([("evidence", np.float64, len(BETS))], align=True)
"""64 bytes. Zeros are a detector that has not begun."""

_WEIGHT: Final = 1.0 / len(BETS)
_MOST: Final = 1e300  # where the caller does not reset: infinity times 0 would be no number


@kernel
def update(record: np.void, d: float, reach: float, threshold: float) -> bool:
    """Take one number; return whether their mean has risen above 0. Then `reset` is due.

    Parameters
    ----------
    record
        Of `E_SR`.
    d
        Finite, at least `-reach`, and at most 0 on average while nothing has changed.
    reach
        How far below 0 this d could have been, more than 0, from the past alone: 1/2 of a rank less 1/2.
    threshold
        The mean number of values before a false alarm is at least this.

    Examples
    --------
    >>> detector = np.zeros(1, E_SR)[0]
    >>> values = [n % 10 / 10 for n in range(500)] + [0.5 + n % 5 / 10 for n in range(500)]
    >>> [n for n, value in enumerate(values) if update(detector, value - 0.5, 0.5, 1e4)][0]
    527

    """
    scaled = d * (0.5 / reach)
    evidence, total = record["evidence"], 0.0
    for k in range(len(BETS)):
        grown = min((1.0 + BETS[k] * scaled) * (evidence[k] + _WEIGHT), _MOST)
        evidence[k] = grown
        total += grown
    return total >= threshold


@kernel
def reset(record: np.void) -> None:
    """Begin again."""
    record["evidence"][:] = 0.0
