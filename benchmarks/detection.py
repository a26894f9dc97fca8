"""Whether a page means something: ``python -m benchmarks.detection [--quick] [PART ...]``.

`nulls` counts what is found in streams in which nothing changes, of Driftline with its defaults and of River's
detectors with theirs, for a million events of a model of twenty features; `changes` how often and how soon a change is
found, and where; `curve` the delay that ADWIN and Driftline have at each rate of false alarms; `feeds` whether there is
a page about what labels tell when only how they come has changed. Findings are counted before any gate, latch, cooldown
or grouping, and pages beside them. Rates have intervals of 95 %. Exits 1 if a claim is missed.
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
from benchmarks.detection_feeds import FEEDS
from benchmarks.detection_nulls import NULLS
from benchmarks.detection_streams import LATE
from benchmarks.detection_tables import changes_table, curve_table, feeds_table, nulls_table, run_lengths_table
from benchmarks.detection_watchers import REFERENCE, driftline, kswin, river
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

PARTS: Final = ("nulls", "changes", "curve", "feeds")
AS_CALM: Final = "ADWIN, as calm"
RIVALS: Final = ("ADWIN", "Page-Hinkley", "DDM", "HDDM_W")
PACKAGES: Final = ("river", "numba", "numpy", "pyarrow")

MOST_FALSE: Final = 1.0  # findings for a million events
MOST_LATER: Final = 1.3  # times the delay of ADWIN at the same rate of false alarms
MOST_LATER_WORST: Final = 1.6
ATTRIBUTED: Final = 0.95
COVERED: Final = 0.9
WIDEST: Final = 2.0  # an interval for the beginning of a change, times the delay
WITHIN: Final = {"errors .1 to 0.2": 320, "errors .1 to 0.3": 100, "errors .1 to 0.05": 770}

_HORIZON: Final = 30_000  # events after a change
_FINE: Final = 8  # rows of a batch where a delay is measured
_AFTER_FEED: Final = 12_000  # events
_ROWS_OF_FEED: Final = 20  # of a batch: labels of a prediction come after the whole batch
_BUDGETS: Final = (10_000, 100_000, 1_000_000, 10_000_000)
_DELTAS: Final = (0.05, 0.01, 2e-3, 5e-4, 1e-4, 2e-5, 1e-6, 1e-8, 1e-10, 1e-15, 1e-20)
_OF_CURVE: Final = ("mean +0.25 sd, late", "mean +1.0 sd, late", "errors .1 to 0.13", "errors .1 to 0.2")


@dataclass(frozen=True)
class Size:
    """How many events of each null, how many of them rivals and KSWIN hear, and how many runs of each change."""

    events: int
    of_rivals: int
    sampled: int
    runs: int


FULL: Final = Size(10_000_000, 1_000_000, 50_000, 30)
QUICK: Final = Size(400_000, 200_000, 10_000, 6)


# -- nulls ------------------------------------------------------------------------------------------------------------


def null_of(work: tuple[str, Size, str]) -> dict[str, Any]:
    """Watch one null by one detector."""
    name, size, detector = work
    scenario = BY_NAME[name]
    if detector == "Driftline":
        watched = driftline(scenario, size.events, 1)
    elif detector == "KSWIN":
        watched = kswin(scenario, size.sampled + REFERENCE, 1)
    else:
        watched = river(detector, scenario, size.of_rivals, 1)
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
        "us an event": watched.seconds / watched.events * 1e6,
        "by": dict(Counter(found.detector for found in watched.findings)),
    }


def measure_nulls(size: Size, pool: ProcessPoolExecutor) -> list[dict[str, Any]]:
    """Return a row for each family and detector."""
    detectors = ("Driftline", *RIVALS, "KSWIN")
    return list(pool.map(null_of, [(scenario.name, size, detector) for scenario in NULLS for detector in detectors]))


# -- changes ----------------------------------------------------------------------------------------------------------


def change_of(work: tuple[str, int, str, tuple[float, ...]]) -> dict[str, Any]:
    """Watch one change once, by one detector with parameters: of Driftline the budget."""
    name, seed, detector, parameters = work
    scenario = BY_NAME[name]
    events = scenario.at + _HORIZON
    if detector == "Driftline":
        watched = driftline(scenario, events, seed, *map(int, parameters), fine=_FINE)
    else:
        watched = river(detector, scenario, events, seed, *parameters)
    return told(watched, scenario)


def told(watched: Watched, scenario: Scenario) -> dict[str, Any]:
    """Return what there is to say of one run: the first finding after the change, and the first on its target."""
    after = [found for found in watched.findings if found.event >= scenario.at]
    right = next((found for found in after if found.subject in scenario.targets), None)
    if right is None:
        return {"delay": None, "attributed": False}
    return {
        "delay": right.event - scenario.at + 1,
        "attributed": after[0].subject in scenario.targets,
        "covered": right.earliest <= scenario.at <= right.latest,
        "width": right.latest - right.earliest,
    }


def summed_up(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the rates and medians of runs; a change that was not found has an infinite delay."""
    found = [run for run in runs if run["delay"] is not None]
    delays = sorted(run["delay"] for run in found) + [float("inf")] * (len(runs) - len(found))
    median = statistics.median_low(delays or [float("inf")])
    return {
        "runs": len(runs),
        "found": len(found),
        "delay": None if median == float("inf") else median,
        "attributed": sum(run["attributed"] for run in found),
        "covered": sum(run.get("covered", False) for run in found),
        "width": statistics.median(run["width"] for run in found) if found and "width" in found[0] else None,
    }


