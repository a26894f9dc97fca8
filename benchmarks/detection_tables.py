"""What `benchmarks.detection` has measured, as tables."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from benchmarks.detection_claims import verdict
from benchmarks.intervals import interval, share_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

_MANY: Final = 100.0  # for a million events, of which fractions say nothing
_SAMPLED: Final = "2 of 21 streams"


def nulls_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return what was found where nothing changes, and of which families it is shown that it is at most one."""
    detectors = list(dict.fromkeys(row["detector"] for row in rows))
    named = [f"KSWIN, {_SAMPLED}" if detector == "KSWIN" else detector for detector in detectors]
    columns = "nothing changes", "us an event", "at most one", *named, "pages"
    table = Table(*columns, title="findings for a million events")
    for family in dict.fromkeys(row["family"] for row in rows):
        of_family = {row["detector"]: row for row in rows if row["family"] == family}
        own = of_family["Driftline"]
        rates = [_rate(row["findings"], row["events"]) for row in of_family.values()]
        pages = _rate(own["pages"], own["events"])
        table.add_row(family, f"{own['us an event']:.1f}", verdict(own), *rates, pages)
    return table


def _rate(count: int, events: int) -> str:
    rate, (low, high) = count / events * 1e6, interval(count, events)
    digits = 2 if rate < _MANY else 0
    return f"{rate:,.{digits}f} [{low:,.{digits}f}, {high:,.{digits}f}]"


def run_lengths_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return how many events of a model there are to a finding, of each detector in all that nothing changes in."""
    table = Table("detector", "findings", "events to one", "us an event", title="run lengths where nothing changes")
    for name in dict.fromkeys(row["detector"] for row in rows):
        heard = [row for row in rows if row["detector"] == name]
        events = sum(row["events"] for row in heard)
        cost = f"{statistics.median(row['us an event'] for row in heard):.1f}"
        named = f"{name}, {_SAMPLED}" if name == "KSWIN" else name
        table.add_row(named, *_run_length(sum(row["findings"] for row in heard), events), cost)
        if name == "Driftline":
            own = sum((Counter(row["by"]) for row in heard), Counter[str]())
            for detector, findings in own.most_common():
                table.add_row(f"  {detector}", *_run_length(findings, events))
    return table


def _run_length(findings: int, events: int) -> tuple[str, str]:
    low, high = interval(findings, events)
    longest = f"{1e6 / low:,.0f}" if low else "no end"
    return f"{findings:,}", f"{events / max(findings, 1):,.0f} [{1e6 / high:,.0f}, {longest}]"


def changes_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return how soon changes are found."""
    names = _detectors(rows)
    table = Table("change", *names, title="median delay in events, and in how many runs it is found")
    for row in rows:
        table.add_row(row["change"], *(_delay(row[name]) for name in names))
    return table


def attribution_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return how often what is found first is what has changed, which KSWIN is told."""
    names = [name for name in _detectors(rows) if name != "KSWIN"]
    table = Table("change", *names, title="in how many runs in which a change is found it is found first")
    for row in rows:
        table.add_row(row["change"], *(_share(row[name]["attributed"], row[name]["found"]) for name in names))
    table.add_section()
    table.add_row("all", *(_share(_sum(rows, name, "attributed"), _sum(rows, name, "found")) for name in names))
    return table


def pages_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return when Driftline pages for a change, and what it says of when that began."""
    columns = "finding", "page", "runs with a page", "interval holds", "its median width"
    table = Table("change", *columns, title="Driftline: median delays in events, and when it says that a change began")
    for row in rows:
        own = row["Driftline"]
        table.add_row(
            row["change"],
            _or_none(own["delay"]),
            _or_none(own["page"]),
            _share(own["paged"], own["runs"]),
            _share(own["covered"], own["found"]),
            "-" if own["width"] is None else f"{own['width']:.0f}",
        )
    table.add_section()
    found = _sum(rows, "Driftline", "found")
    table.add_row("all", "", "", "", _share(_sum(rows, "Driftline", "covered"), found), "")
    return table


def _detectors(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [name for name, runs in rows[0].items() if isinstance(runs, dict)]


def _sum(rows: Sequence[dict[str, Any]], name: str, what: str) -> int:
    return sum(int(row[name][what]) for row in rows)


def _delay(runs: dict[str, Any]) -> str:
    return f"{_or_none(runs['delay'])} {_share(runs['found'], runs['runs'])}" if runs["runs"] else "-"


def _or_none(delay: int | None) -> str:
    return "-" if delay is None else str(delay)


def _share(hits: int, n: int) -> str:
    """Return a share with its interval; of nothing there is none."""
    return "{}/{} [{:.2f}, {:.2f}]".format(hits, n, *share_interval(hits, n)) if n else "-"


def curve_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return what a rate of false alarms costs in delay."""
    names = list(rows[0]["delays"])
    table = Table("detector", "budget or delta", "false per million", *names, title="delay against false alarms")
    for row in rows:
        delays = (_or_none(row["delays"][name]) for name in names)
        rate = f"{row['false per million']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
        table.add_row(row["detector"], f"{row['parameter']:g}", rate, *delays)
    return table


def feeds_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return what comes of labels that come otherwise."""
    table = Table("how labels come", "findings", "runs with a page", title="what labels tell when only they change")
    for row in rows:
        table.add_row(row["feed"], str(row["findings"]), _share(row["with a page"], row["runs"]))
    return table
