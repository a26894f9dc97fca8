"""A watched stream of residuals in [-1, 1], with one detector of their mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.models.kernels import centre, e_sr, hourly_means, trail
from driftline.models.kernels import season as seasonal
from driftline.models.kernels import stream as common
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.measure import middle, tally, unit
from driftline.models.kernels.scratch import doubles
from driftline.models.kernels.stream import BLOCK, CLOCK, FIRED, LEVEL_EVERY, QUIET, RECENT, recent

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record, Records


@inlined
def update(stream: Record, trails: Records, value: float, at: int, prediction_offset: int, label_offset: int) -> int:
    """Take one finite value and where it stood; return `QUIET`, `LOOK`, or `FIRED` plus the number of a detector."""
    count = stream.count + 1
    stream.count = count
    if stream.hours.state != seasonal.FLAT:
        value = _without_hour(stream, value, at)
    stream.recent[(count - 1) % RECENT] = value
    if not common.is_marked(count):
        return QUIET
    trail.note(trails[stream.trail], count, at, prediction_offset, label_offset)
    if count % CLOCK == 0:
        fired = _detect(stream)
        if fired != QUIET:
            return FIRED + fired
    stream.standing.lasting.found = 0
    if count % LEVEL_EVERY == 0:
        settle(stream)
    return int(common.said(stream))


@inlined
def learn(stream: Record, value: float, at: int) -> None:
    """Take one residual of the reference, and its time."""
    if stream.hours.state != seasonal.FLAT:
        value = _without_hour(stream, value, at)
    _learn_one(stream, value)


@kernel
def _without_hour(stream: Record, value: float, at: int) -> float:
    """Return what a value is without its hour, once it is known how hours differ; until then let that be learned."""
    hours = stream.hours
    if hours.state == seasonal.LEARNS:
        if not seasonal.is_covered(hours, at):
            hourly_means.learn(hours, value, at)
            return value
        if not hourly_means.settle(hours, centre.relation(stream.evidence[0].centre)):
            return value
        # What was learned had hours in it.
        e_sr.forget(stream.evidence[0])
        common.restart(stream)
        # In the reference they are 0 on average, whatever calibration has left.
        if hourly_means.has_reference(hours):
            hours.whole -= hours.base
        else:  # all of these values are of it
            hours.whole = 0.0
            stream.measure.reference = hours.values
    return float(min(max(value - hourly_means.above(hours, at), -1.0), 1.0))


@inlined
def _learn_one(stream: Record, value: float) -> None:
    stream.recent[stream.learned % CLOCK] = value
    stream.learned += 1
    if stream.learned % CLOCK == 0:
        _gather(stream, 0)


@kernel
def _detect(stream: Record) -> int:
    """Let the detector take the last values; return its number if it has fired."""
    first, block = stream.count - CLOCK, 0.0
    for place in range(first, stream.count):
        block += unit(stream.measure, stream.recent[place % RECENT])
        if (place + 1) % BLOCK == 0:
            stream.blocks[(place + 1) // BLOCK % len(stream.blocks)] = block
            block = 0.0
    if not _gather(stream, first % RECENT):
        return QUIET
    common.begin_anew(stream, 0)
    return 0


@kernel
def _gather(stream: Record, first: int) -> bool:
    """Show the detector the values from a place on; return whether it has fired."""
    fed = doubles()
    for place in range(CLOCK):
        fed[place] = unit(stream.measure, stream.recent[first + place])
    return bool(e_sr.take(stream.evidence[0], fed, CLOCK) != e_sr.QUIET)


@kernel
def learn_all(streams: Records, index: int, values: Doubles) -> None:
    """Do what `learn` does with values of which no time is known, for Python."""
    for value in values:
        _learn_one(streams[index], value)


@kernel
def update_at(
    streams: Records, index: int, trails: Records, value: float, at: int, prediction_offset: int, label_offset: int
) -> int:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(streams[index], trails, value, at, prediction_offset, label_offset)


@kernel
def settle(stream: Record) -> None:
    """Measure where the stream stands, once enough values have come since the newest change."""
    since = stream.count - stream.regime
    if since < LEVEL_EVERY:
        return
    summed, values = doubles(), recent(stream, since)
    tally(stream.measure, values, len(values), summed)
    common.settle(
        stream,
        summed,
        len(values),
        middle(stream.measure, values, len(values)),
        centre.spread(stream.evidence[0].centre),
    )


@kernel
def effect(stream: Record, most: int, errors: float) -> tuple[float, float]:
    """Return how far the last values are from the reference, at least, and what stands beside its `before`."""
    summed, values = doubles(), recent(stream, most)
    tally(stream.measure, values, len(values), summed)
    return common.size(stream, summed, middle(stream.measure, values, len(values)), errors)


@kernel
def sum_up(stream: Record, most: int, into: Doubles) -> None:
    """Sum up the last values, so many or as many as are kept, as the measure does."""
    values = recent(stream, most)
    tally(stream.measure, values, len(values), into)


def newest(stream: Record) -> float:
    """Return the newest value."""
    return float(stream["recent"][(int(stream["count"]) - 1) % RECENT])


def blocks(stream: Record, _: int) -> list[float]:
    """Return the sums of blocks of values; that of the n-th value stands in place n // BLOCK."""
    sums: list[float] = stream["blocks"].tolist()
    return sums
