"""``driftline backtest``: what another configuration would have told of the same records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from driftline.models.pipeline import Pipeline
from driftline.schemas.alerts import AlertState, Severity
from driftline.streams.replay import BATCH, EventFiles, outcomes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from driftline.schemas.alerts import Alert
    from driftline.schemas.config import Configuration

_URGENCY: Final = list(Severity)


@dataclass(slots=True)
class Told:
    """One incident, as its alerts told of it.

    `fired` and `resolved` are event time, in epoch milliseconds; an incident that is open at the end has no latter.
    """

    what: str
    fired: int
    resolved: int | None
    severity: Severity

    def overlaps(self, other: Told) -> bool:
        """Return whether both were open at one time."""
        mine, its = self.resolved, other.resolved
        return (its is None or self.fired <= its) and (mine is None or other.fired <= mine)


class Difference(NamedTuple):
    """An incident of either configuration, or of both: then it is the same, though it may be told at another time."""

    first: Told | None
    second: Told | None

    @property
    def is_same(self) -> bool:
        """Whether both tell it alike."""
        return (
            self.first is not None
            and self.second is not None
            and self.first.fired == self.second.fired
            and self.first.resolved == self.second.resolved
            and self.first.severity == self.second.severity
        )


def backtest(
    first: Configuration,
    second: Configuration,
    files: EventFiles,
    *,
    batch: int = BATCH,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Difference]:
    """Replay the same files with two configurations; return what either tells, in the order of event time.

    Parameters
    ----------
    first, second
        How models are watched.
    files
        Of events.
    batch, progress
        As in `driftline.streams.replay.replay`; progress is told how many records there were, of both.

    Raises
    ------
    ReplayError
        If a file cannot be read.

    """
    told, before = [], 0
    for configuration in (first, second):
        alerts: list[Alert] = []
        records = 0
        for records, outcome in outcomes(Pipeline(configuration, partition=0), files, batch):
            alerts += outcome.alerts
            progress(before + records)
        before += records
        told.append(list(incidents(alerts)))
    return compare(*told)


def incidents(alerts: Iterable[Alert]) -> Iterator[Told]:
    """Yield the incidents that alerts tell of, each once it is over, and last those that are still open."""
    opened: dict[str, Told] = {}
    for alert in alerts:
        if alert.state is AlertState.FIRING:
            who = "records of no known model" if alert.model_id is None else f"model {alert.model_id}"
            what = f"{alert.kind} of {alert.target.as_text()}, {who}"
            opened[alert.incident_id] = Told(what, alert.event_time, None, alert.severity)
            continue
        told = opened[alert.incident_id]
        if alert.state is AlertState.RESOLVED:
            told.resolved = alert.event_time
            yield opened.pop(alert.incident_id)
        elif _URGENCY.index(alert.severity) > _URGENCY.index(told.severity):
            told.severity = alert.severity
    yield from opened.values()


def compare(first: Sequence[Told], second: Sequence[Told]) -> list[Difference]:
    """Match incidents of the same subject that were open at one time, the earliest first; return them all in order.

    Examples
    --------
    >>> early, late = (Told("drift", at, None, Severity.WARNING) for at in (5, 9))
    >>> other = Told("errors", 7, 8, Severity.WARNING)
    >>> [(d.first and d.first.fired, d.second and d.second.fired) for d in compare([early, other], [late])]
    [(5, 9), (7, None)]

    """
    left = sorted(second, key=lambda told: told.fired)
    found = []
    for told in sorted(first, key=lambda told: told.fired):
        match = next((other for other in left if other.what == told.what and other.overlaps(told)), None)
        if match is not None:
            left.remove(match)
        found.append(Difference(told, match))
    found += [Difference(None, other) for other in left]
    return sorted(found, key=_when)


def _when(difference: Difference) -> int:
    return min(told.fired for told in difference if told is not None)
