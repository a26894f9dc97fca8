"""The time of day in a stream of categories, or of bits: how frequent they are at each hour, what comes without that.

While a day is being covered, categories are counted by hour. If hours then differ by more than chance, a category that
is more frequent at this hour than it is in all is kept only as often as it is in all, by a hash of the value's number;
else one takes its place that is rarer at this hour. So what is left is as frequent at all hours, and what has to be
replaced is the least that can be (a maximal coupling: Thorisson, "Coupling, Stationarity, and Regeneration", 2000).
`driftline.models.kernels.season` does the same for numbers.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels import season as seasonal
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.season import DAILY, FLAT

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record


def layout(cells: int) -> np.dtype[np.void]:
    """Return that of what is known of the hours of a stream of so many categories, as `season.SEASON` has it.

    `by_hour` counts the values of an hour by category, from its second item on. `whole` is how frequent each is in all,
    once hours are known to differ; or at the hours of the `reference`, if it is known how many of its values each had.
    """
    fields = [
        ("state", "i8"),
        ("begun", "i8"),
        ("values", "i8"),
        ("enough", "i8"),
        ("reference", "f4", seasonal.HOURS),
        ("whole", "f8", cells),
        ("by_hour", "f4", (seasonal.HOURS, cells + 1)),
    ]
    return np.dtype(fields, align=True)


_FEW: Final = 16.0  # values of an hour, as which all hours speak for it
_BEYOND_CHANCE: Final = 5.0  # standard deviations


@kernel
def settle(hours: Record, relation: float) -> bool:
    """Tell whether hours differ, once a day is covered; `relation` is how much of a value the one before explains."""
    n = 0.0
    for cell in range(len(hours.whole)):
        hours.whole[cell] = 0.0
        for hour in range(seasonal.HOURS):
            hours.whole[cell] += hours.by_hour[hour, cell + 1]
        n += hours.whole[cell]
    for cell in range(len(hours.whole)):
        hours.whole[cell] /= n
    hours.state = DAILY if _differ(hours, n, relation) else FLAT
    return bool(hours.state == DAILY)


@kernel
def _differ(hours: Record, n: float, relation: float) -> bool:
    """Return whether categories are more frequent at some hours by more than chance (Pearson's chi-squared).

    Values that follow each other say less than others. But where hours differ values follow each other by that alone:
    so of the relation is taken what hours explain of the variance.
    """
    squares, cells, filled = 0.0, 0, 0
    for cell in range(len(hours.whole)):
        cells += hours.whole[cell] > 0.0
    for hour in range(seasonal.HOURS):
        of_hour = seasonal.values_of(hours, hour)
        if of_hour == 0.0:
            continue
        filled += 1
        for cell in range(len(hours.whole)):
            expected = of_hour * hours.whole[cell]
            if expected > 0.0:
                squares += (hours.by_hour[hour, cell + 1] - expected) ** 2 / expected
    freedom = (filled - 1.0) * (cells - 1.0)
    if freedom <= 0.0:
        return False
    of_hours = min(max(squares - freedom, 0.0) / (n * (cells - 1.0)), 0.99)
    related = min(max((relation - of_hours) / (1.0 - of_hours), 0.0), 0.99)
    chance = (1.0 - of_hours) * (1.0 + related) / (1.0 - related)
    return bool(squares / chance > freedom + _BEYOND_CHANCE * math.sqrt(2.0 * freedom))


@kernel
def look_from_reference(hours: Record) -> bool:
    """Take for the whole how frequent categories are at the hours of the reference; False if these are not known.

    Then what is left of values is as at these hours, with which they are compared.
    """
    n = hours.reference.sum()
    if n == 0.0:
        return False
    shares = np.zeros(len(hours.whole))
    for hour in range(seasonal.HOURS):
        for cell in range(len(hours.whole)):
            of_hour = hours.by_hour[hour, 0]  # nothing else may be in it: it is held against the reference's own
            share = hours.by_hour[hour, cell + 1] / of_hour if of_hour > 0.0 else hours.whole[cell]
            shares[cell] += hours.reference[hour] / n * share
    for cell in range(len(hours.whole)):
        hours.whole[cell] = shares[cell]
    return True


@kernel
def flat(hours: Record, cell: int, at: int, nth: int) -> int:
    """Return which category the nth value is without its hour."""
    hour, part = seasonal.hour_of(at)
    now = _share(hours, cell, hour, part)
    if now <= hours.whole[cell]:
        return cell
    drawn = seasonal.uniform(nth) * now
    if drawn < hours.whole[cell]:
        return cell
    # Where in what is too much it was drawn says which of those that are too rare takes its place.
    lacking = 0.0
    for other in range(len(hours.whole)):
        lacking += max(hours.whole[other] - _share(hours, other, hour, part), 0.0)
    left = (drawn - hours.whole[cell]) / (now - hours.whole[cell]) * lacking
    for other in range(len(hours.whole)):
        left -= max(hours.whole[other] - _share(hours, other, hour, part), 0.0)
        if left < 0.0:
            return other
    return cell


@kernel
def _share(hours: Record, cell: int, hour: int, part: float) -> float:
    """Return how frequent a category is so far from the middle of an hour to that of the next."""
    here, there = _of_hour(hours, cell, hour), _of_hour(hours, cell, (hour + 1) % seasonal.HOURS)
    return (1.0 - part) * here + part * there


@kernel
def _of_hour(hours: Record, cell: int, hour: int) -> float:
    """Return how frequent a category is in an hour; one of few values is thought to be as all, so far."""
    counts = hours.by_hour[hour]
    return float((counts[cell + 1] + _FEW * hours.whole[cell]) / (counts[0] + _FEW))


def totals(hours: Record) -> Doubles:
    """Return how often each category came, at any hour."""
    whole: Doubles = hours["by_hour"][:, 1:].sum(axis=0, dtype=np.float64)
    return whole
