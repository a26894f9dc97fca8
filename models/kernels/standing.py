"""How a stream has stood for thousands of values: what no detector of changes can tell.

A detector sees that something changes. It sees nothing of what changed before it began, of a change of shape that moves
none of what it is fed, and a change that it did see can be too small to be sized by a few hundred values. Each of these
leaves the stream away from its reference for good. So values are summed up in panes, and what two windows of them that
share no value both say, one right after the other, is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.fsum import fsum
from driftline.models.kernels.measure import after, bounds, counts
from driftline.models.kernels.scratch import doubles

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record

WINDOWS = (8, 2, 1)
"""Panes: the longest window sizes what is small, the shortest one is soon full."""

PANES = 16
NEVER = -1

FEWEST = 128
"""Independent values that a window is to be worth: fewer have a heavier tail than the error of what they say tells."""

LASTING = np.dtype(
    [("found", "i8"), ("value", "f8"), ("after", "f8"), ("earliest", "i8"), ("latest", "i8")], align=True
)
"""What has lasted for two windows: how far away both are, and between which counts of values that began."""


def layout(tally: int, sums: str) -> np.dtype[np.void]:
    """Return the layout of a record whose panes hold so many sums of this type each.

    `taken` counts panes since the beginning and `kept` those that are kept; `spread` is how many values were worth one
    independent one before anything had changed, 0 while that is not known. Of each window, `earliest` is where the
    last one began that was surely not too far away, `latest` where the first of two ended that were both too far away;
    `least` is how far away the last two of it are at least, and `older` whether that is the one before the last.
    """
    windows = len(WINDOWS)
    fields = [
        ("lasting", LASTING),
        ("taken", "i8"),
        ("kept", "i8"),
        ("spread", "f8"),
        ("earliest", "i8", windows),
        ("latest", "i8", windows),
        ("least", "f8", windows),
        ("older", "u1", windows),
        ("panes", sums, (PANES, tally)),
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
    standing: Record, measure: Record, min_effect: float, middle: float, n: int, summed: Doubles, count: int
) -> None:
    """Take a full pane of `n` values: their median, as `after` has it, their tally, and how many there were with them.

    `lasting` is then what has lasted, if anything has: of the longest window if of several.
    """
    newest = standing.taken % PANES
    width = standing.panes.shape[1]
    for column in range(width):
        standing.panes[newest, column] = summed[column]
    standing.taken += 1
    standing.kept = min(standing.kept + 1, PANES)
    standing.lasting.found = 0
    held = doubles()
    for place in range(len(WINDOWS)):
        panes = WINDOWS[place]
        if standing.kept < panes:
            continue
        if panes * n < FEWEST * standing.spread:
            standing.least[place] = 0.0
            standing.latest[place] = NEVER
            continue
        began = count - panes * n
        add_up(standing, measure, panes, 0, held)
        least, most = bounds(measure, held)
        if standing.kept >= 2 * panes:
            add_up(standing, measure, panes, panes, held)
            before, _ = bounds(measure, held)
            standing.older[place] = 0 if least < before else 1
            standing.least[place] = min(before, least)
        if most < min_effect:
            standing.earliest[place] = began
            standing.latest[place] = NEVER
        elif standing.kept >= 2 * panes and standing.least[place] >= min_effect > 0.0:
            if standing.latest[place] <= 0:
                standing.latest[place] = began
            if standing.lasting.found == 0:
                add_up(standing, measure, panes, panes * standing.older[place], held)
                standing.lasting.found = 1
                standing.lasting.value = standing.least[place]
                standing.lasting.after = after(measure, middle, held)
                standing.lasting.earliest = standing.earliest[place]
                standing.lasting.latest = standing.latest[place]


@kernel
def farthest(standing: Record, measure: Record, summed: Doubles) -> float:
    """Return how far recent values are at least, given their tally, or what has lasted if that is farther away.

    Then `summed` is made the tally of that. The more values there are, the closer is the lower bound that an effect is.
    """
    distance, _ = bounds(measure, summed)
    best = NEVER
    for place in range(len(WINDOWS)):
        if standing.kept >= 2 * WINDOWS[place] and standing.least[place] > distance:
            best, distance = place, standing.least[place]
    if best != NEVER:
        add_up(standing, measure, WINDOWS[best], WINDOWS[best] * standing.older[best], summed)
    return distance


@kernel
def add_up(standing: Record, measure: Record, panes: int, before: int, into: Doubles) -> None:
    """Sum up so many panes, the newest but for those `before`."""
    column_of = doubles()
    first = standing.taken - before - panes
    for column in range(standing.panes.shape[1]):
        total = 0.0
        for place in range(panes):
            value = column_of[place] = standing.panes[(first + place) % PANES, column]
            total += value
        into[column] = total if counts(measure) else fsum(column_of, panes)