def measure_changes(size: Size, pool: ProcessPoolExecutor) -> list[dict[str, Any]]:
    """Return a row for each change: Driftline, ADWIN as calm as it, and River's detectors with their defaults."""
    deltas = calm_deltas(size, pool)
    work, names = [], ("Driftline", AS_CALM, *RIVALS)
    for scenario in CHANGES:
        delta = deltas[scenario.base]
        calm = [] if delta is None else [("ADWIN", (delta,))]
        for detector, parameters in [("Driftline", ()), *calm, *((rival, ()) for rival in RIVALS)]:
            work += [(scenario.name, seed, detector, parameters) for seed in range(1, size.runs + 1)]
    runs = iter(pool.map(change_of, work, chunksize=4))
    rows = []
    for scenario in CHANGES:
        delta = deltas[scenario.base]
        row: dict[str, Any] = {"change": scenario.name, "delta": delta}
        for name in names:
            is_heard = name != AS_CALM or delta is not None
            row[name] = summed_up([next(runs) for _ in range(size.runs if is_heard else 0)])
        rows.append(row)
    return rows


def calm_deltas(size: Size, pool: ProcessPoolExecutor) -> dict[str, float | None]:
    """Return for each null that changes are made of the largest delta with which ADWIN is calm, if there is one."""
    bases = list(dict.fromkeys(scenario.base for scenario in CHANGES))
    work = [(size.of_rivals, base, "ADWIN", (delta,)) for base in bases for delta in _DELTAS]
    rates = iter(pool.map(false_of, work))
    found: dict[str, float | None] = {}
    for base in bases:
        rated = [(delta, next(rates)) for delta in _DELTAS]
        found[base] = max((delta for delta, rate in rated if rate <= MOST_FALSE), default=None)
    return found


# -- the curve --------------------------------------------------------------------------------------------------------


def false_of(work: tuple[int, str, str, tuple[float, ...]]) -> float:
    """Return how often there is a finding in a null, for a million events."""
    events, name, detector, parameters = work
    if detector == "Driftline":
        watched = driftline(BY_NAME[name], events, 2, *map(int, parameters))
    else:
        watched = river(detector, BY_NAME[name], events, 2, *parameters)
    return len(watched.findings) / watched.events * 1e6


