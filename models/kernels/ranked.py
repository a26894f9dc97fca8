"""A watched stream of numbers that are ranked among those of a reference.

Detectors are fed the rank, `LOCATION`; of the streams of `RankPsi` also `SPREAD` and `BEYOND`, for which see
`driftline.models.drift.stream`. A rank is a whole number of 512ths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.models.kernels import centre, e_sr, trail
from driftline.models.kernels import season as seasonal
from driftline.models.kernels import stream as common
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.measure import BINS, CELLS, PSI, middle, middle_by_bins, tally, twice_mid_rank
from driftline.models.kernels.scratch import doubles, wholes
from driftline.models.kernels.stream import BLOCK, CLOCK, FIRED, LEVEL_EVERY, QUIET, RECENT, recent

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Integers, Record, Records

LOCATION, SPREAD, BEYOND = range(3)

NONE: Final = -1
"""In place of the index of a season: the hours of the stream do not differ."""

_UNIT: Final = 2.0 * CELLS
_RANKS: Final = 2 * CELLS // (BINS - 1)  # of a bin

# A block of 16 has sums of up to 8192, 4096 and 16: of the ranks, of half the spreads, and of what lies beyond.
_SPREADS: Final = 14
_BEYOND: Final = 27


@inlined
def update(
    stream: Record,
    trails: Records,
    seasons: Records,
    value: float,
    at: int,
    prediction_offset: int,
    label_offset: int,
) -> int:
    """Take one finite value and where it stood; return `QUIET`, `LOOK`, or `FIRED` plus the number of a detector."""
    count = stream.count + 1
    stream.count = count
    if stream.season != NONE:
        value = _without_hour(stream, seasons[stream.season], value, at)
    stream.recent[(count - 1) % RECENT] = value
    if not common.is_marked(count):
        return QUIET
    trail.note(trails[stream.trail], count, at, prediction_offset, label_offset)
    if count % CLOCK == 0:
        fired = _detect(stream, seasons, at)
        if fired != QUIET:
            return FIRED + fired
    stream.standing.lasting.found = 0
    if count % LEVEL_EVERY == 0:
        settle(stream)
    return int(common.said(stream))


@inlined
def learn(stream: Record, seasons: Records, value: float, at: int) -> None:
    """Take one finite value of the reference, whose cells are known already, and its time."""
    if stream.season != NONE:
        value = _without_hour(stream, seasons[stream.season], value, at)
    _learn_one(stream, seasons, value, at)


@kernel
def _without_hour(stream: Record, season: Record, value: float, at: int) -> float:
    """Return what a value is without its hour, once it is known how hours differ; until then let the season learn."""
    cells = stream.measure.cells
    if season.state == seasonal.LEARNS:
        if not seasonal.is_covered(season, at):
            seasonal.learn(season, cells, value, at)
            return value
        if not seasonal.settle(season, centre.relation(stream.evidence[LOCATION].centre)):
            stream.season = NONE
            return value
        _begin_anew_without_hours(stream, season.values)
    return float(seasonal.flat(season, cells, value, at, stream.count + stream.learned))


@kernel
def _begin_anew_without_hours(stream: Record, values: int) -> None:
    """Forget what was learned from values that had their hours in them: all of them are of the reference now."""
    for place in range(len(stream.evidence)):
        e_sr.forget(stream.evidence[place])
    common.restart(stream)
    if stream.measure.kind == PSI:
        # What is left of values is distributed as the cells are.
        for place in range(BINS):
            stream.measure.bins[place] = 0
        for place in range(CELLS):
            stream.measure.bins[twice_mid_rank(stream.measure.cells, stream.measure.cells[place]) // _RANKS] += 1
        for place in range(BINS):
            stream.measure.bins[place] = stream.measure.bins[place] * values // CELLS
        stream.measure.reference = values


@inlined
def _learn_one(stream: Record, seasons: Records, value: float, at: int) -> None:
    stream.recent[stream.learned % CLOCK] = value
    stream.learned += 1
    if stream.learned % CLOCK == 0:
        _learn(stream, seasons, at)


@kernel
def _learn(stream: Record, seasons: Records, at: int) -> None:
    ranks = wholes()
    _rank(stream, 0, ranks)
    for place in range(CLOCK):
        if stream.measure.kind == PSI:
            stream.measure.bins[ranks[place] // _RANKS] += 1
    _gather(stream, seasons, ranks, at)


@kernel
def _detect(stream: Record, seasons: Records, at: int) -> int:
    """Let the detectors take the last values; return which of them has fired, the last one if several have."""
    ranks = wholes()
    _rank(stream, (stream.count - CLOCK) % RECENT, ranks)
    _sum_up(stream, ranks)
    fired = _gather(stream, seasons, ranks, at)
    if fired != QUIET:
        common.begin_anew(stream, fired)
    return fired


@kernel
def _rank(stream: Record, first: int, ranks: Integers) -> None:
    for place in range(CLOCK):
        ranks[place] = twice_mid_rank(stream.measure.cells, stream.recent[first + place])


@kernel
def _gather(stream: Record, seasons: Records, ranks: Integers, at: int) -> int:
    """Show the detectors what they are fed, the last of it at a time; return which of them has fired."""
    fed, fired = doubles(), QUIET
    for place in range(CLOCK):
        fed[place] = ranks[place] / _UNIT
    _even_out(stream, seasons, LOCATION, fed, at)
    if e_sr.take(stream.evidence[LOCATION], fed, CLOCK) != e_sr.QUIET:
        fired = LOCATION
    if len(stream.evidence) > SPREAD:
        for place in range(CLOCK):
            fed[place] = abs(ranks[place] - CELLS) / (1.0 * CELLS)
        _even_out(stream, seasons, SPREAD, fed, at)
        if e_sr.take(stream.evidence[SPREAD], fed, CLOCK) != e_sr.QUIET:
            fired = SPREAD
        for place in range(CLOCK):
            fed[place] = 1.0 if ranks[place] == 0 or ranks[place] == 2 * CELLS else 0.0
        # What is beyond is too rare to tell by itself how it depends on its past.
        stream.evidence[BEYOND].inflation = centre.spread(stream.evidence[LOCATION].centre)
        if e_sr.take(stream.evidence[BEYOND], fed, CLOCK) != e_sr.QUIET:
            fired = BEYOND
    return fired


@kernel
def _even_out(stream: Record, seasons: Records, statistic: int, fed: Doubles, at: int) -> None:
    """Take from a statistic what it is usually off its mean at this time of day."""
    if stream.season == NONE or seasons[stream.season].state != seasonal.DAILY:
        return
    season, middle = seasons[stream.season], centre.mean(stream.evidence[statistic].centre)
    usual, total = seasonal.off(season, statistic, at), 0.0
    for place in range(CLOCK):
        total += fed[place] - middle
        fed[place] = min(max(fed[place] - usual, 0.0), 1.0)
    seasonal.note(season, statistic, at, CLOCK, total)


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
        block = (stream.count - CLOCK + start + BLOCK) // BLOCK % len(stream.blocks)
        stream.blocks[block] = located | (spread << _SPREADS) | (beyond << _BEYOND)
    bins = stream.tallies[(stream.count - 1) // LEVEL_EVERY % len(stream.tallies)]
    if stream.count % LEVEL_EVERY == CLOCK:
        for place in range(BINS):
            bins[place] = 0
    for place in range(CLOCK):
        bins[ranks[place] // _RANKS] += 1


@kernel
def learn_all(streams: Records, index: int, seasons: Records, values: Doubles) -> None:
    """Do what `learn` does with values of which no time is known, for Python."""
    for value in values:
        _learn_one(streams[index], seasons, value, 0)


@kernel
def update_at(
    streams: Records,
    index: int,
    trails: Records,
    seasons: Records,
    value: float,
    at: int,
    prediction_offset: int,
    label_offset: int,
) -> int:
    """Do what `update` does, for Python: it hands over a record in 7 us, and a bank and an index in 1."""
    return update(streams[index], trails, seasons, value, at, prediction_offset, label_offset)


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
    common.settle(
        stream,
        summed,
        n,
        middle_by_bins(stream.measure, stream.recent, first, n, summed),
        centre.spread(stream.evidence[0].centre),
    )


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
