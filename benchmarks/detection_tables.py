"""What `benchmarks.detection` has measured, as tables."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.table import Table

from benchmarks.intervals import interval, share_interval

if TYPE_CHECKING:
    from collections.abc import Sequence


def nulls_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return what was found where nothing changes."""
    detectors = list(dict.fromkeys(row["detector"] for row in rows))
    table = Table("nothing changes", "us an event", *detectors, "pages", title="findings for a million events")
    for family in dict.fromkeys(row["family"] for row in rows):
        of_family = {row["detector"]: row for row in rows if row["family"] == family}
        own = of_family["Driftline"]
        table.add_row(
            family,
            f"{own['us an event']:.1f}",
            *(f"{row['per million']:,.2f} [{row['low']:,.2f}, {row['high']:,.2f}]" for row in of_family.values()),
            str(own["pages"]),
        )
    return table


def run_lengths_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return how many events of a model there are to a finding, of each detector in all that nothing changes in."""
    table = Table("detector", "findings", "events to one", "us an event", title="run lengths where nothing changes")
    for name in dict.fromkeys(row["detector"] for row in rows):
        heard = [row for row in rows if row["detector"] == name]
        events = sum(row["events"] for row in heard)
        cost = f"{statistics.median(row['us an event'] for row in heard):.1f}"
        table.add_row(name, *_run_length(sum(row["findings"] for row in heard), events), cost)
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
    names = [name for name in rows[0] if name not in {"change", "delta"}]
    table = Table(
        "change",
        *names,
        "found",
        "attributed",
        "interval holds",
        "width",
        title="median delay in events, and share found",
    )
    for row in rows:
        own = row["Driftline"]
        table.add_row(
            row["change"],
            *(f"{row[name]['delay'] or '-'} {row[name]['found']}/{row[name]['runs']}" for name in names),
            "[{:.2f}, {:.2f}]".format(*share_interval(own["found"], own["runs"])),
            f"{own['attributed']}/{own['found']}",
            f"{own['covered']}/{own['found']}",
            "-" if own["width"] is None else f"{own['width']:.0f}",
        )
    return table


def curve_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return what a rate of false alarms costs in delay."""
    names = list(rows[0]["delays"])
    table = Table("detector", "budget or delta", "false per million", *names, title="delay against false alarms")
    for row in rows:
        delays = (str(row["delays"][name] or "-") for name in names)
        table.add_row(row["detector"], f"{row['parameter']:g}", f"{row['false per million']:.2f}", *delays)
    return table


def feeds_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return what comes of labels that come otherwise."""
    table = Table("how labels come", "findings", "runs with a page", title="what labels tell when only they change")
    for row in rows:
        pages = f"{row['with a page']}/{row['runs']} [{row['low']:.2f}, {row['high']:.2f}]"
        table.add_row(row["feed"], str(row["findings"]), pages)
    return table
