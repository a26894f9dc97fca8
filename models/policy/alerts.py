"""From findings to alerts: a gate on size, one incident for each cause, and an end that is earned.

A finding below its `min_effect` raises nothing, nor does one in a silence; what a change has come to and is still below
is for information, as is what has become better. The first finding that is told opens an incident.
What follows about the same subject, or about another one that has changed at the same time, updates it: at once when it
has become more severe, else at most once a cooldown, and not to say that it lasts or what more is known of the same
change. So one cause is one page, however many streams react.

It is resolved when each version of each subject that was found in it has had an effect below half of `min_effect` for
`resolve_after` records of the model, or is served no more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from driftline.models.policy.incident import Incident, Place, identify, is_worse, precedence, severity_of
from driftline.models.watch import wording
from driftline.schemas.alerts import AlertState, Kind, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.models.drift.finding import Finding, Level, Subject
    from driftline.models.policy.incident import Part
    from driftline.schemas.alerts import Alert, Effect
    from driftline.schemas.config import AlertsConfig
    from driftline.schemas.state import Incident as IncidentState

REVIEW_EVERY: Final = 256
"""Records of a model between two reviews of its open incidents."""


class Levels(Protocol):
    """Whoever can tell how a subject stands."""

    def level_of(self, subject: Subject, version: str) -> Level | None:
        """Return how a subject of a version stands; None once the version is no longer watched."""


class Decided(NamedTuple):
    """What findings have led to: alerts, and the findings that say more of an incident, by its id, than was known."""

    alerts: list[Alert]
    noted: list[tuple[str, Finding]]


class AlertPolicy:
    """The incidents of one model; of records that name no model, where `model_id` is None."""

    def __init__(self, model_id: str | None, config: AlertsConfig) -> None:
        self._model_id = model_id
        self._config = config
        self._open: dict[str, Incident] = {}
        self._of: dict[Subject, Incident] = {}  # which open incident each subject is of
        self._resolved: dict[Subject, Incident] = {}  # by all that each was about
        self.silenced = 0

    @property
    def is_calm(self) -> bool:
        """Whether nothing is open."""
        return not self._open

    def decide(self, findings: Sequence[Finding], levels: Levels, place: Place) -> Decided:
        """Return the alerts that findings lead to, one for each incident that has something to tell."""
        touched: dict[str, Incident] = {}
        decided, opened = Decided([], []), set()
        for finding in sorted(filter(_passes, findings), key=precedence):
            if self._is_silent(finding, place.at):
                self.silenced += 1
                continue
            incident = self._of.get(finding.subject)
            if incident is None and not self._is_served(levels.level_of(finding.subject, finding.version)):
                continue  # late labels of a version that was replaced
            incident = incident or self._related(finding)
            if incident is None:
                incident = self._new(finding, place)
                opened.add(incident.incident_id)
            self._of[finding.subject] = incident
            touched[incident.incident_id] = incident
            if incident.add(finding, place.at):
                decided.noted.append((incident.incident_id, finding))
        for incident_id, incident in touched.items():
            if incident_id in opened:
                decided.alerts.append(incident.tell(AlertState.FIRING, place))
            elif (alert := self._update(incident, place)) is not None:
                decided.alerts.append(alert)
        return decided

    def _is_silent(self, finding: Finding, at: int) -> bool:
        return self.silent_until(finding.subject.kind, at) is not None

    def silent_until(self, kind: Kind, at: int) -> int | None:
        """Return when a silence ends in which nothing of a kind is told; None if there is none at an event time."""
        ends = (silence.end_of(kind, at) for silence in self._config.silences)
        return max((end for end in ends if end is not None), default=None)

    def _related(self, finding: Finding) -> Incident | None:
        """Return the open incident that a finding is of the same cause as.

        What is for information alone is nothing that a page would be hidden in.
        """
        severity = severity_of(finding)
        for incident in self._open.values():
            if Kind.SILENCE in {finding.subject.kind, incident.leading.kind}:
                continue  # what comes no more says nothing of what came
            hides = incident.severity is Severity.INFO and severity is not Severity.INFO
            if not hides and incident.is_of_the_time_of(finding):
                return incident
        return None

    def _new(self, finding: Finding, place: Place) -> Incident:
        """Open an incident; back within a cooldown of its end it is the same, so that a flapping signal is one."""
        incident = self._resolved.get(finding.subject)
        if incident is None or place.at - incident.updated >= self._config.cooldown:
            name = finding.subject.as_text()
            identity = identify("inc", self._model_id or "", name, finding.version, place.trigger)
            incident = Incident(identity, self._model_id, finding.subject, place.at)
        self._resolved = {subject: each for subject, each in self._resolved.items() if each is not incident}
        incident.parts.clear()
        incident.leading, incident.severity = finding.subject, severity_of(finding)
        self._open[incident.incident_id] = incident
        return incident

    def _update(self, incident: Incident, place: Place) -> Alert | None:
        """Return the alert of an open incident that is due, if one is.

        What is worse is told at once, and what else is news after a cooldown. Where it was for information it fires
        when it is more than that.
        """
        untold = incident.untold
        if all(self._is_silent(finding, place.at) for finding in untold):  # of none too
            return None
        if is_worse(severity_of(untold[-1]), incident.severity):
            is_first = incident.severity is Severity.INFO
            return incident.tell(AlertState.FIRING if is_first else AlertState.UPDATED, place)
        if place.at - incident.updated < self._config.cooldown:
            return None
        return incident.tell(AlertState.UPDATED, place)

    def review(self, levels: Levels, place: Place, records: int) -> list[Alert]:
        """Return the alerts of incidents that have ended, or have something left to tell.

        `records` is how many the model has had. It is to be called after each `REVIEW_EVERY` of them.
        """
        self._resolved = {
            subject: incident
            for subject, incident in self._resolved.items()
            if place.at - incident.updated < self._config.cooldown
        }
        alerts = []
        for incident in list(self._open.values()):
            why = self._why_over(incident, levels, records)
            if why:
                finding = incident.finding
                level = levels.level_of(finding.subject, finding.version)
                alerts.append(self._close(incident, None if level is None else level.effect, place, why))
            elif (alert := self._update(incident, place)) is not None:
                alerts.append(alert)
        self._index()
        return alerts

    def end(self, subject: Subject, place: Place, why: str) -> list[Alert]:
        """Return the alert that ends what an incident tells of a subject that is surely over; none if others go on."""
        incident = self._of.get(subject)
        if incident is None:
            return []
        over = [key for key in incident.parts if key[0] == subject]
        if len(over) < len(incident.parts):
            incident.drop(over)
            self._index()
            return []
        alert = self._close(incident, None, place, why)
        self._index()
        return [alert]

    def _close(self, incident: Incident, effect: Effect | None, place: Place, why: str) -> Alert:
        alert = incident.resolve(place, effect, why)
        del self._open[incident.incident_id]
        self._resolved |= dict.fromkeys(incident.subjects, incident)
        return alert

    def _index(self) -> None:
        self._of = {subject: incident for incident in self._open.values() for subject in incident.subjects}

    def _why_over(self, incident: Incident, levels: Levels, records: int) -> str:
        """Return why an incident is over, if it is; what it holds of versions that are served no more is dropped."""
        standing = {key: levels.level_of(*key) for key in incident.parts}
        gone = [key for key, level in standing.items() if not self._is_served(level)]
        if len(gone) == len(standing):
            finding = incident.finding
            return self._why_gone(incident, standing[finding.subject, finding.version])
        incident.drop(gone)
        since, is_page = 0, incident.severity is not Severity.INFO
        for key, part in incident.parts.items():
            if is_page and severity_of(part.finding) is Severity.INFO:
                continue  # it keeps no page open
            if not self._is_over(part, standing[key]):
                part.calm_since = None
            elif part.calm_since is None:
                part.calm_since = records
            since = max(since, records if part.calm_since is None else part.calm_since)
        if records - since < self._config.resolve_after:
            return ""
        what, others = wording.name(incident.leading), len(incident.subjects) - 1
        who = f"{what} has" if not others else f"{what} and {others} more that changed with it have"
        return f"{who} been back within {'their' if others else 'its'} reference for {records - since:,} records"

    def _is_served(self, level: Level | None) -> bool:
        return level is not None and level.others < self._config.resolve_after

    @staticmethod
    def _why_gone(incident: Incident, level: Level | None) -> str:
        what = wording.name(incident.leading)
        if level is None:
            return f"{what} is no longer watched"
        return f"{what} no longer matters, because the last {level.others:,} predictions were of other versions"

    def _is_over(self, part: Part, level: Level | None) -> bool:
        """Return whether the effect of a part is small, or nothing comes of it any more though its version goes on."""
        if level is not None and part.silent_for(level) >= self._config.resolve_after:
            return True
        if level is None or level.effect is None:
            return False
        value = level.better if part.finding.better else level.effect.value
        return value == 0.0 or value < part.finding.min_effect / 2

    def report(self) -> list[IncidentState]:
        """Return the open incidents for the state document, oldest first."""
        return [incident.report() for incident in self._open.values()]

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "open": [incident.snapshot() for incident in self._open.values()],
            "resolved": [incident.snapshot() for incident in _distinct(self._resolved.values())],
            "silenced": self.silenced,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._open = {incident.incident_id: incident for incident in map(Incident.restore, snapshot["open"])}
        resolved = map(Incident.restore, snapshot["resolved"])
        self._resolved = {subject: incident for incident in resolved for subject in incident.subjects}
        self.silenced = snapshot["silenced"]
        self._index()


def _distinct(incidents: Iterable[Incident]) -> Iterable[Incident]:
    return {incident.incident_id: incident for incident in incidents}.values()


def _passes(finding: Finding) -> bool:
    """Return whether a finding is large enough, or says for good how small a change is, if that can be told from 0."""
    return finding.effect.value >= finding.min_effect or (finding.last and finding.effect.value > 0.0)
