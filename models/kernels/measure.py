"""How far values are from a reference: what maps each into [0, 1], sums many up, and bounds what is behind the sums.

`driftline.models.drift.measure` says what each kind is for, and makes the records.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.fsum import fsum

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record

PSI, SHARE, RESIDUAL, SHIFT, MEAN, FREQUENCY = range(6)

CELLS = 256
"""Quantiles of a reference by which its ranks are told."""

BINS = 17
"""Of the mid-rank: 16 cells each, and the last one for what lies beyond the reference's maximum. Of categories there
are as many at most."""

MOMENTS = 3
"""What other kinds sum up: how many values, their sum, the sum of their squares."""

STANDARD_ERRORS = 2.0
OF_CHOSEN = 5.0
"""Standard errors, in their place, of values that were chosen for standing out: those by which a change was just seen.
"""

LARGEST = 1e100
"""A relative growth is cut off here, where the reference had next to no loss."""

_GROUP = 16
_STEPS = (128, 64, 32, 16, 8, 4, 2, 1)


def layout(cells: int, bins: int) -> np.dtype[np.void]:
    """Return the layout of a measure's record, with so many ranks and bins of a reference; one stands for none.

    `reference` counts the reference's values and `before` is their mean or median; `bins` is how many of them each bin
    of the rank holds, or how many are of each category. `spread` is how many values say as much as one that is
    independent of the others, 1 at least.
    """
    fields = [
        ("kind", "i8"),
        ("reference", "i8"),
        ("before", "f8"),
        ("spread", "f8"),
        ("cells", "f8", cells),
        ("bins", "u4", bins),
    ]
    return np.dtype(fields, align=True)


RANKED = layout(CELLS, BINS)
PLAIN = layout(1, 1)
BINNED = layout(1, BINS)


@kernel
def twice_mid_rank(cells: Doubles, value: float) -> int:
    """Return how many cells are below a value, plus how many are not above it."""
    # A step is taken or not without a branch, which would be guessed wrong every other time: 9 ns and not 60.
    below = 0
    for step in _STEPS:
        below += step * (cells[below + step - 1] < value)
    below += cells[below] < value
    if below == CELLS or cells[below] > value:
        return int(2 * below)
    not_above = 0
    for step in _STEPS:
        not_above += step * (cells[not_above + step - 1] <= value)
    return int(below + not_above + (cells[not_above] <= value))


@kernel
def unit(measure: Record, value: float) -> float:
    """Map a value into [0, 1]."""
    if measure.kind == SHARE:
        return value
    if measure.kind == RESIDUAL:
        return (value + 1.0) / 2.0
    return twice_mid_rank(measure.cells, value) / (2.0 * CELLS)


@kernel
def tally(measure: Record, values: Doubles, n: int, into: Doubles) -> None:
    """Sum up the first `n` values: counts by bin, or moments."""
    if measure.kind == PSI:
        for place in range(BINS):
            into[place] = 0.0
        for place in range(n):
            into[twice_mid_rank(measure.cells, values[place]) // (2 * _GROUP)] += 1.0
        return
    if measure.kind == FREQUENCY:
        for place in range(BINS):
            into[place] = 0.0
        for place in range(n):
            into[int(values[place])] += 1.0
        return
    if measure.kind == SHARE:
        ones = 0.0
        for place in range(n):
            ones += values[place]
        tally_bits(n, ones, into)
        return
    taken = np.empty(n)
    for place in range(n):
        value = values[place]
        if measure.kind == SHIFT:
            value = twice_mid_rank(measure.cells, value) / (2.0 * CELLS) - 0.5
        elif measure.kind == MEAN:
            value -= measure.before
        taken[place] = value
    into[0] = n
    into[1] = fsum(taken, n)
    for place in range(n):
        taken[place] *= taken[place]
    into[2] = fsum(taken, n)


@kernel
def tally_bits(n: int, ones: float, into: Doubles) -> None:
    """Sum up zeros and ones by their number."""
    into[0] = n
    into[1] = ones
    into[2] = 0.0


@kernel
def bounds(measure: Record, summed: Doubles, errors: float = STANDARD_ERRORS) -> tuple[float, float]:
    """Return how far what was summed up is from the reference, at least and at most, from 0 up."""
    if measure.kind == PSI or measure.kind == FREQUENCY:
        return _psi_bounds(measure, summed, errors)
    estimate, error = _moved(measure, summed)
    if measure.kind == SHARE:
        return _around(estimate, errors * error)
    if measure.kind != MEAN:
        return _around(abs(estimate), errors * error)
    at_least, at_most = _around(estimate, errors * error)
    return min(at_least / _scale(measure), LARGEST), min(at_most / _scale(measure), LARGEST)


@kernel
def better(measure: Record, summed: Doubles, errors: float) -> float:
    """Return by how much a loss is smaller than in the reference, at least; 0 of what is no loss."""
    if measure.kind != SHARE and measure.kind != MEAN:
        return 0.0
    estimate, error = _moved(measure, summed)
    if measure.kind == SHARE:
        # Few values of which none is wrong would say of themselves that they hardly vary.
        usual = measure.before * (1.0 - measure.before) * measure.spread
        error = max(error, math.sqrt(usual * (1.0 / summed[0] + 1.0 / measure.reference)))
    at_least, _ = _around(-estimate, errors * error)
    return at_least if measure.kind == SHARE else at_least / _scale(measure)


@kernel
def _moved(measure: Record, summed: Doubles) -> tuple[float, float]:
    """Return by how much a mean differs from that of the reference, and the standard error of that."""
    n, total, squares = summed[0], summed[1], summed[2]
    if measure.kind == SHARE:
        # One more of each kind (Agresti and Coull) keeps the error of 0 out of 10 from being nothing.
        guess = (total + 1.0) / (n + 2.0)
        return total / n - measure.before, math.sqrt(
            guess * (1.0 - guess) * measure.spread * (1.0 / (n + 2.0) + 1.0 / measure.reference)
        )
    mean = total / n
    variance = max(squares / n - mean * mean, 0.0) * measure.spread
    return mean, math.sqrt(variance * (1.0 / n + 1.0 / measure.reference))


@kernel
def _scale(measure: Record) -> float:
    """Return what a change of a loss is divided by: in the loss's own unit where the reference has none."""
    return float(measure.before) if measure.before != 0.0 else 1.0


