"""e-SR: a Shiryaev-Roberts e-detector, whether numbers that should be 0 on average have come to be more, or less.

For d with E[d | past] <= 0 and bets that keep 1 + bet * d >= 0, each ``q <- (1 + bet * d) * (q + weight)``; a change is
what lifts their sum to the threshold. However else the d are distributed, and whatever they depend on, the mean number
of values before a false alarm is at least the threshold: the sum less the count of values is a supermartingale.
The eight bets, of equal weight, are for changes of different size. Rising and falling means have evidence of their own.

The d are what `driftline.models.kernels.centre` leaves of a statistic in [0, 1]. That they are 0 on average holds as
far as the mean is known; how nearly the promise is kept is measured (``python -m benchmarks.detection``). Where sums of
d are more variable than those of independent numbers, by a factor of v, a bet is v times smaller and pays
``bet ** 2 * (v - 1) * variance / 2`` for each value, which is what the additional variance of a sum would win it.

References
----------
Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New England Journal
of Statistics in Data Science, 2023.

"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels import centre as centres
from driftline.models.kernels.centre import CENTRE
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.scratch import doubles

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record

BETS: Final = 8

E_SR: Final = np.dtype(
    [
        ("centre", CENTRE),
        ("threshold", "f8"),
        ("rises_only", "i8"),
        ("inflation", "f8"),
        ("taken", "i8"),
        ("calm", "i8"),
        ("total", "f8"),
        ("rise", "f8", BETS),
        ("fall", "f8", BETS),
    ],
    align=True,
)
"""A statistic that is watched. Each side, of which there is one if it `rises_only`, gives no more than one false alarm
in `threshold` values.

`inflation` is how many times more variable sums are than those of independent values at least, where more is known than
its own centre tells. `taken` counts values since the evidence began, and `calm` is at which of them there was last none
to speak of; `total` is what the evidence was when it was looked at last.
"""

QUIET, RISEN, FALLEN = range(3)

_WEIGHT: Final = 1.0 / BETS
_MOST: Final = 0.95  # of what would make a factor 0
_SMALLEST: Final = 0.08  # change that there is a bet for, in standard deviations
_MOST_PAID: Final = 0.04  # of a factor, for the additional variance of sums
_LOOK_EVERY: Final = 8  # values


@kernel
def take(record: Record, values: Doubles, n: int) -> int:
    """Take `n` values in [0, 1], up to 64; return `RISEN` or `FALLEN` if their mean has: `begin_anew` is due then.

    It is looked at after each eighth value, and after the last. With a threshold of infinity it only learns.
    """
    rests, centre = doubles(), record.centre
    factors, paid = doubles(), doubles()
    is_tested = record.threshold < math.inf and centres.is_ready(centre)
    may_rise, may_fall = centres.may_rise(centre), centres.may_fall(centre) and not record.rises_only
    if is_tested:
        _set_bets(record, factors, paid)
    centres.take(centre, values, n, rests)
    if not is_tested:
        return QUIET
    return _gather(record, rests, n, factors, paid, may_rise, may_fall)


@kernel
def _set_bets(record: Record, factors: Doubles, paid: Doubles) -> None:
    """Write the bets on a rising mean, then those on a falling one, and what a factor begins with, by what is known."""
    centre = record.centre
    middle, related = centres.mean(centre), centres.relation(centre)
    v, variance = max(centres.inflation(centre), record.inflation), centres.variance(centre)
    # What a value may be below its mean, and above it; and what the one before it may add to that.
    above = max(related * (1.0 - middle), -related * middle)
    below = max(related * middle, -related * (1.0 - middle))
    deviation = math.sqrt(variance)
    for side in range(2):
        reach = middle + above if side == 0 else 1.0 - middle + below
        largest = _MOST / reach
        if v > 1.0 and variance > 0.0:
            largest = min(largest, v * math.sqrt(2.0 * _MOST_PAID / ((v - 1.0) * variance)))
        bet = min(_SMALLEST / deviation, largest) if deviation > 0.0 else largest
        ratio = (largest / bet) ** (1.0 / (BETS - 1))
        bet /= v
        for k in range(BETS):
            factors[side * BETS + k] = bet
            paid[side * BETS + k] = 1.0 - 0.5 * bet * bet * (v - 1.0) * variance
            bet *= ratio


@kernel
def _gather(
    record: Record,
    rests: Doubles,
    n: int,
    factors: Doubles,
    paid: Doubles,
    may_rise: bool,  # noqa: FBT001 - a kernel's
    may_fall: bool,  # noqa: FBT001 - as above
) -> int:
    """Gather evidence from what is left of values, for a mean that may rise, and that may fall."""
    rise, fall = doubles(), doubles()
    for k in range(BETS):
        rise[k] = record.rise[k]
        fall[k] = record.fall[k]
    found = QUIET
    for place in range(n):
        d = rests[place]
        if d != 0.0:  # what never varies says nothing, however long
            if may_rise:
                for k in range(BETS):
                    rise[k] = (paid[k] + factors[k] * d) * (rise[k] + _WEIGHT)
            if may_fall:
                for k in range(BETS):
                    fall[k] = (paid[BETS + k] - factors[BETS + k] * d) * (fall[k] + _WEIGHT)
        if place % _LOOK_EVERY == _LOOK_EVERY - 1 or place == n - 1:
            risen = fallen = 0.0
            for k in range(BETS):
                risen += rise[k]
                fallen += fall[k]
            record.total = max(risen, fallen)
            if is_calm(record):
                record.calm = record.taken + place + 1
            if record.total >= record.threshold:
                found = RISEN if risen >= fallen else FALLEN
                break
    record.taken += n
    for k in range(BETS):
        record.rise[k] = rise[k]
        record.fall[k] = fall[k]
    return found


@kernel
def is_calm(record: Record) -> bool:
    """Return whether there is no evidence to speak of: it has fewer than half of the digits of what is asked for."""
    return bool(record.total**2 < record.threshold)


@kernel
def has_begun(record: Record) -> bool:
    """Return whether there is some evidence: a third of the digits of what is asked for."""
    return bool(record.total**3 >= record.threshold)


@kernel
def forget(record: Record) -> None:
    """Begin as one that knows nothing, but for what it promises."""
    begin_anew(record)
    centres.forget(record.centre)


@kernel
def begin_anew(record: Record) -> None:
    """Forget all evidence, and the mean, after a change."""
    for k in range(BETS):
        record.rise[k] = 0.0
        record.fall[k] = 0.0
    record.total = 0.0
    record.taken = 0
    record.calm = 0
    centres.rebase(record.centre)
