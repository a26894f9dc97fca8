"""The time of day in a stream of numbers: how they are distributed at each hour, and what each is without that.

While a day is being covered, values are counted by their hour and by their place among the reference. If hours then
differ by more than chance, a value is replaced by that which has among all values the rank that it has among those of
its hour (quantile mapping, as climate models are corrected). What is left is distributed alike at all hours, whatever
it is that the hour changes: the middle, the spread or the share of zeros. Between the middles of two hours the ranks
among both are mixed.

References
----------
Panofsky and Brier, "Some Applications of Statistics to Meteorology", 1958.

"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.measure import CELLS, twice_mid_rank
from driftline.models.kernels.scratch import doubles

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record

DAY: Final = 86_400_000
"""Milliseconds."""

HOURS: Final = 24
_HOUR: Final = DAY // HOURS
WITHIN: Final = 40
BEYOND: Final = 8
"""Places by which values of an hour are counted: within the reference, and to either side for what lies beyond it."""

_PLACES: Final = BEYOND + WITHIN + BEYOND
_SCORES: Final = np.array([NormalDist().inv_cdf((rank + 0.5) / (2 * CELLS + 1)) for rank in range(2 * CELLS + 1)])
"""By twice the mid-rank, what a normal value of that rank is: so that places are as wide in the tails as in the
middle."""

LEARNS, DAILY, FLAT = range(3)

STATISTICS: Final = 2

SEASON: Final = np.dtype(
    [
        ("state", "i8"),
        ("begun", "i8"),
        ("values", "i8"),
        ("enough", "i8"),
        ("by_hour", "f4", (HOURS, _PLACES + 1)),
        ("taken", "f8", HOURS),
        ("off", "f8", (STATISTICS, HOURS)),
    ],
    align=True,
)
"""What is known of the hours of a stream. Zeros are one that is to learn.

