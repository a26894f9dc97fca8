"""How long labels take, and what they say by how long they took."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import inlined, kernel

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record

ALL, LOSS, SQUARE, OUTCOME, SCORED, RESIDUAL, EXCESS = range(7)
"""What is summed up: ones and what all pairs have; ones and what those have that calibration expects something of.

The square is that of the loss.
"""

COLUMNS: Final = 7
DELAYS: Final = 64

FEWEST: Final = 1000
"""Pairs from which on a curve says anything."""

CURVE: Final = np.dtype([("used", "i8"), ("total", "f8", COLUMNS), ("sums", "f8", (DELAYS, COLUMNS))], align=True)
"""Sums over pairs by how long their label took, and over all: of `DELAYS` bins so many are `used`.

Each ends at 1.4 times the delay, in milliseconds and one more, at which it begins; the last is of all beyond 50 days.
"""


@inlined
def learn(curve: Record, delay: float, loss: float, outcome: float, residual: float, excess: float) -> None:
    """Take a pair whose label took so many milliseconds; of residuals there may be none (NaN), nor a delay."""
    if math.isnan(delay):
        return
    place = min(int(2.0 * math.log2(1.0 + max(delay, 0.0))), DELAYS - 1)
    curve.used = max(curve.used, place + 1)
    _add(curve, place, ALL, 1.0)
    _add(curve, place, LOSS, loss)
    _add(curve, place, SQUARE, loss * loss)
    _add(curve, place, OUTCOME, outcome)
    if not math.isnan(residual):
        _add(curve, place, SCORED, 1.0)
        _add(curve, place, RESIDUAL, residual)
        _add(curve, place, EXCESS, excess)


@kernel
def _add(curve: Record, place: int, column: int, value: float) -> None:
    curve.sums[place, column] += value
    curve.total[column] += value


@kernel
def arrived(curve: Record, column: int, began: int, last: int, now: int) -> float:
    """Return the sum that has come by `now` over the labels of predictions, all that are known for each of them.

    The predictions are spread evenly from `began` to `last`, so it is a mean over their ages; all are event times in
    milliseconds.
    """
    farthest, nearest = float(now - began + 1), float(max(now - last, 0))
    if farthest <= 0.0:
        return 0.0
    width, total = float(last - began + 1), 0.0
    lower = 0.0
    for place in range(curve.used):
        upper = 2.0 ** (0.5 * (place + 1)) - 1.0
        # A label of the same millisecond has come at once.
        begins, ends = (0.0, 0.0) if place == 0 else (lower, upper)
        total += curve.sums[place, column] * (_waited(farthest, begins, ends) - _waited(nearest, begins, ends))
        lower = upper
    return total / width


@kernel
def _waited(age: float, begins: float, ends: float) -> float:
    """Return for how long, of so much time, a label is there that takes some time from one to another."""
    if age >= ends:
        return age - 0.5 * (begins + ends)
    if age <= begins:
        return 0.0
    return (age - begins) * (age - begins) / (2.0 * (ends - begins))
