"""One incident: what is open about one subject of one model, and the alerts that tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from driftline.models.drift.finding import Finding
from driftline.schemas import topics
from driftline.schemas.alerts import Alert, AlertState, ChangePoint, Evidence, Kind, OffsetRange, Severity
from driftline.schemas.fields import format_timestamp
from driftline.schemas.state import Incident as IncidentState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from driftline.models.drift.finding import Span, Subject
    from driftline.models.drift.trail import Mark
    from driftline.schemas.alerts import Effect

_CRITICAL_RATIO: Final = 3.0
_BAD_RECORDS: Final = "bad_records"
_LOST: Final = frozenset({"lost_records", "lost_state"})
_DRIFTS: Final = frozenset({Kind.DATA_DRIFT, Kind.PREDICTION_DRIFT})
_FROM_LABELS: Final = frozenset({Kind.PERFORMANCE, Kind.CONCEPT_DRIFT})


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


def severity_of(finding: Finding) -> Severity:
    """Return how urgent a finding is that passed the gate: critical from three times the gate.

    Where the distribution of features or predictions moves before the reference covers what is normal, that may be what
    is normal: it is for information.
    """
    if finding.early and finding.subject.kind in _DRIFTS:
        return Severity.INFO
    is_critical = finding.effect.value >= _CRITICAL_RATIO * finding.min_effect
    return Severity.CRITICAL if is_critical else Severity.WARNING


@dataclass(slots=True)
class Part:
    """What one version has to do with an incident.

    `is_told` says whether an alert has told of the version, `calm_since` counts records of the model: since when the
    effect is small.
    """

    finding: Finding
    is_told: bool
    calm_since: int | None = None


@dataclass(slots=True)
class Incident:
    """An incident from its first alert on.

    `parts` are of the versions that stand out, last the one that the newest alert tells of. `evidence` holds the newest
    finding of each detector.
    """

    incident_id: str
    model_id: str | None
    parts: dict[str, Part]
    severity: Severity
    state: AlertState
    opened: int
    updated: int
    transitions: int = 0
    evidence: dict[str, Evidence] = field(default_factory=dict)

    @property
    def finding(self) -> Finding:
        """What its newest alert tells of."""
        return next(reversed(self.parts.values())).finding

    @property
    def subject(self) -> Subject:
        """What the incident is about."""
        return self.finding.subject

    def tell_of(self, finding: Finding, at: int) -> None:
        """Keep the finding that an alert is about to tell of."""
        self.parts.pop(finding.version, None)
        self.parts[finding.version] = Part(finding, is_told=True)
        self._add_evidence(finding, at)

    def note(self, finding: Finding, at: int) -> None:
        """Keep a finding that no alert tells of; the one that the newest alert tells of stays."""
        newest = self.finding.version
        part = self.parts.setdefault(finding.version, Part(finding, is_told=False))
        part.calm_since = None
        if finding.version != newest:
            part.finding = finding
            self.parts[newest] = self.parts.pop(newest)
        self._add_evidence(finding, at)

    def has_told_of(self, version: str) -> bool:
        """Return whether an alert has told of a version that still stands out."""
        return version in self.parts and self.parts[version].is_told

    def has_told_of_change(self, finding: Finding) -> bool:
        """Return whether the newest alert of a version told of the change that a finding tells of."""
        part = self.parts.get(finding.version)
        if part is None or not part.is_told:
            return False
        return part.finding.detector == finding.detector and part.finding.span.latest.nth == finding.span.latest.nth

    def _add_evidence(self, finding: Finding, at: int) -> None:
        self.evidence[finding.detector] = Evidence(
            detector=finding.detector, statistic=finding.statistic, threshold=finding.threshold, event_time=at
        )

    def alert(self, state: AlertState, place: Place) -> Alert:
        """Pass to `state`, firing or updated, and return the alert that says so."""
        earliest, latest = self.finding.span
        began = f"about {format_timestamp(earliest.at)}"
        if latest.at > earliest.at:
            began = f"between {format_timestamp(earliest.at)} and {format_timestamp(latest.at)}"
        message = f"{self.finding.summary}; it began {began}"
        if self.severity is Severity.INFO:
            message += "; for information, as the reference does not span reference.min_span yet"
        return self._alert(state, place, self.finding.effect, message)

    def resolve(self, place: Place, effect: Effect | None, why: str) -> Alert:
        """Pass to resolved and return the alert that says why, with the effect there is now."""
        alert = self._alert(AlertState.RESOLVED, place, effect or self.finding.effect, why)
        self.evidence.clear()
        return alert

    def _alert(self, state: AlertState, place: Place, effect: Effect, message: str) -> Alert:
        finding = self.finding
        self.state, self.updated = state, place.at
        self.transitions += 1
        who = f"Model {self.model_id}"
        if self.model_id is None:
            is_lost = self.subject.target.metric in _LOST
            who = f"Partition {place.partition}" if is_lost else "Records that name no known model"
        version = f", version {finding.version}" if finding.version else ""
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
            effect=effect,
            change_point=change_point(finding.span),
            event_time=place.at,
            offsets=ranges(finding.span.earliest, place, _read_from(self.subject)),
            evidence=list(self.evidence.values()),
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
        return {
            "incident_id": self.incident_id,
            "model_id": self.model_id,
            "parts": [[part.finding.snapshot(), part.is_told, part.calm_since] for part in self.parts.values()],
            "severity": self.severity.value,
            "state": self.state.value,
            "counters": [self.opened, self.updated, self.transitions],
            "evidence": [evidence.model_dump() for evidence in self.evidence.values()],
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Incident:
        """Rebuild what `snapshot` returned."""
        opened, updated, transitions = snapshot["counters"]
        parts = [Part(Finding.restore(finding), *rest) for finding, *rest in snapshot["parts"]]
        return cls(
            snapshot["incident_id"],
            snapshot["model_id"],
            {part.finding.version: part for part in parts},
            Severity(snapshot["severity"]),
            AlertState(snapshot["state"]),
            opened,
            updated,
            transitions,
            {stored["detector"]: Evidence(**stored) for stored in snapshot["evidence"]},
        )


def change_point(span: Span) -> ChangePoint:
    """Return a span of marks as moments."""
    return ChangePoint(earliest=span.earliest.at, latest=span.latest.at)


def ranges(start: Mark, place: Place, inputs: Iterable[str]) -> list[OffsetRange]:
    """Return the records of some topics from a mark to where the model stands."""
    starts = {topics.PREDICTIONS: start.prediction_offset, topics.LABELS: start.label_offset}
    return [
        OffsetRange(topic=topic, partition=place.partition, start=max(starts[topic], 0), end=place.next_offsets[topic])
        for topic in inputs
        if topic in place.next_offsets
    ]


def _read_from(subject: Subject) -> tuple[str, ...]:
    """Return the topics that what is said of a subject was read from; only predictions have features and scores."""
    of_predictions = subject.kind not in _FROM_LABELS and subject.target.metric != _BAD_RECORDS
    return (topics.PREDICTIONS,) if of_predictions else topics.INPUTS
