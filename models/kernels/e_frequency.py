"""An e-detector of frequencies: whether some category has become more frequent, or less.

It is e-SR (`driftline.models.kernels.e_sr`) on each category's indicator, in both directions. All of these share one
threshold: what is watched is the sum of their evidence, of equal weight, so a category more costs its logarithm. Values
are taken in blocks, of which the counts suffice; within a block evidence begins with its first value only.

How often a category comes is known by how often it came, one standard error more where more of it is looked for, and
one less where less is: of a rare one little is known. As in `driftline.models.kernels.centre`, what the value before
explains is taken off (of a Markov chain that stays where it is or is drawn anew, nothing is left then), and sums of 128
values tell how much more variable what is left is than independent values are; evidence pays for that.

References
----------
Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", New England Journal
of Statistics in Data Science, 2023.

"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.scratch import doubles

if TYPE_CHECKING:
    from driftline.models.kernels.types import Bytes, Doubles, Record

CELLS: Final = 16
"""Categories that are told apart, the last of which is for all others."""

BETS: Final = 5
SPAN: Final = 128
"""Values of which a sum tells how variable counts are; a multiple of a block."""

E_FREQUENCY: Final = np.dtype(
    [
        ("threshold", "f8"),
        ("total", "f8"),
        ("taken", "i8"),
        ("calm", "i8"),
        ("count", "i8"),
        ("previous", "i8"),
        ("rests", "i8"),
        ("filled", "i8"),
        ("spans", "i8"),
        ("counts", "f8", CELLS),
        ("lagged", "f8", CELLS),
        ("squares", "f8", CELLS),
        ("sums", "f8", CELLS),
        ("span_squares", "f8", CELLS),
        ("rest_squares", "f8", CELLS),
        ("rise", "f8", (CELLS, BETS)),
        ("fall", "f8", (CELLS, BETS)),
    ],
    align=True,
)
"""Frequencies that are watched; zeros and a threshold are some of which nothing is known.

`total` is the evidence of all, with one false alarm in `threshold` values at most. `taken` counts values since it began
and `calm` is at which of them there was last none to speak of. `counts` is how often each category came, of the `count`
values since the last change; `previous` is the newest, counted from 1. Of indicators less their mean, `lagged` and
`squares` add up each times the one before it, and times itself, over all `rests`; of what is left, `rest_squares` does.
What is left of a span adds up in `sums`, of which `filled` values are there; `spans` have ended, and the squares of
their sums are in `span_squares`.
"""

QUIET: Final = -1

_WEIGHT: Final = 1.0 / (2 * CELLS * BETS)
_KNOWN: Final = 128  # values before frequencies are known
_MOST: Final = 0.95  # of what would make a factor 0
_SMALLEST: Final = 0.08  # change that there is a bet for, in standard deviations
_MOST_PAID: Final = 0.04  # of a factor, for the additional variance of sums
_FEWEST_SPANS: Final = 8
_FEWEST: Final = 8  # that were one, and that were not: of fewer it is not known how it comes and goes
_RELATED: Final = 512  # values before it is told how they are related
_MOST_RELATED: Final = 0.99
_LEAST_RELATED: Final = 3.0  # standard errors


@kernel
def share(record: Record, cell: int) -> float:
    """Return how often a category comes, a little more than never."""
    return float((record.counts[cell] + 0.5) / (record.count + 1.0))


@kernel
def _may_fall(record: Record, cell: int) -> bool:
    """Return whether a category has come often enough to come less often: what never came does so for ever."""
    return bool(record.counts[cell] >= _FEWEST)


@kernel
def _may_rise(record: Record, cell: int) -> bool:
    """Return the same of one that may come more often."""
    return bool(record.count - record.counts[cell] >= _FEWEST)


@kernel
def _varies(record: Record, cell: int) -> bool:
    """Return whether a category has ever come and gone often enough to tell how it depends on the value before."""
    return bool(record.squares[cell] >= _FEWEST)


@kernel
def _relation(record: Record, cell: int) -> float:
    """Return by how much of its predecessor's difference from the mean an indicator differs, if surely by some."""
    if record.rests < _RELATED or not _varies(record, cell):
        return 0.0
    related = record.lagged[cell] / record.squares[cell]
    if abs(related) * math.sqrt(record.rests) < _LEAST_RELATED:
        return 0.0
    return float(min(max(related, -_MOST_RELATED), _MOST_RELATED))


