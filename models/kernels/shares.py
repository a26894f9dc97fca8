"""A watched stream of zeros and ones, with one detector of their share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels import stream as common
from driftline.models.kernels import trail, windows
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.measure import tally_bits
from driftline.models.kernels.scratch import doubles, wholes
from driftline.models.kernels.stream import BLOCK, BLOCKS, CLOCK, FIRED, LEVEL_EVERY, QUIET, RECENT

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record, Records

_ONE: Final = 1.0  # the unit


@inlined
def update(stream: Record, trails: Records, value: float, at: int, prediction_offset: int, label_offset: int) -> int:
    """Take one finite value and where it stood; return `QUIET`, `LOOK`, or `FIRED` plus the number of a detector."""
    count = stream.count + 1
    stream.count = count
    _keep(stream, count - 1, value)
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
def _keep(stream: Record, place: int, value: float) -> None:
    word = place // CLOCK % len(stream.recent)
    if place % CLOCK == 0:
        stream.recent[word] = 0
    if value != 0.0:
        stream.recent[word] |= np.uint32(1 << place % CLOCK)


@kernel
def _bit(stream: Record, place: int) -> int:
    return int(stream.recent[place // CLOCK % len(stream.recent)]) >> place % CLOCK & 1


@kernel
def _detect(stream: Record) -> int:
    """Let the detector take the last values; return its number if it has fired."""
    bits, shape, window = wholes(), stream.shape, stream.bits
    for place in range(CLOCK):
        bits[place] = _bit(stream, stream.count - CLOCK + place)
    for start in range(0, CLOCK, BLOCK):
        ones = 0
        for place in range(start, start + BLOCK):
            ones += bits[place]
        stream.blocks[(stream.count - CLOCK + start + BLOCK) // BLOCK % BLOCKS] = ones
    n = windows.step(shape)
    for start in range(0, CLOCK, n):
        windows.weigh(window, shape, bits, start, n, _ONE)
        if shape.width == windows.MOST:
            windows.forget(window, shape, shape.width + 1, _ONE)
            windows.shrink(shape)
        windows.insert(window.sums, shape.counts, bits, start, n)
        windows.grow(shape, n)
    if not windows.is_cut(window, shape, windows.log_odds(float(shape.width), stream.delta), _ONE):
        return QUIET
    stream.cut = windows.cut(window, shape, stream.delta, _ONE)
    windows.clear(window, windows.ROWS)
    windows.clear_shape(shape)
    return 0


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
    common.settle(stream, summed, n, 0.0)


@kernel
def effect(stream: Record, most: int) -> tuple[float, float]:
    """Return how far the last values are from the reference, at least, and what stands beside its `before`."""
    n, summed = min(most, RECENT, stream.count), doubles()
    tally_bits(n, float(_ones(stream, n)), summed)
    return common.size(stream, summed, 0.0)


def window(stream: Record) -> int:
    """Return how many values the detector compares, those that it takes with the next ones included."""
    return int(stream["shape"]["width"]) + int(stream["count"]) % CLOCK


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
