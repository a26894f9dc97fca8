"""How a stream has stood for thousands of values: what two windows of panes both say, one right after the other.

`driftline.models.drift.standing` says what for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.fsum import fsum
from driftline.models.kernels.measure import BINS, after, bounds

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record

WINDOWS = (8, 2, 1)
"""Panes: the longest window sizes what is small, the shortest one is soon full."""

PANES = 16
NEVER = -1

LASTING = np.dtype(
    [("found", "i8"), ("value", "f8"), ("after", "f8"), ("earliest", "i8"), ("latest", "i8")], align=True
)
"""What has lasted for two windows: how far away both are, and between which counts of values that began."""


def layout(tally: int) -> np.dtype[np.void]:
    """Return the layout of a record whose panes hold so many sums each.

    `taken` counts panes since the beginning and `panes` those that are kept. Of each window, `earliest` is where the
    last one began that was surely not too far away, `latest` where the first of two ended that were both too far away.
    """
    windows = len(WINDOWS)
    fields = [
        ("taken", "i8"),
        ("kept", "i8"),
        ("panes", "f8", (PANES, tally)),
        ("earliest", "i8", windows),
        ("latest", "i8", windows),
        ("lasting", LASTING),
    ]
    return np.dtype(fields, align=True)


@kernel
def restart(standing: Record, earliest: int, panes: int) -> None:
    """Forget what came before a change: it began after `earliest`, and the last `panes` are thought to be of it."""
    standing.kept = min(standing.kept, panes)
    for place in range(len(WINDOWS)):
        standing.earliest[place] = earliest
        standing.latest[place] = NEVER


@kernel
def update(
    standing: Record, measure: Record, min_effect: float, values: Doubles, n: int, summed: Doubles, count: int
) -> None:
    """Take a full pane of `n` values, its tally, and how many values there were with it.

    `lasting` is then what has lasted, if anything has: of the longest window if of several.
    """
    newest = standing.taken % PANES
    for column in range(len(summed)):
        standing.panes[newest, column] = summed[column]
    standing.taken += 1
    standing.kept = min(standing.kept + 1, PANES)
    standing.lasting.found = 0
    width = len(summed)
    for place in range(len(WINDOWS)):
        panes = WINDOWS[place]
        began = count - panes * n
        if standing.kept >= panes:
            _, at_most = bounds(measure, _sum(standing, panes, 0, width))
            if at_most < min_effect:
                standing.earliest[place] = began
                standing.latest[place] = NEVER
                continue
        if standing.kept < 2 * panes:
            continue
        held = _held(standing, measure, panes, width)
        at_least, _ = bounds(measure, held)
        if at_least >= min_effect > 0.0:
            if standing.latest[place] <= 0:
                standing.latest[place] = began
            if standing.lasting.found == 0:
                standing.lasting.found = 1
                standing.lasting.value = at_least
                standing.lasting.after = after(measure, values, n, held)
                standing.lasting.earliest = standing.earliest[place]
                standing.lasting.latest = standing.latest[place]


@kernel
def farthest(standing: Record, measure: Record, summed: Doubles) -> Doubles:
    """Return the tally of recent values, or of what has lasted if that is farther away.

    The more values there are, the closer is the lower bound that an effect is.
    """
    best = summed
    distance, _ = bounds(measure, best)
    for panes in WINDOWS:
        if standing.kept >= 2 * panes:
            held = _held(standing, measure, panes, len(summed))
            at_least, _ = bounds(measure, held)
            if at_least > distance:
                best, distance = held, at_least
    return best


@kernel
def _held(standing: Record, measure: Record, panes: int, width: int) -> Doubles:
    """Return which of the last two windows of so many panes is less far away."""
    before = _sum(standing, panes, panes, width)
    now = _sum(standing, panes, 0, width)
    before_at_least, _ = bounds(measure, before)
    now_at_least, _ = bounds(measure, now)
    return now if now_at_least < before_at_least else before


@kernel
def _sum(standing: Record, panes: int, before: int, width: int) -> Doubles:
    """Return the sum of so many panes, the newest but for those `before`."""
    summed = np.empty(width)
    column_of = np.empty(panes)
    last = standing.taken - before
    for column in range(width):
        total = 0.0
        for place in range(panes):
            value = column_of[place] = standing.panes[(last - panes + place) % PANES, column]
            total += value
        # Counts add up exactly as they are, in a tenth of the time.
        summed[column] = total if width == BINS else fsum(column_of, panes)
    return summed
