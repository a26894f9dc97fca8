"""Where in a run of values the mean changed, by how much, and how sure that place is."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIKELIHOOD_DROP: Final = 10.0
"""Places whose log-likelihood is within 5 of the best one's are kept: 19 of 20 simulated changes lie between them."""


class Change(NamedTuple):
    """A split of n blocks: positions are how many blocks came before it, `difference` is of the means around `best`."""

    earliest: int
    best: int
    latest: int
    difference: float


def locate(sums: Sequence[float], *, size: int, bits: bool = False) -> Change:
    """Split blocks of values in [0, 1] where the mean most likely changed.

    The profile likelihood of a change in mean (Hinkley, "Inference about the change-point in a sequence of random
    variables", 1970): of numbers with the variance of blocks around the best split, which covers what neighbours have
    in common; of zeros and ones that of their shares, as of a share near 0 the variance says nothing.

    Parameters
    ----------
    sums
        Of at least two blocks, oldest first.
    size
        Values in a block.
    bits
        Whether the values are zeros and ones.

    Examples
    --------
    >>> change = locate([0.4, 0.6] * 25 + [1.4, 1.6] * 10, size=2)
    >>> change.earliest <= 50 <= change.latest, change.best, round(change.difference, 2)
    (True, 50, 0.5)
    >>> locate([0.0] * 9 + [3.0], size=8, bits=True)[:3]
    (6, 9, 9)

    """
    n = len(sums)
    before = list(accumulate(sums, initial=0.0))
    total = before[n]
    if bits:
        gains = [2.0 * (_log(before[k], k * size) + _log(total - before[k], (n - k) * size)) for k in range(1, n)]
        best, variance = max(range(n - 1), key=gains.__getitem__), 1.0
    else:
        gains = [(before[k] - total * k / n) ** 2 * n / (k * (n - k)) for k in range(1, n)]
        best = max(range(n - 1), key=gains.__getitem__)
        squares = math.fsum(value * value for value in sums)
        variance = max((squares - total * total / n - gains[best]) / n, 1e-6 * size)
    likely = [k + 1 for k, gain in enumerate(gains) if (gains[best] - gain) / variance <= _LIKELIHOOD_DROP]
    k = best + 1
    difference = ((total - before[k]) / (n - k) - before[k] / k) / size
    return Change(likely[0], k, likely[-1], difference)


def _log(ones: float, n: int) -> float:
    """Return the logarithm of the likelihood of so many ones among n values, at their own share."""
    return sum(count * math.log(count / n) for count in (ones, n - ones) if count > 0.0)
