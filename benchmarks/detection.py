"""Whether a page means something: ``python -m benchmarks.detection [--quick] [PART ...]``.

`nulls` counts what is found in streams in which nothing changes, of Driftline with its defaults and of River's
detectors with theirs, for a million events of a model of twenty features; `changes` how often and how soon a change is
found, whether it is taken for what it is, and when there is a page; `curve` the delay that ADWIN and Driftline have at
each rate of false alarms; `feeds` whether there is a page about what labels tell when only how they come has changed.
Findings are counted before any gate, latch, cooldown or grouping, and pages beside them. KSWIN hears a sample. Rates
have intervals of 95 %. Exits 1 if a claim is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from benchmarks.detection_changes import CHANGES
from benchmarks.detection_claims import AS_CALM, MOST_FALSE, missed
from benchmarks.detection_feeds import FEEDS
from benchmarks.detection_nulls import NULLS
from benchmarks.detection_streams import LATE
from benchmarks.detection_tables import (
    attribution_table,
    changes_table,
    curve_table,
    feeds_table,
    nulls_table,
    pages_table,
    run_lengths_table,
)
from benchmarks.detection_watchers import REFERENCE, driftline, kswin, river, sampled
from benchmarks.intervals import interval, share_interval
from benchmarks.parts import add_parts
from benchmarks.results import keep, kept, origin
from driftline.models.drift.finding import FROM_LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.detection_streams import Scenario
    from benchmarks.detection_watchers import Watched

BY_NAME: Final = {scenario.name: scenario for scenario in (*NULLS, *CHANGES, *FEEDS)}
"""A scenario is made of functions, which cannot be handed to another process; its name can."""

RIVALS: Final = ("ADWIN", "Page-Hinkley", "DDM", "HDDM_W")
PACKAGES: Final = ("river", "numba", "numpy", "pyarrow")

_WIDTH: Final = 240  # of tables that have an interval for each rate of each detector
_DAYS: Final = 3  # of each null at least
_HORIZON: Final = 30_000  # events after a change
_FINE: Final = 8  # rows of a batch where a delay is measured
_AFTER_FEED: Final = 12_000  # events
_ROWS_OF_FEED: Final = 20  # of a batch: labels of a prediction come after the whole batch
_BUDGETS: Final = (10_000, 100_000, 1_000_000, 10_000_000)
_DELTAS: Final = (0.05, 0.01, 2e-3, 5e-4, 1e-4, 2e-5, 1e-6, 1e-8, 1e-10, 1e-15, 1e-20)
_OF_CURVE: Final = ("mean +0.25 sd, late", "mean +1.0 sd, late", "errors .1 to 0.13", "errors .1 to 0.2")


@dataclass(frozen=True)
class Size:
    """How many events of each null, and of how many of them rivals and KSWIN hear; how many runs of each change.

    Of a null that has more events a day there are more in proportion, so that the full run has days of it.
    """

    events: int
    of_rivals: int
    sampled: int
    runs: int
    of_kswin: int

    def events_of(self, scenario: Scenario) -> int:
        """Return how many events of a null."""
        return round(self.events * max(_DAYS * scenario.per_day / FULL.events, 1.0))


FULL: Final = Size(10_000_000, 1_000_000, 50_000, 30, 5)
QUICK: Final = Size(400_000, 200_000, 10_000, 6, 1)


# -- nulls ------------------------------------------------------------------------------------------------------------


def null_of(work: tuple[str, Size, str]) -> dict[str, Any]:
    """Watch one null by one detector."""
    name, size, detector = work
    scenario = BY_NAME[name]
    if detector == "Driftline":
        watched = driftline(scenario, size.events_of(scenario) + REFERENCE, 1)
    elif detector == "KSWIN":
        watched = kswin(scenario, size.sampled + REFERENCE, 1)
    else:
        watched = river(detector, scenario, size.of_rivals + REFERENCE, 1)
    low, high = interval(len(watched.findings), watched.events)
    return {
        "family": scenario.name,
        "detector": detector,
        "events": watched.events,
        "findings": len(watched.findings),
        "pages": len(watched.pages),
        "per million": len(watched.findings) / watched.events * 1e6,
        "low": low,
        "high": high,
        "us an event": watched.cost,
        "by": dict(Counter(found.detector for found in watched.findings)),
    }


def measure_nulls(size: Size, pool: ProcessPoolExecutor) -> list[dict[str, Any]]:
    """Return a row for each family and detector."""
    detectors = ("Driftline", *RIVALS, "KSWIN")
    return list(pool.map(null_of, [(scenario.name, size, detector) for scenario in NULLS for detector in detectors]))


# -- changes ----------------------------------------------------------------------------------------------------------


def change_of(work: tuple[str, int, str, tuple[float, ...]]) -> dict[str, Any]:
    """Watch one change once, by one detector with parameters: of Driftline the budget, of KSWIN how long it hears."""
    name, seed, detector, parameters = work
    scenario = BY_NAME[name]
    events = scenario.at + _HORIZON
    if detector == "Driftline":
        watched = driftline(scenario, events, seed, *map(int, parameters), fine=_FINE)
    elif detector == "KSWIN":
        watched = kswin(scenario, scenario.at + int(parameters[0]), seed)
    else:
        watched = river(detector, scenario, events, seed, *parameters)
    return told(watched, scenario)


def told(watched: Watched, scenario: Scenario) -> dict[str, Any]:
    """Return what there is to say of one run: the first finding on a target, if that came first, and the page."""
    right, page = watched.found(scenario), watched.paged(scenario)
    if right is None:
        return {"delay": None, "page": None, "attributed": False}
    first = next(found for found in watched.findings if found.event >= scenario.at)
    return {
        "delay": right.event - scenario.at + 1,
        "page": None if page is None else page.event - scenario.at + 1,
        "attributed": first.subject in {*scenario.targets, *scenario.beside},
        "covered": right.earliest <= scenario.at <= right.latest,
        "width": right.latest - right.earliest,
    }


def summed_up(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the counts and medians of runs."""
    found = [run for run in runs if run["delay"] is not None]
    return {
        "runs": len(runs),
        "found": len(found),
        "delay": _median([run["delay"] for run in runs]),
        "paged": sum(run["page"] is not None for run in found),
        "page": _median([run["page"] for run in runs]),
        "attributed": sum(run["attributed"] for run in found),
        "covered": sum(run["covered"] for run in found),
        "width": statistics.median(run["width"] for run in found) if found else None,
    }