@kernel
def relation(record: Record) -> float:
    """Return the same of all categories together."""
    total = weights = 0.0
    for cell in range(CELLS):
        if record.counts[cell] > 0.0:
            weight = 1.0 - share(record, cell)
            total += weight * _relation(record, cell)
            weights += weight
    return total / weights if weights > 0.0 else 0.0


@kernel
def variance(record: Record, cell: int) -> float:
    """Return that of what is left of a category's indicator, as sums have it."""
    middle, related = share(record, cell), _relation(record, cell)
    return float(middle * (1.0 - middle) * (1.0 - related * related) * _inflation(record, cell))


@kernel
def _inflation(record: Record, cell: int) -> float:
    """Return how many times more variable sums of what is left are than those of independent values, 1 at least.

    One standard error less, as far as that is above 1: of few spans it is hardly known.
    """
    if record.spans < _FEWEST_SPANS or not _varies(record, cell):
        return 1.0
    # Of the same values, of before the last change too: what was frequent may be rare now.
    ratio = record.span_squares[cell] / (SPAN * record.spans) / (record.rest_squares[cell] / record.rests)
    return float(max(ratio * (1.0 - math.sqrt(2.0 / record.spans)), 1.0))


@kernel
def _spread(record: Record, cell: int) -> float:
    related = _relation(record, cell)
    return float(max((1.0 + related) / (1.0 - related), 1.0) * _inflation(record, cell))


@kernel
def spread(record: Record) -> float:
    """Return how many values say as much as one that is independent of the others, of all categories together."""
    total = weights = 0.0
    for cell in range(CELLS):
        if record.counts[cell] > 0.0:
            weight = 1.0 - share(record, cell)
            total += weight * _spread(record, cell)
            weights += weight
    return total / weights if weights > 0.0 else 1.0


@kernel
def take(record: Record, ring: Bytes, first: int, n: int, came: Doubles) -> int:
    """Take a block of `n` values, which stand in a ring from a place on; return the category that has changed most.

    That is `QUIET` as long as there is not enough evidence; else `begin_anew` is due. With a threshold of infinity it
    only learns. `came` is made how often each came.
    """
    before, both = doubles(), doubles()
    for cell in range(CELLS):
        came[cell] = before[cell] = both[cell] = 0.0
    # The first of all has none before it: that is thought to be another one.
    previous = record.previous - 1
    for place in range(first, first + n):
        cell = int(ring[place % len(ring)])
        came[cell] += 1.0
        if previous >= 0:
            before[previous] += 1.0
            both[cell] += cell == previous
        previous = cell
    record.previous = previous + 1
    found = QUIET
    if record.count >= _KNOWN:
        if record.threshold < math.inf:
            found = _gather(record, came, before, both, n)
        _span(record, came, before, both, n)
    for cell in range(CELLS):
        record.counts[cell] += came[cell]
    record.count += n
    return found


@kernel
def _gather(record: Record, came: Doubles, before: Doubles, both: Doubles, n: int) -> int:
    total = most = 0.0
    strongest = 0
    for cell in range(CELLS):
        x, y, xy = came[cell], before[cell], both[cell]
        if record.counts[cell] == 0.0 and x == 0.0:
            continue
        middle, v, related = share(record, cell), _inflation(record, cell), _relation(record, cell)
        error = math.sqrt(_spread(record, cell) * (record.counts[cell] + 1.0)) / (record.count + 1.0)
        high, low = min(middle + error, 1.0), max(middle - error, 0.0)
        evidence = 0.0
        if _may_rise(record, cell):
            evidence += _bet(record.rise[cell], high, related, v, xy, x - xy, y - xy, n)
        if _may_fall(record, cell):
            evidence += _bet(record.fall[cell], 1.0 - low, related, v, n - x - y + xy, y - xy, x - xy, n)
        total += evidence
        if evidence > most:
            strongest, most = cell, evidence
    record.total = total
    record.taken += n
    if total * total < record.threshold:
        record.calm = record.taken
    return strongest if total >= record.threshold else QUIET


