"""A watched stream of residuals in [-1, 1], with one detector of their mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.models.kernels import adwin, trail
from driftline.models.kernels import stream as common
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.measure import middle, tally, unit
from driftline.models.kernels.scratch import doubles
from driftline.models.kernels.stream import BLOCK, BLOCKS, CLOCK, FIRED, LEVEL_EVERY, QUIET, RECENT, recent

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record, Records


@inlined
def update(stream: Record, trails: Records, value: float, at: int, prediction_offset: int, label_offset: int) -> int:
    """Take one finite value and where it stood; return `QUIET`, `LOOK`, or `FIRED` plus the number of a detector."""
    count = stream.count + 1
    stream.count = count
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


@kernel
def _detect(stream: Record) -> int:
    """Let the detector take the last values; return its number if it has fired."""
    first, fired, block = stream.count - CLOCK, False, 0.0
    for place in range(first, stream.count):
        fed = unit(stream.measure, stream.recent[place % RECENT])
        block += fed
        if (place + 1) % BLOCK == 0:
            stream.blocks[(place + 1) // BLOCK % BLOCKS] = block
            block = 0.0
        fired = adwin.update(stream.adwin, fed, stream.delta)  # at the last value, if at all
    if not fired:
        return QUIET
    stream.cut = int(stream.adwin.width)
    adwin.reset(stream.adwin)
    return 0


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
    common.settle(stream, summed, len(values), middle(stream.measure, values, len(values)))


@kernel
def effect(stream: Record, most: int) -> tuple[float, float]:
    """Return how far the last values are from the reference, at least, and what stands beside its `before`."""
    summed, values = doubles(), recent(stream, most)
    tally(stream.measure, values, len(values), summed)
    return common.size(stream, summed, middle(stream.measure, values, len(values)))


def window(stream: Record) -> int:
    """Return how many values the detector compares, those that it takes with the next ones included."""
    return int(stream["adwin"]["width"]) + int(stream["count"]) % CLOCK


def newest(stream: Record) -> float:
    """Return the newest value."""
    return float(stream["recent"][(int(stream["count"]) - 1) % RECENT])


def blocks(stream: Record, _: int) -> list[float]:
    """Return the sums of blocks of values; that of the n-th value stands in place n // BLOCK."""
    sums: list[float] = stream["blocks"].tolist()
    return sums