def _median(delays: Sequence[int | None]) -> int | None:
    """Return the median of delays, of which those that have no end are the longest; None if it has none either."""
    median = statistics.median_low([float("inf") if delay is None else delay for delay in delays] or [float("inf")])
    return None if median == float("inf") else int(median)


def measure_changes(size: Size, pool: ProcessPoolExecutor) -> list[dict[str, Any]]:
    """Return a row for each change: Driftline, ADWIN as calm as it, and River's detectors with their defaults."""
    deltas = calm_deltas(size, pool)
    work = [
        (scenario.name, seed, detector, parameters)
        for scenario in CHANGES
        for detector, parameters, runs in contenders(scenario, deltas[scenario.base], size).values()
        for seed in range(1, runs + 1)
    ]
    runs = iter(pool.map(change_of, work, chunksize=4))
    rows = []
    for scenario in CHANGES:
        delta = deltas[scenario.base]
        row: dict[str, Any] = {"change": scenario.name, "of a mean": scenario.of_mean, "delta": delta}
        for name, (_, _, count) in contenders(scenario, delta, size).items():
            row[name] = summed_up([next(runs) for _ in range(count)])
        rows.append(row)
    return rows


def contenders(scenario: Scenario, delta: float | None, size: Size) -> dict[str, tuple[str, tuple[float, ...], int]]:
    """Return what watches a change, by its name: the detector, its parameters, and how many runs of it there are."""
    return {
        "Driftline": ("Driftline", (), size.runs),
        AS_CALM: ("ADWIN", () if delta is None else (delta,), 0 if delta is None else size.runs),
        **{rival: (rival, (), size.runs) for rival in RIVALS},
        "KSWIN": ("KSWIN", (min(_HORIZON, size.sampled),), size.of_kswin if sampled(scenario) else 0),
    }


def calm_deltas(size: Size, pool: ProcessPoolExecutor) -> dict[str, float | None]:
    """Return for each null that changes are made of the largest delta with which ADWIN is calm, if there is one."""
    bases = list(dict.fromkeys(scenario.base for scenario in CHANGES))
    work = [(size.of_rivals, base, "ADWIN", (delta,)) for base in bases for delta in _DELTAS]
    counted = iter(pool.map(false_of, work))
    found: dict[str, float | None] = {}
    for base in bases:
        rated = [(delta, next(counted)) for delta in _DELTAS]
        found[base] = max(
            (delta for delta, (findings, events) in rated if findings / events * 1e6 <= MOST_FALSE), default=None
        )
    return found


