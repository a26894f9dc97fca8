"""Where in a run of values the mean changed, by how much, and how sure that place is."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_LIKELIHOOD_DROP: Final = 6.0
"""Places whose log-likelihood is within 3 of the best one's are kept (twice that is about chi-squared, 98 %)."""


class Change(NamedTuple):
    """A split of n values: positions are how many values came before it.

    `statistic` is the difference of the means on both sides of `best`, `threshold` ADWIN's epsilon_cut for that split.
    """

    earliest: int
    best: int
    latest: int
    statistic: float
    threshold: float


def locate(values: Sequence[float], *, window: int, delta: float) -> Change:
    """Split values in [0, 1], at least two, where the mean most likely changed.

    The profile likelihood of a change in mean (Hinkley, "Inference about the change-point in a sequence of random
    variables", 1970), with the variance around the best split.

    Parameters
    ----------
    values
        The recent past, oldest first.
    window, delta
        How many values the ADWIN that saw the change had compared, these included, and its parameter.

    Examples
    --------
    >>> change = locate([0.2, 0.3] * 50 + [0.7, 0.8] * 20, window=140, delta=1e-4)
    >>> change.earliest <= 100 <= change.latest, change.best, round(change.statistic, 2)
    (True, 100, 0.5)

    """
    n = len(values)
    sums = list(accumulate(values, initial=0.0))
    total = sums[n]
    gains = [(sums[k] - total * k / n) ** 2 * n / (k * (n - k)) for k in range(1, n)]
    best = max(range(n - 1), key=gains.__getitem__)
    squares = math.fsum(value * value for value in values)
    variance = max((squares - total * total / n - gains[best]) / n, 1e-6)
    likely = [k + 1 for k, gain in enumerate(gains) if (gains[best] - gain) / variance <= _LIKELIHOOD_DROP]
    split = best + 1
    difference = abs((total - sums[split]) / (n - split) - sums[split] / split)
    # Bifet and Gavaldà, 2007, section 3: m is the harmonic mean of both sizes, delta' = delta / ln(width).
    window = max(window, n, 3)
    m = 1 / (1 / (window - n + split) + 1 / (n - split))
    confidence = math.log(2 * math.log(window) / delta)
    threshold = math.sqrt(2 / m * variance * confidence) + 2 / (3 * m) * confidence
    return Change(likely[0], split, likely[-1], difference, threshold)
