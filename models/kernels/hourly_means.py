"""The time of day in a stream of residuals, or of losses: what they are on average at each hour, and what is left.

While a day is being covered, values are summed up by hour. If their means then differ by more than chance, from each is
taken by how much the mean of its hour differs from that of the reference's hours; a loss, which is smaller where all
are, is divided by it. `driftline.models.kernels.season` does the same for numbers whose distribution matters, and
`driftline.models.kernels.hours` for zeros and ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels import season as seasonal
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.season import DAILY, FLAT

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record

COUNT, SUM, SQUARES = range(3)

HOURLY_MEANS: Final = np.dtype(
    [
        ("state", "i8"),
        ("begun", "i8"),
        ("values", "i8"),
        ("enough", "i8"),
        ("reference", "f4", seasonal.HOURS),
        ("base", "f8"),
        ("whole", "f8"),
        ("by_hour", "f8", (seasonal.HOURS, 3)),
    ],
    align=True,
)
"""What is known of the hours of a stream, as `driftline.models.kernels.hours.layout` has it.

`by_hour` has how many values there are of an hour, their sum, and that of their squares. Once hours are known to
differ, the sum is the mean of the hour, and `whole` that of all, or of the hours of the reference, in which it was
`base`.
"""

_MOST: Final = 16.0  # values of an hour, as which all hours speak for it


@kernel
def learn(hours: Record, value: float, at: int) -> None:
    """Sum up a value that came at a time, in epoch milliseconds."""
    hours.begun = at if hours.values == 0 else min(hours.begun, at)
    hours.values += 1
    hour, share = seasonal.hour_of(at)
    for place in range(2):
        part = share if place == 1 else 1.0 - share
        sums = hours.by_hour[(hour + place) % seasonal.HOURS]
        sums[COUNT] += part
        sums[SUM] += part * value
        sums[SQUARES] += part * value * value


@kernel
def settle(hours: Record, relation: float) -> bool:
    """Tell whether hours differ, once a day is covered; `relation` is how much of a value the one before explains."""
    n = total = squares = between = 0.0
    for hour in range(seasonal.HOURS):
        n += hours.by_hour[hour, COUNT]
        total += hours.by_hour[hour, SUM]
        squares += hours.by_hour[hour, SQUARES]
    mean = total / n
    for hour in range(seasonal.HOURS):
        count, off = hours.by_hour[hour, COUNT], hours.by_hour[hour, SUM] - hours.by_hour[hour, COUNT] * mean
        between += off * off / count if count > 0.0 else 0.0
    squares -= n * mean * mean
    hours.state = DAILY if seasonal.are_apart(between, squares, n, relation) else FLAT
    if hours.state == FLAT:
        return False
    _take_means(hours, mean, min((squares - between) / between, _MOST))
    return True


@kernel
def _take_means(hours: Record, mean: float, few: float) -> None:
    """Write the means of hours, in which all count as a `few` values, and that of the hours of the reference.

    That one is held against the reference's own, so nothing else may be in it (James and Stein, 1961, say of how many
    values the others are worth: the variance within hours by that between them).
    """
    known = hours.reference.sum()
    hours.whole = mean if known == 0.0 else 0.0
    for hour in range(seasonal.HOURS):
        count, of_hour = hours.by_hour[hour, COUNT], hours.by_hour[hour, SUM]
        if known > 0.0:
            hours.whole += hours.reference[hour] / known * (of_hour / count if count > 0.0 else mean)
        hours.by_hour[hour, SUM] = (of_hour + few * mean) / (count + few)


@kernel
def has_reference(hours: Record) -> bool:
    """Return whether it is known of which hours the reference is; else all values are of it."""
    return bool(hours.reference.sum() > 0.0)


@kernel
def above(hours: Record, at: int) -> float:
    """Return by how much values of a time of day are above the whole, on average."""
    return float(mean_at(hours, at) - hours.whole)


@kernel
def mean_at(hours: Record, at: int) -> float:
    """Return what values of a time of day are on average."""
    hour, share = seasonal.hour_of(at)
    here, there = hours.by_hour[hour, SUM], hours.by_hour[(hour + 1) % seasonal.HOURS, SUM]
    return float((1.0 - share) * here + share * there)
