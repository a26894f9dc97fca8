"""A watched stream of categories, by the number of each, with one detector of how frequent they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels import e_frequency, trail
from driftline.models.kernels import hours as hourly
from driftline.models.kernels import season as seasonal
from driftline.models.kernels import stream as common
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.e_frequency import CELLS
from driftline.models.kernels.measure import BINS
from driftline.models.kernels.scratch import doubles
from driftline.models.kernels.stream import CLOCK, FIRED, LEVEL_EVERY, QUIET, RECENT

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record, Records

BLOCK: Final = CLOCK
"""Values of a block, which the detector takes at a time."""

REST: Final = CELLS - 1
"""The number of the category that stands for all that have none."""


@inlined
def update(stream: Record, trails: Records, cell: int, at: int, prediction_offset: int, label_offset: int) -> int:
    """Take one category and where it stood; return `QUIET`, `LOOK`, or `FIRED` plus the category that has changed."""
    count = stream.count + 1
    stream.count = count
    if stream.hours.state != seasonal.FLAT:
        cell = _without_hour(stream, cell, at)
    stream.recent[(count - 1) % RECENT] = cell
    if not common.is_marked(count):
        return QUIET
    trail.note(trails[stream.trail], count, at, prediction_offset, label_offset)
    if count % CLOCK == 0:
        fired = _detect(stream)
        if fired != e_frequency.QUIET:
            return FIRED + fired
    stream.standing.lasting.found = 0
    if count % LEVEL_EVERY == 0:
        settle(stream)
    return int(common.said(stream))


@inlined
def learn(stream: Record, cell: int, at: int) -> None:
    """Take one category of the reference, and its time."""
    if stream.hours.state != seasonal.FLAT:
        cell = _without_hour(stream, cell, at)
    _learn_one(stream, cell)


@inlined
def _learn_one(stream: Record, cell: int) -> None:
    stream.recent[stream.learned % CLOCK] = cell
    stream.measure.bins[cell] += 1
    stream.learned += 1
    if stream.learned % CLOCK == 0:
        came = doubles()
        e_frequency.take(stream.evidence[0], stream.recent, 0, CLOCK, came)


@kernel
def _without_hour(stream: Record, cell: int, at: int) -> int:
    """Return what a category is without its hour, once it is known how hours differ; until then let that be learned."""
    hours = stream.hours
    if hours.state == seasonal.LEARNS:
        if not seasonal.is_covered(hours, at):
            seasonal.count(hours, cell, at)
            return cell
        if not hourly.settle(hours, e_frequency.relation(stream.evidence[0])):
            return cell
        _begin_anew_without_hours(stream)
    return int(hourly.flat(hours, cell, at, stream.count + stream.learned))


@kernel
def _begin_anew_without_hours(stream: Record) -> None:
    """Forget what was learned from values that had their hours in them: all of them are of the reference now."""
    e_frequency.forget(stream.evidence[0])
    common.restart(stream)
    for cell in range(CELLS):
        stream.measure.bins[cell] = int(stream.hours.whole[cell] * stream.hours.values + 0.5)
    stream.measure.reference = stream.hours.values


@kernel
def _detect(stream: Record) -> int:
    """Let the detector take the last values; return the category that has changed, if one has."""
    evidence, came = stream.evidence[0], doubles()
    fired = e_frequency.take(evidence, stream.recent, stream.count - CLOCK, CLOCK, came)
    block = stream.count // CLOCK % len(stream.blocks)
    for cell in range(CELLS):
        stream.blocks[block, cell] = int(came[cell])
    if fired != e_frequency.QUIET:
        stream.seen = evidence.total
        stream.enough = evidence.threshold
        stream.calm = evidence.taken - evidence.calm
        stream.variance = e_frequency.variance(evidence, fired)
        e_frequency.begin_anew(evidence)
    return fired


@kernel
def _count(stream: Record, first: int, n: int, came: Doubles) -> None:
    """Count the categories of `n` values from the `first` on, counted from 0."""
    for cell in range(BINS):
        came[cell] = 0.0
    for place in range(first, first + n):
        came[stream.recent[place % RECENT]] += 1.0


@kernel
def learn_all(streams: Records, index: int, values: Doubles) -> None:
    """Do what `learn` does with categories of which no time is known, for Python."""
    for value in values:
        _learn_one(streams[index], int(value))


@kernel
def update_at(
    streams: Records,
    index: int,
    trails: Records,
    value: float,
    at: int,
    prediction_offset: int,
    label_offset: int,
) -> int:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(streams[index], trails, int(value), at, prediction_offset, label_offset)


@kernel
def settle(stream: Record) -> None:
    """Measure where the stream stands, once enough values have come since the newest change."""
    since = stream.count - stream.regime
    if since < LEVEL_EVERY:
        return
    n, summed = min(since, RECENT), doubles()
    _count(stream, stream.count - n, n, summed)
    common.settle(stream, summed, n, 0.0, e_frequency.spread(stream.evidence[0]))


@kernel
def effect(stream: Record, most: int, errors: float) -> tuple[float, float]:
    """Return how far the last values are from the reference, less so many errors; what has moved says `moved`."""
    summed = doubles()
    sum_up(stream, most, summed)
    return common.size(stream, summed, 0.0, errors)


@kernel
def sum_up(stream: Record, most: int, into: Doubles) -> None:
    """Sum up the last values, so many or as many as are kept, as the measure does."""
    n = min(most, RECENT, stream.count)
    _count(stream, stream.count - n, n, into)


def moved(stream: Record) -> tuple[int, float, float]:
    """Return which category has moved most, how frequent it was in the reference, and how frequent it is now.

    That is, since the newest change, of the last 512 values at most: the one of which the population stability index
    has most.
    """
    count = int(stream["count"])
    n = min(max(count - int(stream["regime"]), 1), RECENT, count)
    recent = stream["recent"][np.arange(count - n, count) % RECENT]
    counts, bins = np.bincount(recent, minlength=CELLS), stream["measure"]["bins"][:CELLS].astype(float)
    now, before = (counts + 0.5) / (n + 1.0), (bins + 0.5) / (bins.sum() + 1.0)
    moved = np.where(counts + bins > 0, (now - before) * np.log(now / before), -1.0)
    cell = int(np.argmax(moved))
    return cell, float(bins[cell] / max(bins.sum(), 1.0)), float(counts[cell] / max(n, 1))


def blocks(stream: Record, cell: int) -> list[float]:
    """Return how often a category came in blocks; that of the n-th value stands in place n // BLOCK."""
    counts: list[float] = stream["blocks"][:, cell].astype(float).tolist()
    return counts
