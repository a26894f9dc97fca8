"""Whether Driftline saw what happened: each incident once, each under its right name, and nothing else.

Every delay is a count of records of the model, in the topic that the incident was in: from the first wrong one to the
one at which an alert was decided, and from where the fault was put right to the one at which it was resolved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftline.models.drift.finding import Subject
from driftline.schemas.alerts import AlertState
from driftline.schemas.topics import LABELS, PREDICTIONS
from driftline.streams.demo.script import INCIDENTS, Fault, Incident

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.schemas.alerts import Alert, OffsetRange, RetrainRequest
    from driftline.schemas.state import ModelState


@dataclass(slots=True)
class Extent:
    """Where an incident lay in its topic; None where it has not come to that yet.

    Attributes
    ----------
    first
        Offset of the first wrong record.
    over
        Offset of the next record when the fault was put right. Labels of predictions from before may still be wrong.

    """

    first: int | None = None
    over: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """What one incident led to: alerts of an incident that is named by what leads, or a request to retrain.

    `delay` and `resolved` are numbers of records, None where it never came; requests are not resolved.
    """

    fault: Fault
    what: str
    delay: int | None
    resolved: int | None = None
    is_request: bool = False


@dataclass(slots=True)
class Verdict:
    """The rows of the table, and everything that was not as it must be, in sentences."""

    rows: list[Row] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether every incident was caught and nothing else fired."""
        return not self.complaints


def judge(
    extents: Mapping[Fault, Extent],
    alerts: Sequence[Alert],
    requests: Sequence[RetrainRequest],
    incidents: Sequence[Incident] = INCIDENTS,
) -> Verdict:
    """Hold alerts and requests, all that were published, against what was done.

    An alert belongs to the incident during or after which it was decided, up to the beginning of the next one.
    """
    verdict = Verdict()
    strays = {alert.alert_id: alert for alert in alerts if alert.state is not AlertState.RESOLVED}
    causes: dict[str, Fault] = {}
    for incident, following in zip(incidents, (*incidents[1:], None), strict=True):
        end = None if following is None else following.start
        own = [
            a
            for a in alerts
            if _leading(a) in (*incident.expected, *incident.possible) and _decided_within(a, incident.start, end)
        ]
        verdict.rows.append(_caught(incident, extents[incident.fault], own, verdict.complaints))
        for alert in own:
            strays.pop(alert.alert_id, None)
        if incident.retrains:
            causes |= {alert.incident_id: incident.fault for alert in own}
    verdict.complaints += [f"stray alert: {_told(alert)}" for alert in strays.values()]
    _judge_requests(incidents, extents, requests, causes, verdict)
    return verdict


def judge_counts(state: ModelState, sent: Mapping[str, int]) -> list[str]:
    """Return what is wrong with the counts of a state that covers all that was `sent`, which is records by topic."""
    counts = state.counts
    sums = {
        "predictions": (sent[PREDICTIONS], counts.predictions),
        "labels": (sent[LABELS], counts.labels),
        "joined pairs": (sent[LABELS], counts.joined),
        "refused records": (0, counts.dead_letters),
    }
    return [f"counted {found} {what}, not {right}" for what, (right, found) in sums.items() if found != right]


def _caught(incident: Incident, extent: Extent, alerts: Sequence[Alert], complaints: list[str]) -> Row:
    """Return the row of an incident, from the alerts during and after it that are led by what is expected of it."""
    expected = {subject.as_text() for subject in incident.expected}
    firing = [alert for alert in alerts if alert.state is AlertState.FIRING]
    resolved = [alert for alert in alerts if alert.state is AlertState.RESOLVED]
    if not firing or extent.first is None or extent.over is None:
        name = " or ".join(subject.as_text() for subject in incident.expected)
        complaints.append(f"{incident.fault}: no alert says {name}")
        return Row(incident.fault, name, None)
    name = _leading(firing[0]).as_text()
    told = {Subject(each.kind, each.target).as_text() for alert in alerts for each in alert.evidence}
    complaints += [f"{incident.fault}: nothing says {missed}" for missed in sorted(expected - told)]
    strays = told - expected - {subject.as_text() for subject in incident.possible}
    complaints += [f"{incident.fault}: {stray} is told with it" for stray in sorted(strays)]
    delay = _end(firing[0].offsets, incident.topic) - extent.first
    if _end(firing[0].offsets, incident.topic) > extent.over:
        complaints.append(f"{incident.fault}: {name} was found only when it was over")
    if len(firing) > 1:
        complaints.append(f"{incident.fault}: {name} fired {len(firing)} times")
    if not resolved:
        complaints.append(f"{incident.fault}: {name} was not resolved before the next incident")
        return Row(incident.fault, name, delay)
    after = _end(resolved[-1].offsets, incident.topic) - extent.over
    if after < 0:
        complaints.append(f"{incident.fault}: {name} was resolved while it lasted")
    return Row(incident.fault, name, delay, after)


def _judge_requests(
    incidents: Iterable[Incident],
    extents: Mapping[Fault, Extent],
    requests: Sequence[RetrainRequest],
    causes: Mapping[str, Fault],
    verdict: Verdict,
) -> None:
    """Add the row of every incident that asks for a new model; `causes` tells which incident an alert's id is of."""
    first: dict[Fault, RetrainRequest] = {}
    for request in requests:
        faults = {causes.get(incident_id) for incident_id in request.reason.incident_ids}
        fault = faults.pop()
        if fault is None or faults:
            verdict.complaints.append(f"stray request to retrain, for {' and '.join(request.reason.kinds)}")
        else:
            first.setdefault(fault, request)
    for incident in incidents:
        if not incident.retrains:
            continue
        extent, own = extents[incident.fault], first.get(incident.fault)
        delay = None
        if own is None or extent.first is None:
            verdict.complaints.append(f"{incident.fault}: no request to retrain followed")
        else:
            delay = _end(own.training_data, incident.topic) - extent.first
        verdict.rows.append(Row(incident.fault, "request to retrain", delay, is_request=True))


def _leading(alert: Alert) -> Subject:
    return Subject(alert.kind, alert.target)


def _decided_within(alert: Alert, start: int, end: int | None) -> bool:
    decided = _end(alert.offsets, PREDICTIONS)
    return start < decided and (end is None or decided <= end)


def _end(ranges: Iterable[OffsetRange], topic: str) -> int:
    """Return how many records of a topic had been read; 0 where the alert does not say."""
    return max((r.end for r in ranges if r.topic == topic), default=0)


def _told(alert: Alert) -> str:
    where = _end(alert.offsets, PREDICTIONS)
    return f"{alert.state} {alert.kind} of {alert.target.as_text()} at prediction {where}: {alert.message}"