@kernel
def _bet(
    evidence: Doubles, middle: float, related: float, v: float, stayed: float, came: float, went: float, n: int
) -> float:
    """Bet on what comes with the share `middle` to come more often; return the evidence.

    Of `n` values, so many were that one and were so after another one that was, after one that was not, and so many
    were not after one that was.
    """
    total, other = 0.0, 1.0 - middle
    variance = middle * other * (1.0 - related * related)
    largest = _MOST / (middle + max(related * other, -related * middle))
    if v > 1.0 and variance > 0.0:
        largest = min(largest, v * math.sqrt(2.0 * _MOST_PAID / ((v - 1.0) * variance)))
    bet = min(_SMALLEST / math.sqrt(variance), largest) if variance > 0.0 else largest
    ratio = (largest / bet) ** (1.0 / (BETS - 1))
    bet /= v
    for k in range(BETS):
        paid = 1.0 - 0.5 * bet * bet * (v - 1.0) * variance
        if related == 0.0:
            logarithm = (stayed + came) * math.log(paid + bet * other)
            logarithm += (n - stayed - came) * math.log(paid - bet * middle)
        else:
            logarithm = stayed * math.log(paid + bet * (other - related * other))
            logarithm += came * math.log(paid + bet * (other + related * middle))
            logarithm += went * math.log(paid - bet * (middle + related * other))
            logarithm += (n - stayed - came - went) * math.log(paid - bet * (middle - related * middle))
        evidence[k] = math.exp(logarithm) * (evidence[k] + n * _WEIGHT)
        total += evidence[k]
        bet *= ratio
    return total


@kernel
def _span(record: Record, came: Doubles, before: Doubles, both: Doubles, n: int) -> None:
    for cell in range(CELLS):
        middle, related = share(record, cell), _relation(record, cell)
        x, y, xy = came[cell], before[cell], both[cell]
        record.sums[cell] += x - n * middle - related * (y - n * middle)
        offs, lags = x * (1.0 - 2.0 * middle) + n * middle * middle, y * (1.0 - 2.0 * middle) + n * middle * middle
        products = xy - middle * (x + y) + n * middle * middle
        record.rest_squares[cell] += offs - 2.0 * related * products + related * related * lags
        record.lagged[cell] += products
        record.squares[cell] += offs
    record.rests += n
    record.filled += n
    if record.filled < SPAN:
        return
    for cell in range(CELLS):
        record.span_squares[cell] += record.sums[cell] * record.sums[cell]
        record.sums[cell] = 0.0
    record.spans += 1
    record.filled = 0


@kernel
def begin_anew(record: Record) -> None:
    """Forget all evidence, and the frequencies, after a change; what is known of dependence stays."""
    for cell in range(CELLS):
        record.counts[cell] = 0.0
        record.sums[cell] = 0.0
        for k in range(BETS):
            record.rise[cell, k] = 0.0
            record.fall[cell, k] = 0.0
    record.count = 0
    record.filled = 0
    record.total = 0.0
    record.taken = 0
    record.calm = 0


@kernel
def forget(record: Record) -> None:
    """Begin as one that knows nothing, but for what it promises."""
    begin_anew(record)
    for cell in range(CELLS):
        record.lagged[cell] = 0.0
        record.squares[cell] = 0.0
        record.span_squares[cell] = 0.0
        record.rest_squares[cell] = 0.0
    record.spans = 0
    record.rests = 0