`begun` is the time of the first of so many `values`, of which there must be `enough` for it to be settled. `by_hour`
counts all values of an hour, and behind that those of each place; once hours are known to differ it is the share of
values that lies below a place. From then on, `off` sums up by how much the statistics that detectors are fed, of
`taken` values of an hour, were off their mean over all hours.
"""

_MOST: Final = 2**24  # values that are counted: beyond, a float of 32 bits would not count each
_LONG: Final = 7  # days after which an hour that has no values is one
_LOOK_EVERY: Final = 64  # values
_MOST_HOURS: Final = 20
_FEWEST: Final = 16.0  # values of an hour, below which all hours speak for it
_FEW: Final = 128.0  # values of an hour, of which the mean is told only in part
_STEPS: Final = 8.0  # places beyond the reference in which the distance from it grows by e
_CONSTANT: Final = 1e-9  # a variance that is none
_BEYOND_CHANCE: Final = 5.0  # standard deviations


@kernel
def learn(season: Record, cells: Doubles, value: float, at: int) -> None:
    """Count a value that came at a time, in epoch milliseconds."""
    count(season, min(int(_rank(cells, value)), _PLACES - 1), at)


@kernel
def count(season: Record, place: int, at: int) -> None:
    """Count what is at a place, of values that came at a time."""
    season.begun = at if season.values == 0 else min(season.begun, at)
    season.values += 1
    if season.values > _MOST:
        return
    hour, share = hour_of(at)
    for item in (0, place + 1):
        season.by_hour[hour, item] += 1.0 - share
        season.by_hour[(hour + 1) % HOURS, item] += share


@kernel
def values_of(season: Record, hour: int) -> float:
    """Return how many values of an hour there are, before it is known whether hours differ."""
    return float(season.by_hour[hour, 0])


@kernel
def _rank(cells: Doubles, value: float) -> float:
    """Return where a value lies among all places: where the reference is wide, so are those beyond it."""
    lowest, highest = cells[0], cells[CELLS - 1]
    if lowest <= value <= highest:
        rank = twice_mid_rank(cells, value)
        score = _SCORES[rank]
        cell = rank // 2
        if rank % 2 == 0 and cells[cell - 1] < value < cells[cell]:
            part = (value - cells[cell - 1]) / (cells[cell] - cells[cell - 1])
            score = (1.0 - part) * _SCORES[rank - 1] + part * _SCORES[rank + 1]
        return float(BEYOND + (0.5 + 0.5 * score / _SCORES[2 * CELLS]) * (WITHIN - 1e-6))
    width = max(cells[3 * CELLS // 4] - cells[CELLS // 4], (highest - lowest) / CELLS, 1e-300)
    beyond = _STEPS * math.log1p(max(value - highest, lowest - value) / width)
    beyond = min(beyond, BEYOND - 1e-6)
    return float(BEYOND + WITHIN + beyond if value > highest else BEYOND - beyond)


@kernel
def hour_of(at: int) -> tuple[int, float]:
    """Return between which middle of an hour and the next a time is, and how far towards the next."""
    since = (at - _HOUR // 2) % DAY
    return since // _HOUR, since % _HOUR / _HOUR


@kernel
def is_covered(season: Record, at: int) -> bool:
    """Return whether a day has passed, with values of nearly all of its hours, or a week; and enough has come."""
    days = (at - season.begun) // DAY
    if season.values <= max(season.enough, HOURS * _FEWEST) or days < 1:
        return False
    if days >= _LONG:
        return True
    if season.values % _LOOK_EVERY != 0:  # a single time that is far ahead says nothing
        return False
    filled = 0
    for hour in range(HOURS):
        if values_of(season, hour) >= _FEWEST:
            filled += 1
    return filled >= _MOST_HOURS


@kernel
def settle(season: Record, relation: float) -> bool:
    """Tell whether hours differ, once a day is covered; `relation` is how much of a rank the one before it explains."""
    season.state = DAILY if _differ(season, relation) else FLAT
    if season.state == FLAT:
        return False
    whole = doubles()
    for place in range(_PLACES + 1):
        whole[place] = 0.0
        for hour in range(HOURS):
            whole[place] += season.by_hour[hour, place]
    for hour in range(HOURS):
        n = values_of(season, hour)
        # An hour of few values is thought to be as all of them, as far as it has not shown to be otherwise.
        added = _FEWEST / season.values
        total = 0.0
        season.by_hour[hour, 0] = 0.0
        for place in range(1, _PLACES + 1):
            total += season.by_hour[hour, place] + added * whole[place]
            season.by_hour[hour, place] = total / (n + _FEWEST)
    return True


@kernel
def _statistic(statistic: int, place: int) -> float:
    value = (place - 0.5) / _PLACES
    return value if statistic == 0 else abs(2.0 * value - 1.0)


@kernel
def _differ(season: Record, relation: float) -> bool:
    """Return whether the mean rank of hours, or its mean distance from the middle, differs by more than chance."""
    for statistic in range(STATISTICS):
        n = total = squares = between = 0.0
        for hour in range(HOURS):
            n += values_of(season, hour)
            for place in range(1, _PLACES + 1):
                total += season.by_hour[hour, place] * _statistic(statistic, place)
        mean = total / n
        for hour in range(HOURS):
            of_hour = sum_of_hour = 0.0
            for place in range(1, _PLACES + 1):
                count, off = season.by_hour[hour, place], _statistic(statistic, place) - mean
                of_hour += count
                sum_of_hour += count * off
                squares += count * off * off
            if of_hour > 0.0:
                between += sum_of_hour * sum_of_hour / of_hour
        if are_apart(between, squares, n, relation):
            return True
    return False


@kernel
def are_apart(between: float, squares: float, n: float, relation: float) -> bool:
    """Return whether means of hours are farther apart than by chance, given `n` values.

    `squares` is the sum of the squares of their differences from the mean of all, `between` the part of it that hours
    explain, and `relation` is how much of a value the one before it explains. Values that follow each other say less
    than others. But where hours differ values follow each other by that alone: so of the relation is taken what hours
    explain of the variance.
    """
    variance = squares / n
    if variance < _CONSTANT:
        return False
    freedom = HOURS - 1.0
    of_hours = min(max(between / n - freedom * variance / n, 0.0) / variance, 0.99)
    related = min(max((relation - of_hours) / (1.0 - of_hours), 0.0), 0.99)
    # What is left of the variance within hours, for as many values as there are that do not depend on each other.
    chance = variance * (1.0 - of_hours) * (1.0 + related) / (1.0 - related)
    return bool(between / chance > freedom + _BEYOND_CHANCE * math.sqrt(2.0 * freedom))


@kernel
def flat(season: Record, cells: Doubles, value: float, at: int, nth: int) -> float:
    """Return what a value is without its hour. What lies farther beyond all than all are apart stays what it is.

    One that is equal to many is anywhere among them, by a hash of its number: so what is left has the distribution of
    the reference, be that of a few values.
    """
    width = cells[CELLS - 1] - cells[0]
    if not cells[0] - width <= value <= cells[CELLS - 1] + width:
        return value
    rank = _rank(cells, value)
    place = min(int(rank), _PLACES - 1)
    middle = min(twice_mid_rank(cells, value) // 2, CELLS - 1)
    is_common = value == cells[middle] or value == cells[max(middle - 1, 0)]
    within = uniform(nth) if is_common else rank - place
    hour, share = hour_of(at)
    after = (hour + 1) % HOURS
    low = (1.0 - share) * season.by_hour[hour, place] + share * season.by_hour[after, place]
    high = (1.0 - share) * season.by_hour[hour, place + 1] + share * season.by_hour[after, place + 1]
    # Ranks of the cells themselves are whole numbers from 0 to 255.
    among = (low + within * (high - low)) * CELLS - 0.5
    first = min(max(int(among), 0), CELLS - 2)
    part = min(max(among - first, 0.0), 1.0)
    lower, upper = float(cells[first]), float(cells[first + 1])
    # Between two values of which one is common there is none.
    if (first > 0 and cells[first - 1] == lower) or (first + 2 < CELLS and cells[first + 2] == upper):
        return lower if part < 0.5 else upper  # noqa: PLR2004 - the nearer one
    return lower + part * (upper - lower)


@kernel
def off(season: Record, statistic: int, at: int) -> float:
    """Return by how much a statistic is off its mean at a time of day: what a single day has not told of its hours."""
    hour, share = hour_of(at)
    return (1.0 - share) * _off(season, statistic, hour) + share * _off(season, statistic, (hour + 1) % HOURS)


@kernel
def _off(season: Record, statistic: int, hour: int) -> float:
    return float(season.off[statistic, hour] / (season.taken[hour] + _FEW))


@kernel
def note(season: Record, statistic: int, at: int, n: int, total: float) -> None:
    """Take by how much `n` values of a statistic were off its mean, in all."""
    hour, share = hour_of(at)
    after = (hour + 1) % HOURS
    season.off[statistic, hour] += (1.0 - share) * total
    season.off[statistic, after] += share * total
    if statistic == 0:
        season.taken[hour] += (1.0 - share) * n
        season.taken[after] += share * n


@kernel
def uniform(nth: int) -> float:
    """Return a number in [0, 1) that is as good as drawn (SplitMix64; Steele, Lea and Flood, 2014)."""
    # Of a signed and an unsigned number numba makes a float, so all of these are unsigned; products wrap around.
    mixed = np.uint64(nth) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return float((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / 2.0**53
