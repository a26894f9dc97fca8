"""One incident: what is open about one subject of one model, and the alerts that tell of it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from driftline.models.finding import Finding, Span, Subject
from driftline.models.trail import Mark
from driftline.schemas import topics
from driftline.schemas.alerts import (
    Alert,
    AlertState,
    ChangePoint,
    Effect,
    Evidence,
    Kind,
    OffsetRange,
    Severity,
    Target,
)
from driftline.schemas.fields import format_timestamp
from driftline.schemas.state import Incident as IncidentState

if TYPE_CHECKING:
    from collections.abc import Mapping

_CRITICAL_RATIO = 3.0
_FROM_PREDICTIONS = frozenset({Kind.DATA_DRIFT, Kind.PREDICTION_DRIFT})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model stands when something is decided: event time, partition, next offsets by topic, and the record."""

    at: int
    partition: int
    next_offsets: Mapping[str, int]
    trigger: str


def identify(prefix: str, *parts: str) -> str:
    """Return an id that is the same whenever the same records are read again.

    Examples
    --------
    >>> identify("inc", "fraud", "data_drift feature amount", "driftline.predictions-0-17")
    'inc-6e1bacdc9b226ffb85bf'

    """
    # Lengths keep ("ab", "c") and ("a", "bc") apart.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return f"{prefix}-{blake2b(text.encode(), digest_size=10).hexdigest()}"


def severity_of(effect: Effect, min_effect: float) -> Severity:
    """Return how urgent an effect is that passed the gate: critical from three times the gate."""
    return Severity.CRITICAL if effect.value >= _CRITICAL_RATIO * min_effect else Severity.WARNING


@dataclass(slots=True)
class Incident:
    """An incident from its first alert on.

    `calm_since` and `served` count records of the model: since when the effect is small, and since when the version
    was last seen, with the number of predictions it then had.
    """

    incident_id: str
    model_id: str | None
    subject: Subject
    finding: Finding
    severity: Severity
    state: AlertState
    opened: int
    updated: int
    transitions: int = 0
    calm_since: int | None = None
    served: tuple[int, int] = (0, 0)

    def alert(self, state: AlertState, place: Place, *, note: str = "") -> Alert:
        """Pass to `state` and return the alert that says so."""
        finding = self.finding
        self.state, self.updated = state, place.at
        self.transitions += 1
        earliest, latest = finding.span
        began = format_timestamp(earliest.at)
        if latest.at > earliest.at:
            began = f"between {began} and {format_timestamp(latest.at)}"
        who = "Records that name no known model" if self.model_id is None else f"Model {self.model_id}"
        version = f", version {finding.version}" if finding.version else ""
        message = note or f"{finding.summary}; it began {began if ' ' in began else f'about {began}'}"
        return Alert(
            alert_id=identify("alert", self.incident_id, str(self.transitions)),
            incident_id=self.incident_id,
            state=state,
            severity=self.severity,
            model_id=self.model_id,
            model_version=finding.version or None,
            kind=self.subject.kind,
            detector=finding.detector,
            target=self.subject.target,
            statistic=finding.statistic,
            threshold=finding.threshold,
            effect=finding.effect,
            change_point=change_point(finding.span),
            event_time=place.at,
            offsets=ranges(earliest, place, labels=self.subject.kind not in _FROM_PREDICTIONS),
            evidence=[
                Evidence(
                    detector=finding.detector,
                    statistic=finding.statistic,
                    threshold=finding.threshold,
                    event_time=place.at,
                )
            ],
            message=f"{who}{version}: {message}.",
        )

    def report(self) -> IncidentState:
        """Return the incident's part of the state document."""
        return IncidentState(
            incident_id=self.incident_id,
            kind=self.subject.kind,
            target=self.subject.target,
            state=self.state,
            severity=self.severity,
            model_version=self.finding.version or None,
            opened=self.opened,
            updated=self.updated,
            effect=self.finding.effect,
            change_point=change_point(self.finding.span),
        )

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        finding = self.finding
        return {
            "incident_id": self.incident_id,
            "model_id": self.model_id,
            "kind": self.subject.kind.value,
            "target": self.subject.target.model_dump(exclude_none=True),
            "finding": [
                finding.version,
                finding.detector,
                finding.statistic,
                finding.threshold,
                finding.effect.model_dump(),
                finding.min_effect,
                finding.span,
                finding.after,
                finding.summary,
            ],
            "severity": self.severity.value,
            "state": self.state.value,
            "counters": [self.opened, self.updated, self.transitions, self.calm_since, self.served],
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Incident:
        """Rebuild what `snapshot` returned."""
        subject = Subject(Kind(snapshot["kind"]), Target(**snapshot["target"]))
        version, detector, statistic, threshold, effect, min_effect, span, after, summary = snapshot["finding"]
        earliest, latest = (Mark(*mark) for mark in span)
        finding = Finding(
            subject,
            version,
            detector,
            statistic,
            threshold,
            Effect(**effect),
            min_effect,
            Span(earliest, latest),
            after,
            summary,
        )
        opened, updated, transitions, calm_since, served = snapshot["counters"]
        return cls(
            snapshot["incident_id"],
            snapshot["model_id"],
            subject,
            finding,
            Severity(snapshot["severity"]),
            AlertState(snapshot["state"]),
            opened,
            updated,
            transitions,
            calm_since,
            tuple(served),
        )


def change_point(span: Span) -> ChangePoint:
    """Return a span of marks as moments; arrival need not be in the order of event time."""
    first, last = sorted((span.earliest.at, span.latest.at))
    return ChangePoint(earliest=first, latest=last)


def ranges(start: Mark, place: Place, *, labels: bool) -> list[OffsetRange]:
    """Return the records from a mark to where the model stands."""
    starts = {topics.PREDICTIONS: start.prediction_offset}
    if labels:
        starts[topics.LABELS] = start.label_offset
    return [
        OffsetRange(topic=topic, partition=place.partition, start=max(offset, 0), end=place.next_offsets[topic])
        for topic, offset in starts.items()
        if topic in place.next_offsets
    ]
