"""Which ranks to watch: ``python -m benchmarks.ranks [--values N]``.

Of streams in which nothing changes, how many false alarms e-SR gives for each one that it promises at most: on ranks
among a frozen reference, without the hour of the day, as Driftline has them; and on sequential ranks, among all values
so far and made exact by a hash. Both are centred and whitened alike. Beside it, what a value costs.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba import njit

from benchmarks.detection_nulls import NULLS
from benchmarks.detection_streams import Noise
from benchmarks.results import keep, origin
from driftline.models.drift.finding import Subject
from driftline.models.drift.rank import RankPsi
from driftline.models.drift.stream import RANK_DETECTORS, Stream
from driftline.models.drift.streams import Streams
from driftline.models.kernels import e_sr, ranked
from driftline.models.kernels.measure import CELLS, twice_mid_rank
from driftline.models.kernels.stream import FIRED
from driftline.schemas.alerts import Kind, Target

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Integers, Records

FAMILIES: Final = ("normal", "zero-inflated", "AR(1) .9", "daily, 1e3 a day", "daily, 1e5 a day")

_REFERENCE: Final = 10_000
_QUARTER: Final = 2_500
_PROMISE: Final = 100_000.0  # values to a false alarm
_AT_ONCE: Final = 32
_CHUNK: Final = 1_000_000


@njit(error_model="numpy")
def _watch_frozen(  # noqa: PLR0913, PLR0917 - banks
    streams: Records, index: int, trails: Records, seasons: Records, values: Doubles, times: Integers, reference: int
) -> int:
    alarms = 0
    for place in range(len(values)):
        if place < reference:
            ranked.learn(streams[index], seasons, values[place], times[place])
        elif ranked.update_at(streams, index, trails, seasons, values[place], times[place], place, -1) >= FIRED:
            alarms += 1
    return alarms


def frozen(values: Doubles, times: Integers) -> int:
    """Return how many false alarms there are on ranks among the reference."""
    streams, first = Streams(), values[:_QUARTER].tolist()
    stream = Stream(
        Subject(Kind.DATA_DRIFT, Target(feature="x")),
        "1",
        RankPsi.of(first),
        detectors=RANK_DETECTORS,
        min_effect=0.1,
        describe=lambda effect: effect.measure,
        streams=streams,
        has_hours=True,
    )
    stream.learn(first, _REFERENCE - _QUARTER)
    banks = streams.banks[stream.bank].rows, stream.index, streams.trails.rows, streams.seasons.rows
    reference = _REFERENCE - _QUARTER
    learned: int = _watch_frozen(*banks, values[_QUARTER:_REFERENCE], times[_QUARTER:_REFERENCE], reference)
    stream.promise(_PROMISE)
    alarms: int = _watch_frozen(*banks, values[_REFERENCE:], times[_REFERENCE:], 0)
    return learned + alarms


@njit(error_model="numpy")
def _uniform(nth: int) -> float:
    """Return a number in [0, 1) that is as good as drawn: SplitMix64."""
    mixed = np.uint64(nth) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return float((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)) / 2.0**53


@njit(error_model="numpy")
def _watch_sequential(records: Records, cells: Doubles, values: Doubles, reference: int) -> int:
    counts, total, alarms = np.zeros(CELLS + 1, np.int64), 0, 0
    rank, spread = np.empty(_AT_ONCE), np.empty(_AT_ONCE)
    for start in range(0, len(values) - _AT_ONCE + 1, _AT_ONCE):
        for place in range(_AT_ONCE):
            cell = twice_mid_rank(cells, values[start + place]) // 2
            below = 0
            for lower in range(cell):
                below += counts[lower]
            counts[cell] += 1
            total += 1
            rank[place] = (below + _uniform(start + place) * counts[cell]) / total
            spread[place] = abs(2.0 * rank[place] - 1.0)
        is_tested = start >= reference
        for statistic in range(2):
            record = records[statistic]
            record.threshold = 4.0 * _PROMISE if is_tested else np.inf
            if e_sr.take(record, rank if statistic == 0 else spread, _AT_ONCE) != e_sr.QUIET:
                alarms += 1
                e_sr.begin_anew(record)
                counts[:] = 0
                total = 0
    return alarms


def sequential(values: Doubles, _: Integers) -> int:
    """Return how many false alarms there are on ranks among all values so far."""
    cells = RankPsi.of(values[:_QUARTER].tolist()).record["cells"]
    alarms: int = _watch_sequential(np.zeros(2, e_sr.E_SR), cells, values, _REFERENCE)
    return alarms


def main() -> int:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ranks", description=__doc__)
    parser.add_argument("--values", type=int, default=20_000_000, help="of a stream")
    options = parser.parse_args()
    rows = []
    print(f"{'':18}  {'promised':>8}  {'frozen':>8}  {'ns':>5}  {'sequential':>10}  {'ns':>5}")
    for scenario in NULLS:
        if scenario.name not in FAMILIES:
            continue
        noise = Noise(np.random.default_rng(1), scenario.per_day)
        made = [scenario.features(noise, start, start + _CHUNK)[:, 0] for start in range(0, options.values, _CHUNK)]
        values = np.concatenate(made)
        times = scenario.time_of(np.arange(len(values)))
        row: dict[str, Any] = {"family": scenario.name, "promised": (len(values) - _REFERENCE) / _PROMISE}
        for name, watch in (("frozen", frozen), ("sequential", sequential)):
            began = time.process_time()
            row[name] = watch(values, times)
            row[f"{name}_ns"] = (time.process_time() - began) / len(values) * 1e9
        rows.append(row)
        print(
            f"{row['family']:18}  {row['promised']:8.0f}  {row['frozen']:8,}  {row['frozen_ns']:5.0f}  "
            f"{row['sequential']:10,}  {row['sequential_ns']:5.0f}",
            flush=True,
        )
    keep("ranks", {"rows": rows} | origin(("numba", "numpy")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