# -- the curve --------------------------------------------------------------------------------------------------------


def false_of(work: tuple[int, str, str, tuple[float, ...]]) -> tuple[int, int]:
    """Return how many findings there are in a null, and in how many events."""
    events, name, detector, parameters = work
    if detector == "Driftline":
        watched = driftline(BY_NAME[name], events, 2, *map(int, parameters))
    else:
        watched = river(detector, BY_NAME[name], events, 2, *parameters)
    return len(watched.findings), watched.events


def measure_curve(size: Size, pool: ProcessPoolExecutor) -> list[dict[str, Any]]:
    """Return for budgets and deltas the rate of false alarms, and the median delay of some changes."""
    chosen: list[tuple[str, tuple[float, ...]]] = [
        *(("Driftline", (float(budget),)) for budget in _BUDGETS),
        *(("ADWIN", (delta,)) for delta in _DELTAS),
    ]
    counted = pool.map(false_of, [(size.events, NULLS[0].name, *each) for each in chosen])
    changes = [scenario for scenario in CHANGES if scenario.name in _OF_CURVE]
    work = [(scenario.name, seed, *each) for each in chosen for scenario in changes for seed in range(1, size.runs + 1)]
    runs = iter(pool.map(change_of, work, chunksize=4))
    rows = []
    for (detector, parameters), (findings, events) in zip(chosen, counted, strict=True):
        delays = {scenario.name: summed_up([next(runs) for _ in range(size.runs)])["delay"] for scenario in changes}
        low, high = interval(findings, events)
        rate = {"false per million": findings / events * 1e6, "low": low, "high": high}
        rows.append({"detector": detector, "parameter": parameters[0], **rate, "delays": delays})
    return rows


# -- how labels come --------------------------------------------------------------------------------------------------


def feed_of(work: tuple[str, int]) -> tuple[int, int]:
    """Return how much was found, and how many pages there were about what labels tell, once they came otherwise."""
    name, seed = work
    watched = driftline(BY_NAME[name], LATE + _AFTER_FEED, seed, fine=_ROWS_OF_FEED)
    pages = [page for page in watched.pages if page.event >= LATE and page.subject.split()[0] in FROM_LABELS]
    return sum(found.event >= LATE for found in watched.findings), len(pages)


def measure_feeds(size: Size, pool: ProcessPoolExecutor) -> list[dict[str, Any]]:
    """Return a row for each change of how labels come."""
    runs = iter(pool.map(feed_of, [(scenario.name, seed) for scenario in FEEDS for seed in range(1, size.runs + 1)]))
    rows = []
    for scenario in FEEDS:
        found = [next(runs) for _ in range(size.runs)]
        with_page = sum(pages > 0 for _, pages in found)
        low, high = share_interval(with_page, size.runs)
        counts = {"runs": size.runs, "findings": sum(findings for findings, _ in found), "with a page": with_page}
        rows.append({"feed": scenario.name, **counts, "low": low, "high": high})
    return rows


_MEASURED: Final = {
    "changes": (measure_changes, (changes_table, attribution_table, pages_table)),
    "nulls": (measure_nulls, (nulls_table, run_lengths_table)),
    "feeds": (measure_feeds, (feeds_table,)),
    "curve": (measure_curve, (curve_table,)),
}
"""What measures a part, and the tables of it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and keep; return 1 if a claim is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    add_parts(parser, tuple(_MEASURED))
    parser.add_argument("--quick", action="store_true", help="a small part of it, which is not kept")
    parser.add_argument(
        "--events", type=int, help=f"of each null (default: {FULL.events:,}, more where a day is longer)"
    )
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    size, parts = (QUICK if options.quick else FULL), options.part or tuple(_MEASURED)
    if options.events:
        size = replace(size, events=options.events)
    results = {} if options.quick else kept("detection")
    console = Console(width=_WIDTH)
    with ProcessPoolExecutor(options.processes) as pool:
        for part, (measure, tables) in _MEASURED.items():
            if part not in parts:
                continue
            results[part] = measure(size, pool)
            for table in tables:
                console.print(table(results[part]))
            if not options.quick:  # part by part: the whole takes hours
                keep("detection", results | origin(PACKAGES))
    complaints = missed({part: results[part] for part in parts})
    for complaint in complaints:
        console.print(complaint, style="red")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
