"""One incident: what is open about one subject of one model, and the alerts that tell of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from driftline.models.drift.finding import FROM_LABELS, LEVEL, SHARE, Finding, Subject
from driftline.models.watch import wording
from driftline.schemas import topics
from driftline.schemas.alerts import Alert, AlertState, ChangePoint, Evidence, Kind, OffsetRange, Related, Severity
from driftline.schemas.fields import format_timestamp
from driftline.schemas.state import Incident as IncidentState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from driftline.models.drift.finding import Level, Span
    from driftline.models.drift.trail import Mark
    from driftline.schemas.alerts import Effect

_CRITICAL_RATIO: Final = 3.0
_MOST_EVIDENCE: Final = 32
_MOST_NAMED: Final = 3
_BAD_RECORDS: Final = "bad_records"
_LOST: Final = frozenset({"lost_records", "lost_state"})
_UNTIL_COVERED: Final = frozenset({Kind.DATA_DRIFT, Kind.PREDICTION_DRIFT, Kind.LABEL_DRIFT, Kind.SILENCE})
_LASTING: Final = frozenset({LEVEL, SHARE})  # tell again and again of what is one change
_OF_THE_WORLD: Final = frozenset({Kind.DATA_DRIFT, Kind.LABEL_DRIFT})
_LEADING: Final = (
    Kind.SILENCE,
    Kind.PERFORMANCE,
    Kind.FAIRNESS,
    Kind.CONCEPT_DRIFT,
    Kind.DATA_QUALITY,
    Kind.PREDICTION_DRIFT,
    Kind.LABEL_DRIFT,
    Kind.DATA_DRIFT,
)
"""What leads where several are as urgent: what users of the model suffer from first."""

_URGENCY: Final = list(Severity)


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
    """Return how urgent a finding is: critical from three times the gate.

    That a feature or the label is distributed otherwise is never critical by itself: where it matters to the model,
    what is predicted moves with it, or how often that is wrong.
    """
    kind = finding.subject.kind
    if why_information(finding):
        return Severity.INFO
    is_critical = kind not in _OF_THE_WORLD and finding.effect.value >= _CRITICAL_RATIO * finding.min_effect
    return Severity.CRITICAL if is_critical else Severity.WARNING


def why_information(finding: Finding) -> str:
    """Return why a finding is for information alone; nothing if it is more than that.

    What moves, or pauses, before the reference covers what is normal may be what is normal.
    """
    if finding.better:
        return "as it is for the better"
    if finding.effect.value < finding.min_effect:
        return f"as it is less than the {finding.min_effect:g} from which on it would matter"
    if finding.early and finding.subject.kind in _UNTIL_COVERED:
        return "as the reference does not span reference.min_span yet"
    return finding.doubt


def is_worse(severity: Severity, other: Severity) -> bool:
    """Return whether a severity is more urgent than another."""
    return _URGENCY.index(severity) > _URGENCY.index(other)


def precedence(finding: Finding) -> tuple[int, bool, int, float]:
    """Return what findings are in order by: the most urgent first, then the whole before its slices, then by kind.

    Those that are alike in all of this are by how far they are beyond their gate.
    """
    target = finding.subject.target
    is_slice = target.segment is not None or target.class_ is not None
    beyond = finding.effect.value / finding.min_effect if finding.min_effect else finding.effect.value
    return -_URGENCY.index(severity_of(finding)), is_slice, _LEADING.index(finding.subject.kind), -beyond


@dataclass(slots=True)
class Part:
    """What one version of one subject has to do with an incident.

    `finding` is what the newest alert tells of it, or would (`is_told`), and `news` what no alert has told of yet.
    `changes` are those that were seen, by detector. `calm_since` counts records of the model: since when the effect is
    small. When it had its newest value, as far as is known, it had had so many `values`, and its version so many
    `events`.
    """

    finding: Finding
    is_told: bool = False
    calm_since: int | None = None
    news: Finding | None = None
    changes: dict[str, int] = field(default_factory=dict)
    values: int = -1
    events: int = 0

    def silent_for(self, level: Level) -> int:
        """Return for how many events of its version it has had no value."""
        if level.values != self.values:
            self.values, self.events = level.values, level.events
        return level.events - self.events

    def take(self, finding: Finding) -> bool:
        """Take a finding; return whether it says more than is known: of another change, or that it is worse.

        That a change lasts is no more, nor what else is known of it.
        """
        nth = finding.span.latest.nth
        is_other = finding.detector not in _LASTING and self.changes.get(finding.detector) != nth
        known = self.finding if self.news is None else self.news
        if severity_of(finding) is Severity.INFO and severity_of(known) is not Severity.INFO:
            return False  # it is on its way to be over
        self.calm_since = None
        if is_other:
            self.changes[finding.detector] = nth
        if not is_other and not is_worse(severity_of(finding), severity_of(known)):
            return False
        if self.is_told:
            self.news = finding
        else:
            self.finding = finding
        return True

    @property
    def untold(self) -> Finding | None:
        """What no alert has told of."""
        return self.news if self.is_told else self.finding

    def tell(self) -> None:
        """Say that an alert tells of all of it."""
        if self.news is not None:
            self.finding = self.news
        self.is_told, self.news = True, None

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        news = None if self.news is None else self.news.snapshot()
        counts = self.calm_since, self.values, self.events
        return [self.finding.snapshot(), self.is_told, news, self.changes, *counts]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Part:
        """Rebuild what `snapshot` returned."""
        finding, is_told, news, changes, calm_since, values, events = snapshot
        restored = None if news is None else Finding.restore(news)
        return cls(Finding.restore(finding), is_told, calm_since, restored, dict(changes), values, events)


@dataclass(slots=True)
class Incident:
    """One cause, from its first alert on: what stood out first, which leads, and what has stood out since then with it.

    `parts` are of the subjects and versions that stand out; of those of the leading subject the last one is what the
    newest alert tells of. `evidence` holds the newest finding of each detector about each subject.
    """

    incident_id: str
    model_id: str | None
    leading: Subject
    opened: int
    updated: int = 0
    transitions: int = 0
    severity: Severity = Severity.INFO
    state: AlertState = AlertState.FIRING
    parts: dict[tuple[Subject, str], Part] = field(default_factory=dict)
    evidence: dict[tuple[Subject, str], Evidence] = field(default_factory=dict)

    @property
    def finding(self) -> Finding:
        """What its newest alert tells of first."""
        return next(part.finding for (subject, _), part in reversed(self.parts.items()) if subject == self.leading)

    @property
    def subjects(self) -> list[Subject]:
        """What stands out, the leading one first."""
        return list(dict.fromkeys([self.leading, *(subject for subject, _ in self.parts)]))

    def add(self, finding: Finding, at: int) -> bool:
        """Take a finding; return whether it says more than was known."""
        self._add_evidence(finding, at)
        key = finding.subject, finding.version
        part = self.parts.get(key)
        if part is not None:
            return part.take(finding)
        part = Part(finding)
        part.take(finding)
        self.parts = {key: part, **self.parts}  # what the newest alert tells of stays the last one of its subject
        return True

    @property
    def untold(self) -> list[Finding]:
        """What no alert has told of, the least urgent first."""
        untold = (part.untold for part in self.parts.values())
        return sorted((finding for finding in untold if finding is not None), key=precedence, reverse=True)

    def tell(self, state: AlertState, place: Place) -> Alert:
        """Pass to `state`, firing or updated, and return the alert of it, which tells of all that was untold."""
        for finding in self.untold:
            key = finding.subject, finding.version
            self.parts[key].tell()
            self.parts[key] = self.parts.pop(key)
        self.severity = max((severity_of(part.finding) for part in self.parts.values()), key=_URGENCY.index)
        return self._alert(state, place, self.finding.effect, self._message())

    def drop(self, keys: Iterable[tuple[Subject, str]]) -> None:
        """Forget parts, but not all of them; if none is left of what led, the most urgent one leads."""
        for key in keys:
            del self.parts[key]
        if self.leading not in {subject for subject, _ in self.parts}:
            self.leading = min((part.finding for part in self.parts.values()), key=precedence).subject

    def is_of_the_time_of(self, finding: Finding) -> bool:
        """Return whether the change that leads may have begun when that did which a finding tells of.

        Both intervals hold the beginning nine times in ten, so what lies apart by no more than the narrower one is wide
        may be of one time.
        """
        leading = self.parts.get((self.leading, finding.version))
        if leading is None:
            return False
        spans = [(span.earliest.at, span.latest.at) for span in (leading.finding.span, finding.span)]
        apart = max(earliest for earliest, _ in spans) - min(latest for _, latest in spans)
        return apart <= min(latest - earliest for earliest, latest in spans)

    def _add_evidence(self, finding: Finding, at: int) -> None:
        key = finding.subject, finding.detector
        if key not in self.evidence and len(self.evidence) >= _MOST_EVIDENCE:
            least = max(self.evidence, key=self._rank)
            if _LEADING.index(finding.subject.kind) > self._rank(least)[0]:
                return
            del self.evidence[least]
        self.evidence[key] = Evidence(
            kind=finding.subject.kind,
            target=finding.subject.target,
            model_version=finding.version or None,
            detector=finding.detector,
            statistic=finding.statistic,
            threshold=finding.threshold,
            effect=finding.effect,
            change_point=change_point(finding.span),
            event_time=at,
        )

    def _rank(self, key: tuple[Subject, str]) -> tuple[int, float]:
        evidence = self.evidence[key]
        return _LEADING.index(evidence.kind), -evidence.effect.value

    def _message(self) -> str:
        """Say what has moved, by how much, since when, and what has at the same time."""
        earliest, latest = self.finding.span
        began = f"about {format_timestamp(earliest.at)}"
        if latest.at > earliest.at:
            began = f"between {format_timestamp(earliest.at)} and {format_timestamp(latest.at)}"
        message = f"{self.finding.summary}; it began {began}{self._related()}"
        if self.severity is Severity.INFO:
            return f"{message}; for information, {why_information(self.finding)}"
        advice = wording.look_at(self.leading, self._suspect())
        return f"{message}. {advice}" if advice else message

    def _suspect(self) -> Subject | None:
        """Return which feature has changed with a model that does worse, the most urgent one that matters."""
        if self.leading.kind in {Kind.DATA_QUALITY, Kind.DATA_DRIFT, Kind.SILENCE}:
            return None
        version = self.finding.version
        findings = (part.finding for (_, of), part in self.parts.items() if of == version)
        features = [each for each in findings if each.subject.target.feature is not None and not why_information(each)]
        return min(features, key=precedence).subject if features else None

    def _related(self) -> str:
        """Say what has changed at the same time, the most urgent first."""
        own = self.finding
        parts = reversed(self.parts.values())  # as they were told
        others = sorted((part.finding for part in parts if part.finding is not own), key=precedence)
        told = [each.summary + f" (version {each.version})" * (each.version != own.version) for each in others]
        if not told:
            return ""
        more = len(told) - _MOST_NAMED
        named = [*told[:_MOST_NAMED], *([f"{more} more"] if more > 0 else [])]
        return f". At the same time: {'; '.join(named)}"

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
            is_lost = self.leading.target.metric in _LOST
            who = f"Partition {place.partition}" if is_lost else "Records that name no known model"
        version = f", version {finding.version}" if finding.version else ""
        return Alert(
            alert_id=identify("alert", self.incident_id, str(self.transitions)),
            incident_id=self.incident_id,
            state=state,
            severity=self.severity,
            model_id=self.model_id,
            model_version=finding.version or None,
            kind=self.leading.kind,
            detector=finding.detector,
            target=self.leading.target,
            statistic=finding.statistic,
            threshold=finding.threshold,
            effect=effect,
            change_point=change_point(finding.span),
            event_time=place.at,
            offsets=ranges(finding.span.earliest, place, _read_from(self.subjects)),
            evidence=list(self.evidence.values()),
            label_coverage=finding.coverage,
            message=f"{who}{version}: {message}.",
        )

    def report(self) -> IncidentState:
        """Return the incident's part of the state document."""
        return IncidentState(
            incident_id=self.incident_id,
            kind=self.leading.kind,
            target=self.leading.target,
            related=self._related_subjects(),
            state=self.state,
            severity=self.severity,
            model_version=self.finding.version or None,
            opened=self.opened,
            updated=self.updated,
            effect=self.finding.effect,
            change_point=change_point(self.finding.span),
        )

    def _related_subjects(self) -> list[Related]:
        """Return what else stands out, by what it is named by."""
        named = dict.fromkeys(subject.published for subject in self.subjects)
        return [Related(kind=each.kind, target=each.target) for each in list(named)[1:]]

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "incident_id": self.incident_id,
            "model_id": self.model_id,
            "leading": self.leading.snapshot(),
            "counters": [self.opened, self.updated, self.transitions],
            "severity": self.severity.value,
            "state": self.state.value,
            "parts": [part.snapshot() for part in self.parts.values()],
            "evidence": [evidence.model_dump(mode="json", by_alias=True) for evidence in self.evidence.values()],
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Incident:
        """Rebuild what `snapshot` returned."""
        opened, updated, transitions = snapshot["counters"]
        parts = [Part.restore(part) for part in snapshot["parts"]]
        evidence = [Evidence.model_validate(stored) for stored in snapshot["evidence"]]
        return cls(
            snapshot["incident_id"],
            snapshot["model_id"],
            Subject.restore(snapshot["leading"]),
            opened,
            updated,
            transitions,
            severity=Severity(snapshot["severity"]),
            state=AlertState(snapshot["state"]),
            parts={(part.finding.subject, part.finding.version): part for part in parts},
            evidence={(_subject_of(each), each.detector): each for each in evidence},
        )


def _subject_of(evidence: Evidence) -> Subject:
    measure = evidence.effect.measure if evidence.kind is Kind.FAIRNESS else ""
    return Subject(evidence.kind, evidence.target, measure)


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


def _read_from(subjects: Iterable[Subject]) -> tuple[str, ...]:
    """Return the topics that what is said of subjects was read from; only predictions have features and scores."""
    of_both = FROM_LABELS | {Kind.SILENCE}
    if any(subject.kind in of_both or subject.target.metric == _BAD_RECORDS for subject in subjects):
        return topics.INPUTS
    return (topics.PREDICTIONS,)
