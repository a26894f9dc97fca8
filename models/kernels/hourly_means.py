"""The time of day in a stream of residuals: what they are on average at each hour, and what is left without that.

While a day is being covered, residuals are summed up by hour. If their means then differ by more than chance, by how
much that of its hour differs from that of all is taken from each. `driftline.models.kernels.season` does the same for
numbers of any scale, and `driftline.models.kernels.hours` for zeros and ones.
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
        ("by_hour", "f8", (seasonal.HOURS, 3)),
    ],
    align=True,
)
"""What is known of the hours of a stream, as `driftline.models.kernels.season.SEASON` has it.

`by_hour` has how many values there are of an hour, their sum, and that of their squares. Once hours are known to
differ, the sum is by how much the mean of the hour differs from that of all.
"""

_FEW: Final = 16.0  # values of an hour, as which all hours speak for it


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
        count = hours.by_hour[hour, COUNT]
        off = hours.by_hour[hour, SUM] - count * mean
        between += off * off / count if count > 0.0 else 0.0
        hours.by_hour[hour, SUM] = off / (count + _FEW)
    hours.state = DAILY if seasonal.are_apart(between, squares - n * mean * mean, n, relation) else FLAT
    return bool(hours.state == DAILY)


@kernel
def flat(hours: Record, value: float, at: int) -> float:
    """Return what a residual in [-1, 1] is without its hour."""
    hour, share = seasonal.hour_of(at)
    here, there = hours.by_hour[hour, SUM], hours.by_hour[(hour + 1) % seasonal.HOURS, SUM]
    return float(min(max(value - (1.0 - share) * here - share * there, -1.0), 1.0))