@kernel
def _around(estimate: float, error: float) -> tuple[float, float]:
    """Return the bounds that are so far below and above an estimate, from 0 up."""
    return max(estimate - error, 0.0), max(estimate + error, 0.0)


@kernel
def _psi_bounds(measure: Record, summed: Doubles, errors: float) -> tuple[float, float]:
    """Return the PSI less what chance alone would give so few values, and the largest one that may be behind it."""
    m, n, bins = 0.0, 0.0, 0
    for place in range(BINS):
        m += measure.bins[place]
        n += summed[place]
        if measure.bins[place] != 0 or summed[place] != 0.0:
            bins += 1
    if m == 0.0 or n == 0.0:
        return 0.0, 0.0
    psi = 0.0
    for place in range(BINS):
        if measure.bins[place] != 0 or summed[place] != 0.0:
            # Half a value more in each bin (Jeffreys' prior) keeps an empty one from being an infinite change.
            before = (measure.bins[place] + 0.5) / (m + 0.5 * bins)
            after = (summed[place] + 0.5) / (n + 0.5 * bins)
            psi += (after - before) * math.log(after / before)
    # Under no change PSI / (1/n + 1/m) is about chi-squared with bins - 1 degrees of freedom (Yurdakul, 2018), and
    # after one noncentral: it scatters the more the larger the change.
    freedom = bins - 1
    scale = measure.spread * (1.0 / n + 1.0 / m)
    beyond_chance = psi - freedom * scale
    at_least, _ = _around(beyond_chance, errors * math.sqrt(2.0 * freedom) * scale)
    change = max(beyond_chance / scale, 0.0)
    _, at_most = _around(beyond_chance, errors * math.sqrt(2.0 * freedom + 4.0 * change) * scale)
    return at_least, at_most


@kernel
def after(measure: Record, middle: float, summed: Doubles) -> float:
    """Return what is to be compared with `before`: the median of the values, or a mean of what was summed up.

    Of categories that is for Python to say.
    """
    if has_median(measure):
        return middle
    if measure.kind == FREQUENCY:
        return 0.0
    mean: float = summed[1] / summed[0]
    return measure.before + mean if measure.kind == MEAN else mean


@kernel
def has_median(measure: Record) -> bool:
    """Return whether a median tells where values are."""
    return bool(measure.kind == PSI or measure.kind == SHIFT)


@kernel
def counts(measure: Record) -> bool:
    """Return whether what is summed up are counts, which add up exactly in any way."""
    return bool(measure.kind == PSI or measure.kind == SHARE or measure.kind == FREQUENCY)


@kernel
def middle(measure: Record, values: Doubles, n: int) -> float:
    """Return the median of the first `n` values, in any order, where it is one that tells where they are."""
    return median(values, n, n // 2, n % 2 == 1) if has_median(measure) else 0.0


@kernel
def median(values: Doubles, n: int, place: int, odd: bool) -> float:  # noqa: FBT001 - what is asked for
    """Return, of the first `n` values in order, that at a place, or the mean of that and of the one before it."""
    parted = np.partition(values[:n], place)
    upper = parted[place]
    return float(upper) if odd else float((parted[:place].max() + upper) / 2.0)


@kernel
def middle_by_bins(measure: Record, values: Doubles, first: int, n: int, summed: Doubles) -> float:
    """Return the median of `n` values from the `first` on, with their counts by bin: of the few in the middle ones."""
    lowest, below = 0, summed[0]
    while below < n // 2:  # of an even number that is the lower one of the two in the middle
        lowest += 1
        below += summed[lowest]
    highest = lowest
    while below < n // 2 + 1:
        highest += 1
        below += summed[highest]
    # What is in a bin has at least as many cells not above it as there are below the bin.
    least = measure.cells[lowest * _GROUP - 1] if lowest > 0 else -math.inf
    most = measure.cells[(highest + 1) * _GROUP - 1] if highest < BINS - 1 else math.inf
    near = np.empty(n)
    kept = under = 0
    for place in range(first, first + n):
        value = values[place]
        near[kept] = value
        kept += least <= value <= most
        under += value < least
    return median(near, kept, n // 2 - under, n % 2 == 1)
