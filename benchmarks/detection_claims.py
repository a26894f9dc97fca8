"""What `benchmarks.detection` must show, and which of it is missed."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, Final

from benchmarks.intervals import share_interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Rows = Sequence[dict[str, Any]]

AS_CALM: Final = "ADWIN, as calm"

MOST_FALSE: Final = 1.0  # findings for a million events
FOUND: Final = 0.9  # of the runs of a change
MOST_LATER: Final = 1.3  # times the delay of ADWIN at the same rate of false alarms
MOST_LATER_WORST: Final = 1.6
ATTRIBUTED: Final = 0.95
COVERED: Final = 0.9
WIDEST: Final = 2.0  # an interval for the beginning of a change, times the delay
WITHIN: Final = {"errors .1 to 0.2": 320, "errors .1 to 0.3": 100, "errors .1 to 0.05": 770}

_ENOUGH: Final = 5_000_000  # events of a null, for what is found in them to be judged as it is


def missed(results: Mapping[str, Rows]) -> list[str]:
    """Return what was promised and is not kept."""
    changes = results.get("changes", ())
    return [
        *_false_alarms(results.get("nulls", ())),
        *_pages_of_feeds(results.get("feeds", ())),
        *_not_found(changes),
        *_found_late(changes),
        *_later_than_promised(changes),
        *_shares(changes),
        *_wide(changes),
    ]


def verdict(row: dict[str, Any]) -> str:
    """Return whether at most one finding for a million events is shown of a null, not shown, or missed.

    Of few events one finding is many for a million: then it is missed only if that can be no chance.
    """
    rate = row["per million"] if row["events"] >= _ENOUGH else row["low"]
    if rate > MOST_FALSE:
        return "missed"
    return "shown" if row["high"] <= MOST_FALSE else "not shown"


def _false_alarms(rows: Rows) -> Iterator[str]:
    """Yield nulls in which more is found than promised, though that may be by chance."""
    for row in rows:
        if row["detector"] == "Driftline" and verdict(row) == "missed":
            yield f"{row['family']}: {row['per million']:.2f} findings for a million events, {MOST_FALSE:g} at most"


def _pages_of_feeds(rows: Rows) -> Iterator[str]:
    """Yield feeds with a page about what labels tell, where only how they come has changed."""
    for row in rows:
        if row["with a page"]:
            yield f"{row['feed']}: a page in {row['with a page']} of {row['runs']} runs, none at most"


def _not_found(rows: Rows) -> Iterator[str]:
    """Yield changes that are surely found too seldom: those of a mean only if ADWIN finds them more often."""
    for row in rows:
        own, adwin = row["Driftline"], row[AS_CALM]
        is_due = not row["of a mean"] or _share(adwin) > _share(own)
        if is_due and share_interval(own["found"], own["runs"])[1] < FOUND:
            by_adwin = f"by ADWIN in {adwin['found']} of {adwin['runs']}"
            yield f"{row['change']}: found in {own['found']} of {own['runs']} runs, {by_adwin}"


def _found_late(rows: Rows) -> Iterator[str]:
    """Yield changes that ADWIN finds much sooner, and how much later most are found than by it."""
    later = []
    for row in rows:
        own, adwin = row["Driftline"]["delay"], row[AS_CALM]["delay"]
        if own is None or adwin is None:
            continue
        later.append(own / adwin)
        if own > MOST_LATER_WORST * adwin:
            yield f"{row['change']}: found after {own} events, by ADWIN after {adwin}"
    if later and statistics.median(later) > MOST_LATER:
        yield f"median delay {statistics.median(later):.2f} times ADWIN's, {MOST_LATER} at most"


def _later_than_promised(rows: Rows) -> Iterator[str]:
    """Yield changes of errors that take longer than is said of them."""
    for row in rows:
        most, delay = WITHIN.get(row["change"]), row["Driftline"]["delay"]
        if most is not None and (delay is None or delay > most):
            yield f"{row['change']}: found after {delay or 'no end of'} events, {most} at most"


def _shares(rows: Rows) -> Iterator[str]:
    """Yield how often what is found first has changed, and how often an interval holds the beginning, if too seldom."""
    own = [row["Driftline"] for row in rows]
    found = sum(each["found"] for each in own)
    for name, least in (("attributed", ATTRIBUTED), ("covered", COVERED)):
        hits = sum(each[name] for each in own)
        if found and hits / found < least:
            yield f"{name}: {hits} of {found}, {least:.0%} at least"


def _wide(rows: Rows) -> Iterator[str]:
    """Yield how wide intervals for the beginning of a change are, if too wide."""
    own = [row["Driftline"] for row in rows]
    wide = [each["width"] / each["delay"] for each in own if each["width"] is not None and each["delay"]]
    if wide and statistics.median(wide) > WIDEST:
        yield f"median width of intervals {statistics.median(wide):.2f} times the delay, {WIDEST} at most"


def _share(runs: dict[str, Any]) -> float:
    return float(runs["found"] / runs["runs"]) if runs["runs"] else 0.0
