"""From findings to alerts: a gate on size, one incident for each subject, and an end that is earned.

A finding below its `min_effect` raises nothing. The first one above it opens an incident; what follows about the same
subject updates it, at once when it has become more severe, else at most once a cooldown, and not to say that it lasts
or what more is known of the same change.
It is resolved when each version that was found in it has had an effect below half of `min_effect` for `resolve_after`
records of the model, or is served no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from driftline.models.drift.finding import LEVEL
from driftline.models.policy.incident import Incident, Place, identify, severity_of
from driftline.models.watch import wording
from driftline.schemas.alerts import AlertState, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.models.drift.finding import Finding, Level, Subject
    from driftline.schemas.alerts import Alert
    from driftline.schemas.config import AlertsConfig
    from driftline.schemas.state import Incident as IncidentState

_URGENCY: Final = list(Severity)

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

    def decide(self, findings: Sequence[Finding], levels: Levels, place: Place) -> list[tuple[Alert, Finding]]:
        """Return the alerts that findings lead to, each with the finding that led to it."""
        decided = []
        for finding in findings:
            if finding.effect.value < finding.min_effect:
                continue
            incident = self._open.get(finding.subject)
            if incident is None and not self._is_served(levels.level_of(finding.subject, finding.version)):
                continue  # late labels of a version that was replaced
            alert = self._fire(finding, place) if incident is None else self._update(incident, finding, place)
            if alert is not None:
                decided.append((alert, finding))
        return decided

    def _fire(self, finding: Finding, place: Place) -> Alert:
        severity = severity_of(finding)
        # Back within a cooldown of its end it is the same incident, so that a flapping signal is one thread.
        incident = self._resolved.pop(finding.subject, None)
        if incident is None or place.at - incident.updated >= self._config.cooldown:
            name = finding.subject.as_text()
            identity = identify("inc", self._model_id or "", name, finding.version, place.trigger)
            incident = Incident(identity, self._model_id, {}, severity, AlertState.FIRING, place.at, place.at)
        incident.parts.clear()
        self._open[finding.subject] = incident
        return self._tell(incident, finding, severity, AlertState.FIRING, place)

    def _update(self, incident: Incident, finding: Finding, place: Place) -> Alert | None:
        severity = severity_of(finding)
        worse = _URGENCY.index(severity) > _URGENCY.index(incident.severity)
        is_news = not incident.has_told_of(finding.version) or not (
            finding.detector == LEVEL or incident.has_told_of_change(finding)
        )
        if worse or (is_news and place.at - incident.updated >= self._config.cooldown):
            return self._tell(incident, finding, severity, AlertState.UPDATED, place)
        incident.note(finding, place.at)
        return None

    @staticmethod
    def _tell(incident: Incident, finding: Finding, severity: Severity, state: AlertState, place: Place) -> Alert:
        incident.severity = severity
        incident.tell_of(finding, place.at)
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
            standing = {version: levels.level_of(subject, version) for version in incident.parts}
            why = self._why_over(incident, standing, records)
            if why:
                level = standing[incident.finding.version]
                alerts.append(incident.resolve(place, None if level is None else level.effect, why))
                self._resolved[subject] = self._open.pop(subject)
        return alerts

    def _why_over(self, incident: Incident, standing: Mapping[str, Level | None], records: int) -> str:
        """Return why an incident is over, if it is; what it holds of versions that are served no more is dropped."""
        if not any(map(self._is_served, standing.values())):
            return self._why_gone(incident, standing[incident.finding.version])
        since = 0
        for version, level in standing.items():
            part = incident.parts[version]
            if not self._is_served(level):
                del incident.parts[version]
                continue
            if not self._is_small(level, part.finding.min_effect):
                part.calm_since = None
            elif part.calm_since is None:
                part.calm_since = records
            since = max(since, records if part.calm_since is None else part.calm_since)
        if records - since < self._config.resolve_after:
            return ""
        return f"{wording.name(incident.subject)} has been back within its reference for {records - since:,} records"

    def _is_served(self, level: Level | None) -> bool:
        return level is not None and level.others < self._config.resolve_after

    @staticmethod
    def _why_gone(incident: Incident, level: Level | None) -> str:
        what = wording.name(incident.subject)
        if level is None:
            return f"{what} is no longer watched, because newer versions have taken the place of this one"
        return f"{what} no longer matters, because the last {level.others:,} predictions were of other versions"

    @staticmethod
    def _is_small(level: Level | None, min_effect: float) -> bool:
        if level is None or level.effect is None:
            return False
        return level.effect.value == 0.0 or level.effect.value < min_effect / 2

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
