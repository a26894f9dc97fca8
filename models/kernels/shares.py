"""A watched stream of zeros and ones, with one detector of their share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels import centre, e_sr, trail
from driftline.models.kernels import hours as hourly
from driftline.models.kernels import season as seasonal
from driftline.models.kernels import stream as common
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.measure import tally_bits
from driftline.models.kernels.scratch import doubles
from driftline.models.kernels.stream import CLOCK, FIRED, LEVEL_EVERY, QUIET, RECENT

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record, Records

BLOCK: Final = trail.FINEST
"""Values that the detector takes at a time, and of a block: of errors there are few, and each counts."""


@inlined
def update(stream: Record, trails: Records, value: float, at: int, prediction_offset: int, label_offset: int) -> int:
    """Take one finite value and where it stood; return `QUIET`, `LOOK`, or `FIRED` plus the number of a detector."""
    if stream.hours.state != seasonal.FLAT:
        value = _without_hour(stream, value, at)
    return update_flat(stream, trails, value, at, prediction_offset, label_offset)


@inlined
def update_flat(
    stream: Record, trails: Records, value: float, at: int, prediction_offset: int, label_offset: int
) -> int:
    """Do the same where hours do not differ: it touches less memory."""
    count = stream.count + 1
    stream.count = count
    _keep(stream, count - 1, value)
    if not common.is_marked(count):
        return QUIET
    trail.note(trails[stream.trail], count, at, prediction_offset, label_offset)
    if count % BLOCK == 0:
        fired = _detect(stream)
        if fired != QUIET:
            return FIRED + fired
    stream.standing.lasting.found = 0
    if count % LEVEL_EVERY == 0:
        settle(stream)
    return int(common.said(stream))


@inlined
def _keep(stream: Record, place: int, value: float) -> None:
    word = place // CLOCK % len(stream.recent)
    if place % CLOCK == 0:
        stream.recent[word] = 0
    if value != 0.0:
        stream.recent[word] |= np.uint32(1 << place % CLOCK)


@kernel
def _bit(stream: Record, place: int) -> int:
    return int(stream.recent[place // CLOCK % len(stream.recent)]) >> place % CLOCK & 1


@inlined
def learn(stream: Record, value: float, at: int) -> None:
    """Take one value of the reference, and its time."""
    if stream.hours.state != seasonal.FLAT:
        value = _without_hour(stream, value, at)
    learn_flat(stream, value)


@kernel
def _without_hour(stream: Record, value: float, at: int) -> float:
    """Return what a value is without its hour, once it is known how hours differ; until then let that be learned."""
    hours, cell = stream.hours, 1 if value != 0.0 else 0
    if hours.state == seasonal.LEARNS:
        if not seasonal.is_covered(hours, at):
            seasonal.count(hours, cell, at)
            return value
        if not hourly.settle(hours, centre.relation(stream.evidence[0].centre)):
            return value
        # What was learned had hours in it.
        e_sr.forget(stream.evidence[0])
        common.restart(stream)
        if not hourly.look_from_reference(hours):  # all of these values are of it
            stream.measure.before = hours.whole[1]
            stream.measure.reference = hours.values
    return float(hourly.flat(hours, cell, at, stream.count + stream.learned))


@inlined
def learn_flat(stream: Record, value: float) -> None:
    """Do what `learn` does where hours do not differ."""
    _keep(stream, stream.learned, value)
    stream.learned += 1
    if stream.learned % BLOCK == 0:
        _gather(stream, stream.learned)


@kernel
def _detect(stream: Record) -> int:
    """Let the detector take the last values; return its number if it has fired."""
    stream.blocks[stream.count // BLOCK % len(stream.blocks)] = _ones(stream, BLOCK)
    if not _gather(stream, stream.count):
        return QUIET
    common.begin_anew(stream, 0)
    return 0


@kernel
def _gather(stream: Record, count: int) -> bool:
    """Show the detector the last of so many values; return whether it has fired."""
    fed = doubles()
    for place in range(BLOCK):
        fed[place] = _bit(stream, count - BLOCK + place)
    return bool(e_sr.take(stream.evidence[0], fed, BLOCK) != e_sr.QUIET)


@kernel
def learn_all(streams: Records, index: int, values: Doubles) -> None:
    """Do what `learn` does with values of which no time is known, for Python."""
    for value in values:
        learn_flat(streams[index], value)


@kernel
def update_at(
    streams: Records, index: int, trails: Records, value: float, at: int, prediction_offset: int, label_offset: int
) -> int:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(streams[index], trails, value, at, prediction_offset, label_offset)


@kernel
def _ones(stream: Record, n: int) -> int:
    """Return how many of the last `n` values are ones."""
    ones = 0
    for place in range(stream.count - n, stream.count):
        ones += _bit(stream, place)
    return ones


@kernel
def settle(stream: Record) -> None:
    """Measure where the stream stands, once enough values have come since the newest change."""
    since = stream.count - stream.regime
    if since < LEVEL_EVERY:
        return
    n, summed = min(since, RECENT), doubles()
    tally_bits(n, float(_ones(stream, n)), summed)
    common.settle(stream, summed, n, 0.0, centre.spread(stream.evidence[0].centre))


@kernel
def effect(stream: Record, most: int, errors: float) -> tuple[float, float]:
    """Return how far the last values are from the reference, at least, and what stands beside its `before`."""
    summed = doubles()
    sum_up(stream, most, summed)
    return common.size(stream, summed, 0.0, errors)


@kernel
def sum_up(stream: Record, most: int, into: Doubles) -> None:
    """Sum up the last values, so many or as many as are kept, as the measure does."""
    n = min(most, RECENT, stream.count)
    tally_bits(n, float(_ones(stream, n)), into)


def newest(stream: Record) -> float:
    """Return the newest value."""
    place, words = int(stream["count"]) - 1, stream["recent"]
    return float(int(words[place // CLOCK % len(words)]) >> place % CLOCK & 1)


def recent_ones(stream: Record) -> list[int]:
    """Return which of the last values are ones, counted from 1 at the stream's first. At every 32nd none is missing."""
    count, words = int(stream["count"]), stream["recent"].tolist()
    places = range(max(count - RECENT, 0), count)
    return [place + 1 for place in places if words[place // CLOCK % len(words)] >> place % CLOCK & 1]


def blocks(stream: Record, _: int) -> list[float]:
    """Return the ones of blocks of values; that of the n-th value stands in place n // BLOCK."""
    ones: list[float] = stream["blocks"].astype(float).tolist()
    return ones
