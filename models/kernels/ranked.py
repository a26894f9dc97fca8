"""A watched stream of numbers that are ranked among those of a reference.

Detectors are fed the rank, `LOCATION`; of the streams of `RankPsi` also `SPREAD` and `BEYOND`, for which see
`driftline.models.drift.stream`. A rank is a whole number of 512ths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.models.kernels import stream as common
from driftline.models.kernels import trail, windows
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.measure import BINS, CELLS, PSI, middle, middle_by_bins, tally, twice_mid_rank
from driftline.models.kernels.scratch import doubles, wholes
from driftline.models.kernels.stream import BLOCK, BLOCKS, CLOCK, FIRED, LEVEL_EVERY, QUIET, RECENT, recent

if TYPE_CHECKING:
    from driftline.models.kernels.types import Integers, Record, Records

LOCATION, SPREAD, BEYOND = range(3)

_UNIT: Final = 2.0 * CELLS
_ONE: Final = 1.0  # the unit of zeros and ones
_RANKS: Final = 2 * CELLS // (BINS - 1)  # of a bin

# A block of 16 has sums of up to 8192, 4096 and 16: of the ranks, of half the spreads, and of what lies beyond.
_SPREADS: Final = 14
_BEYOND: Final = 27


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
    """Let the detectors take the last values; return which of them has fired, the last one if several have."""
    ranks, numbers, bits = wholes(), wholes(), wholes()
    first = (stream.count - CLOCK) % RECENT
    for place in range(CLOCK):
        ranks[place] = twice_mid_rank(stream.measure.cells, stream.recent[first + place])
    _sum_up(stream, ranks)
    spreads = len(stream.numbers) > SPREAD
    shape, delta, n = stream.shape, stream.delta, windows.step(stream.shape)
    for start in range(0, CLOCK, n):
        windows.weigh(stream.numbers[LOCATION], shape, ranks, start, n, _UNIT)
        if spreads:
            for place in range(start, start + n):
                numbers[place] = 2 * abs(ranks[place] - CELLS)
                bits[place] = ranks[place] == 0 or ranks[place] == 2 * CELLS
            windows.weigh(stream.numbers[SPREAD], shape, numbers, start, n, _UNIT)
            windows.weigh(stream.bits, shape, bits, start, n, _ONE)
        if shape.width == windows.MOST:
            _forget(stream, spreads)
        if spreads:
            for place in range(start, start + n):
                numbers[place] = windows.packed(numbers[place])
            windows.insert(stream.numbers[SPREAD].sums, shape.counts, numbers, start, n)
            windows.insert(stream.bits.sums, shape.counts, bits, start, n)
        for place in range(start, start + n):
            numbers[place] = windows.packed(ranks[place])
        windows.insert(stream.numbers[LOCATION].sums, shape.counts, numbers, start, n)
        windows.grow(shape, n)
    odds = windows.log_odds(float(shape.width), delta)
    if spreads and windows.is_cut(stream.bits, shape, odds, _ONE):
        return _begin_anew(stream, BEYOND, windows.cut(stream.bits, shape, delta, _ONE))
    if spreads and windows.is_cut(stream.numbers[SPREAD], shape, odds, _UNIT):
        return _begin_anew(stream, SPREAD, windows.cut(stream.numbers[SPREAD], shape, delta, _UNIT))
    if windows.is_cut(stream.numbers[LOCATION], shape, odds, _UNIT):
        return _begin_anew(stream, LOCATION, windows.cut(stream.numbers[LOCATION], shape, delta, _UNIT))
    return QUIET


@kernel
def _sum_up(stream: Record, ranks: Integers) -> None:
    """Note blocks of what the detectors are fed, and how many ranks there are of each bin."""
    for start in range(0, CLOCK, BLOCK):
        located = spread = beyond = 0
        for place in range(start, start + BLOCK):
            rank = ranks[place]
            located += rank
            spread += abs(rank - CELLS)
            beyond += rank == 0 or rank == 2 * CELLS
        block = (stream.count - CLOCK + start + BLOCK) // BLOCK % BLOCKS
        stream.blocks[block] = located | (spread << _SPREADS) | (beyond << _BEYOND)
    bins = stream.tallies[(stream.count - 1) // LEVEL_EVERY % len(stream.tallies)]
    if stream.count % LEVEL_EVERY == CLOCK:
        for place in range(BINS):
            bins[place] = 0
    for place in range(CLOCK):
        bins[ranks[place] // _RANKS] += 1


@kernel
def _forget(stream: Record, spreads: bool) -> None:  # noqa: FBT001 - known when it is compiled
    """Give up the oldest bucket, with the newest value in the windows already, but for the buckets."""
    shape = stream.shape
    windows.forget(stream.numbers[LOCATION], shape, shape.width + 1, _UNIT)
    if spreads:
        windows.forget(stream.numbers[SPREAD], shape, shape.width + 1, _UNIT)
        windows.forget(stream.bits, shape, shape.width + 1, _ONE)
    windows.shrink(shape)


@kernel
def _begin_anew(stream: Record, fired: int, left: int) -> int:
    """Empty all windows: the others would find the same change again, and have nothing to locate it by."""
    stream.cut = left
    for place in range(len(stream.numbers)):
        windows.clear(stream.numbers[place], windows.ROWS)
    windows.clear(stream.bits, windows.ROWS)
    windows.clear_shape(stream.shape)
    return fired


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
    if stream.measure.kind == PSI and (since >= RECENT or since == LEVEL_EVERY):
        _settle_by_bins(stream, min(since, RECENT))
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


@kernel
def _settle_by_bins(stream: Record, n: int) -> None:
    """Do that by the tallies of the last values, `RECENT` or `LEVEL_EVERY`."""
    summed = doubles()
    newest = (stream.count - 1) // LEVEL_EVERY % len(stream.tallies)
    for place in range(BINS):
        summed[place] = stream.tallies[newest, place]
        if n == RECENT:
            summed[place] += stream.tallies[1 - newest, place]
    first = (stream.count - n) % RECENT if n < RECENT else 0  # all there are, in whichever order
    common.settle(stream, summed, n, middle_by_bins(stream.measure, stream.recent, first, n, summed))


def window(stream: Record) -> int:
    """Return how many values the first detector compares, those that it takes with the next ones included."""
    return int(stream["shape"]["width"]) + int(stream["count"]) % CLOCK


def newest(stream: Record) -> float:
    """Return the newest value."""
    return float(stream["recent"][(int(stream["count"]) - 1) % RECENT])


def blocks(stream: Record, detector: int) -> list[float]:
    """Return what a detector was fed, summed up in blocks; that of the n-th value stands in place n // BLOCK."""
    packed = stream["blocks"].astype(int)
    if detector == LOCATION:
        fed = (packed & ((1 << _SPREADS) - 1)) / _UNIT
    elif detector == SPREAD:
        fed = (packed >> _SPREADS & ((1 << _BEYOND - _SPREADS) - 1)) / CELLS
    else:
        fed = (packed >> _BEYOND).astype(float)
    sums: list[float] = fed.tolist()
    return sums
