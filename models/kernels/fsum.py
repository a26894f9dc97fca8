"""The sum of floats, rounded once: what Python's `math.fsum` returns.

Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric predicates", 1997. A tally that is
summed so does not depend on how its values were grouped, and is the one that Python's own code would have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles

_PARTIALS = 64
"""Of numbers within 1e200 of 0 and no closer than 1e-300: each holds 53 bits that no other has."""


@kernel
def fsum(values: Doubles, n: int) -> float:
    """Return the correctly rounded sum of the first `n` values: finite, and within 1e200 of 0.

    Examples
    --------
    >>> fsum(np.array([1e100, 1.0, -1e100]), 3)
    1.0

    """
    partials = np.empty(_PARTIALS)
    used = 0
    for place in range(n):
        x = values[place]
        kept = 0
        for i in range(used):
            y = partials[i]
            if abs(x) < abs(y):
                x, y = y, x
            high = x + y
            low = y - (high - x)
            if low != 0.0:
                partials[kept] = low
                kept += 1
            x = high
        partials[kept] = x
        used = kept + 1
    return _rounded(partials, used)


@kernel
def _rounded(partials: Doubles, used: int) -> float:
    """Return the sum of partials that do not overlap, the largest last; half to even, across all of them."""
    if used == 0:
        return 0.0
    place = used - 1
    high: float = partials[place]
    low = 0.0
    while place > 0:
        place -= 1
        x = high
        y = partials[place]
        high = x + y
        low = y - (high - x)
        if low != 0.0:
            break
    if place > 0 and ((low < 0.0 and partials[place - 1] < 0.0) or (low > 0.0 and partials[place - 1] > 0.0)):
        y = low * 2.0
        x = high + y
        if y == x - high:
            high = x
    return high
