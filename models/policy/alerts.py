"""From findings to alerts: a gate on size, one incident for each subject, and an end that is earned.

A finding below its `min_effect` raises nothing. The first one above it opens an incident; what follows about the same
subject updates it, at once when it has become more severe, else at most once a cooldown. It is resolved when its effect
has stayed below half of `min_effect` for `resolve_after` records of the model, or when its version is served no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from driftline.models.policy.incident import Incident, Place, identify, severity_of
from driftline.models.watch import wording
from driftline.schemas.alerts import AlertState, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.drift.finding import Finding, Level, Subject
    from driftline.schemas.alerts import Alert
    from driftline.schemas.config import AlertsConfig
    from driftline.schemas.state import Incident as IncidentState

REVIEW_EVERY: Final = 256
"""Records of a model between two reviews of its open incidents."""


class Levels(Protocol):
    """Whoever can tell how a subject stands."""

    def level_of(self, subject: Subject, version: str) -> Level | None:
        """Return how a subject of a version stands; None once the version is no longer watched."""


class AlertPolicy:
    """The incidents of one model; of records that name no model, where `model_id` is None."""

    def __init__(self, model_id: str | None, config: AlertsConfig) -> None:
        self._model_id = model_id
        self._config = config
        self._open: dict[Subject, Incident] = {}
        self._resolved: dict[Subject, Incident] = {}

    @property
    def is_calm(self) -> bool:
        """Whether nothing is open."""
        return not self._open

    def decide(self, findings: Sequence[Finding], place: Place) -> list[tuple[Alert, Finding]]:
        """Return the alerts that findings lead to, each with the finding that led to it."""
        decided = []
        for finding in findings:
            if finding.effect.value < finding.min_effect:
                continue
            incident = self._open.get(finding.subject)
            alert = self._fire(finding, place) if incident is None else self._update(incident, finding, place)
            if alert is not None:
                decided.append((alert, finding))
        return decided

    def _fire(self, finding: Finding, place: Place) -> Alert:
        severity = severity_of(finding.effect, finding.min_effect)
        # Back within a cooldown of its end it is the same incident, so that a flapping signal is one thread.
        incident = self._resolved.pop(finding.subject, None)
        if incident is None or place.at - incident.updated >= self._config.cooldown:
            name = finding.subject.as_text()
            identity = identify("inc", self._model_id or "", name, finding.version, place.trigger)
            incident = Incident(identity, self._model_id, finding, severity, AlertState.FIRING, place.at, place.at)
        self._open[finding.subject] = incident
        return self._tell(incident, finding, severity, AlertState.FIRING, place)

    def _update(self, incident: Incident, finding: Finding, place: Place) -> Alert | None:
        severity = severity_of(finding.effect, finding.min_effect)
        worse = severity is Severity.CRITICAL and incident.severity is not Severity.CRITICAL
        if worse or place.at - incident.updated >= self._config.cooldown:
            return self._tell(incident, finding, severity, AlertState.UPDATED, place)
        incident.note(finding, place.at)
        return None

    @staticmethod
    def _tell(incident: Incident, finding: Finding, severity: Severity, state: AlertState, place: Place) -> Alert:
        incident.finding, incident.severity, incident.calm_since = finding, severity, None
        incident.note(finding, place.at)
        return incident.alert(state, place)

    def review(self, levels: Levels, place: Place, records: int) -> list[Alert]:
        """Return the alerts of incidents that have ended; `records` is how many the model has had."""
        self._resolved = {
            subject: incident
            for subject, incident in self._resolved.items()
            if place.at - incident.updated < self._config.cooldown
        }
        alerts = []
        for subject, incident in list(self._open.items()):
            level = levels.level_of(subject, incident.finding.version)
            why = self._why_over(incident, level, records)
            if why:
                alerts.append(incident.resolve(place, None if level is None else level.effect, why))
                incident.evidence.clear()
                self._resolved[subject] = self._open.pop(subject)
        return alerts

    def _why_over(self, incident: Incident, level: Level | None, records: int) -> str:
        what = wording.name(incident.subject)
        if level is None:
            return f"{what} is no longer watched, because newer versions have taken the place of this one"
        if level.predictions != incident.served[1]:
            incident.served = (records, level.predictions)
        elif records - incident.served[0] >= self._config.resolve_after:
            idle = _count(records, incident.served[0])
            return f"{what} no longer matters, because this version has served nothing for {idle}"
        if not self._is_calm(incident, level):
            incident.calm_since = None
        elif incident.calm_since is None:
            incident.calm_since = records
        elif records - incident.calm_since >= self._config.resolve_after:
            return f"{what} has been back within its reference for {_count(records, incident.calm_since)}"
        return ""

    @staticmethod
    def _is_calm(incident: Incident, level: Level) -> bool:
        if level.effect is None:
            return False
        return level.effect.value == 0.0 or level.effect.value < incident.finding.min_effect / 2

    def report(self) -> list[IncidentState]:
        """Return the open incidents for the state document, oldest first."""
        return [incident.report() for incident in self._open.values()]

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "open": [incident.snapshot() for incident in self._open.values()],
            "resolved": [incident.snapshot() for incident in self._resolved.values()],
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._open = {i.subject: i for i in map(Incident.restore, snapshot["open"])}
        self._resolved = {i.subject: i for i in map(Incident.restore, snapshot["resolved"])}


def _count(records: int, since: int) -> str:
    return f"{records - since:,} records"
