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
    """A split of n blocks: positions are how many blocks came before it.

    `statistic` is a difference of means on both sides of a split and `threshold` ADWIN's epsilon_cut for it: of that
    split for which the one exceeds the other most, which need not be the likeliest.
    """

    earliest: int
    best: int
    latest: int
    statistic: float
    threshold: float


def locate(sums: Sequence[float], *, size: int, window: int, delta: float) -> Change:
    """Split blocks of values in [0, 1] where the mean most likely changed.

    The profile likelihood of a change in mean (Hinkley, "Inference about the change-point in a sequence of random
    variables", 1970), with the variance around the best split. That of blocks covers what neighbours have in common.

    Parameters
    ----------
    sums
        Of at least two blocks, oldest first.
    size
        Values in a block.
    window, delta
        How many values the ADWIN that saw the change had compared, these included, and its parameter.

    Examples
    --------
    >>> change = locate([0.4, 0.6] * 25 + [1.4, 1.6] * 10, size=2, window=140, delta=1e-4)
    >>> change.earliest <= 50 <= change.latest, change.best, round(change.statistic, 2)
    (True, 50, 0.5)

    """
    n = len(sums)
    before = list(accumulate(sums, initial=0.0))
    total = before[n]
    gains = [(before[k] - total * k / n) ** 2 * n / (k * (n - k)) for k in range(1, n)]
    best = max(range(n - 1), key=gains.__getitem__)
    squares = math.fsum(value * value for value in sums)
    variance = max((squares - total * total / n - gains[best]) / n, 1e-6 * size)
    likely = [k + 1 for k, gain in enumerate(gains) if (gains[best] - gain) / variance <= _LIKELIHOOD_DROP]
    window = max(window, n * size, 3)
    exceeded = []
    for k in range(1, n):
        difference = abs((total - before[k]) / (n - k) - before[k] / k) / size
        exceeded.append((difference, _epsilon_cut((n - k) * size, window, variance / size, delta)))
    statistic, threshold = max(exceeded, key=lambda pair: pair[0] - pair[1])
    return Change(likely[0], best + 1, likely[-1], statistic, threshold)


def _epsilon_cut(after: int, window: int, variance: float, delta: float) -> float:
    """Return the difference of means that ADWIN takes for a change `after` values before the end of its window.

    Bifet and Gavaldà, 2007, section 3: m is the harmonic mean of both sizes, delta' = delta / ln(window).
    """
    m = 1 / (1 / (window - after) + 1 / after)
    confidence = math.log(2 * math.log(window) / delta)
    return math.sqrt(2 / m * variance * confidence) + 2 / (3 * m) * confidence
