"""The sum of floats, rounded once: what Python's `math.fsum` returns.

Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric predicates", 1997. A tally that is
summed so does not depend on how its values were grouped, and is the one that Python's own code would have.

Of values within 1e200 of 0, and of differences no closer than 1e-300, there are 64 parts at most: each holds 53 bits
that no other has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.scratch import doubles

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles


@kernel
def fsum(values: Doubles, n: int) -> float:
    """Return the correctly rounded sum of the first `n` values: finite, and within 1e200 of 0.

    What rounding takes from a running sum is summed up itself, and what that takes once more; how far off the latter
    can be is known. Where that may change the result, which is hardly ever, all is summed up exactly.

    Examples
    --------
    >>> import numpy as np
    >>> import numpy as np
    >>> fsum(np.array([1e100, 1.0, -1e100]), 3)
    1.0

    """
    high = middle = low = most = 0.0
    for place in range(n):
        # Of a and b, s - (s - b) and so on (Knuth, vol. 2, 4.2.2) is what s = a + b has lost.
        value = values[place]
        total = high + value
        taken = total - high
        lost = (high - (total - taken)) + (value - taken)
        high = total
        total = middle + lost
        taken = total - middle
        lost_again = (middle - (total - taken)) + (lost - taken)
        middle = total
        low += lost_again
        most += abs(lost_again)
    three = doubles()
    three[0], three[1] = high, middle
    off = 2.0**-52 * n * most
    three[2] = low - off
    least = _exact(three, 3)
    if off != 0.0:
        three[2] = low + off
        if _exact(three, 3) != least:
            return _exact(values, n)
    # Zeros have signs.
    return least if least != 0.0 else _exact(values, n)


@kernel
def _exact(values: Doubles, n: int) -> float:
    partials = doubles()
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