def measure_curve(size: Size, pool: ProcessPoolExecutor) -> list[dict[str, Any]]:
    """Return for budgets and deltas the rate of false alarms, and the median delay of some changes."""
    chosen: list[tuple[str, tuple[float, ...]]] = [
        *(("Driftline", (float(budget),)) for budget in _BUDGETS),
        *(("ADWIN", (delta,)) for delta in _DELTAS),
    ]
    rates = pool.map(false_of, [(size.events, NULLS[0].name, *each) for each in chosen])
    changes = [scenario for scenario in CHANGES if scenario.name in _OF_CURVE]
    work = [(scenario.name, seed, *each) for each in chosen for scenario in changes for seed in range(1, size.runs + 1)]
    runs = iter(pool.map(change_of, work, chunksize=4))
    rows = []
    for (detector, parameters), rate in zip(chosen, rates, strict=True):
        delays = {scenario.name: summed_up([next(runs) for _ in range(size.runs)])["delay"] for scenario in changes}
        rows.append({"detector": detector, "parameter": parameters[0], "false per million": rate, "delays": delays})
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


# -- claims -----------------------------------------------------------------------------------------------------------


def missed(results: dict[str, Any]) -> list[str]:
    """Return what was promised and is not kept."""
    complaints = [
        f"{row['family']}: {row['per million']:.2f} findings for a million events, {MOST_FALSE:g} at most"
        for row in results.get("nulls", ())
        if row["detector"] == "Driftline" and row["low"] > MOST_FALSE
    ]
    complaints += [
        f"{row['feed']}: a page in {row['with a page']} of {row['runs']} runs, none at most"
        for row in results.get("feeds", ())
        if row["with a page"]
    ]
    for row in results.get("changes", ()):
        own, adwin = row["Driftline"], row[AS_CALM]
        if adwin["delay"] is not None and own["delay"] is None:
            complaints.append(f"{row['change']}: ADWIN finds it, Driftline does not")
        elif adwin["delay"] is not None and own["delay"] > MOST_LATER_WORST * adwin["delay"]:
            complaints.append(f"{row['change']}: found after {own['delay']} events, by ADWIN after {adwin['delay']}")
        most = WITHIN.get(row["change"])
        if most is not None and (own["delay"] is None or own["delay"] > most):
            complaints.append(f"{row['change']}: found after {own['delay']} events, {most} at most")
    rows = [row["Driftline"] for row in results.get("changes", ())]
    found = sum(row["found"] for row in rows)
    if found:
        for name, least in (("attributed", ATTRIBUTED), ("covered", COVERED)):
            hits = sum(row[name] for row in rows)
            if share_interval(hits, found)[1] < least:
                complaints.append(f"{name}: {hits} of {found}, {least:.0%} at least")
        late = [
            row["Driftline"]["delay"] / row[AS_CALM]["delay"]
            for row in results["changes"]
            if row[AS_CALM]["delay"] and row["Driftline"]["delay"]
        ]
        if late and statistics.median(late) > MOST_LATER:
            complaints.append(f"median delay {statistics.median(late):.2f} times ADWIN's, {MOST_LATER} at most")
        wide = statistics.median(row["width"] / row["delay"] for row in rows if row["width"] and row["delay"])
        if wide > WIDEST:
            complaints.append(f"median width of intervals {wide:.2f} times the delay, {WIDEST} at most")
    return complaints


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and keep; return 1 if a claim is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description=__doc__)
    add_parts(parser, PARTS)
    parser.add_argument("--quick", action="store_true", help="a small part of it, which is not kept")
    parser.add_argument("--events", type=int, help=f"of each null (default: {FULL.events:,})")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args(arguments)
    size, parts = (QUICK if options.quick else FULL), options.part or PARTS
    if options.events:
        size = replace(size, events=options.events)
    results = {} if options.quick else kept("detection")
    console = Console(width=200)
    with ProcessPoolExecutor(options.processes) as pool:
        if "curve" in parts:
            results["curve"] = measure_curve(size, pool)
            console.print(curve_table(results["curve"]))
        if "changes" in parts:
            results["changes"] = measure_changes(size, pool)
            console.print(changes_table(results["changes"]))
        if "feeds" in parts:
            results["feeds"] = measure_feeds(size, pool)
            console.print(feeds_table(results["feeds"]))
        if "nulls" in parts:
            results["nulls"] = measure_nulls(size, pool)
            console.print(nulls_table(results["nulls"]))
            console.print(run_lengths_table(results["nulls"]))
    if not options.quick:
        keep("detection", results | origin(PACKAGES))
    complaints = missed({part: results[part] for part in parts})
    for complaint in complaints:
        console.print(complaint, style="red")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
