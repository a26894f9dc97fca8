"""When incidents, or the calendar, ask for a new model, and on which records it should be trained."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from driftline.models.drift.finding import Span
from driftline.models.policy.incident import Place, change_point, identify, ranges, severity_of
from driftline.schemas import topics
from driftline.schemas.alerts import Kind, RetrainReason, RetrainRequest, Severity
from driftline.schemas.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.drift.finding import Finding
    from driftline.models.join.entry import Pending
    from driftline.models.watch.version_watch import Served
    from driftline.schemas.alerts import Alert
    from driftline.schemas.config import RetrainConfig


@dataclass(slots=True)
class Need:
    """The open incidents of one version that ask for a new one, and how many labels have come since the first alert."""

    incidents: dict[str, list[Kind]]
    urgency: Severity
    span: Span
    labelled: int = 0


class RetrainPolicy:
    """The retrain requests of one model.

    The first finding of a configured kind that an incident takes makes a need of its version; later ones join it. It
    becomes a request once `min_labels` records after the change have got their labels since. It lapses when its
    incidents are resolved, and when its version is served no longer. Whatever there are incidents of, by `schedule` the
    newest version asks that has as many labels.

    What incidents have asked for is open for a cooldown. That long no version asks that there was then: a newer one is
    the answer, and may ask for another. What the schedule asks for keeps no incident waiting. There are no more
    requests than the budget has, of either kind.
    """

    def __init__(self, model_id: str, config: RetrainConfig) -> None:
        self._model_id = model_id
        self._config = config
        self._needs: dict[str, Need] = {}
        self._requested: list[int] = []  # when, the newest last, as many as the budget needs to know
        self._open: tuple[int, list[str]] = (0, [])  # when incidents asked, and which versions there were
        self._since: dict[str, int] = {}  # when each version was seen first, for the schedule

    @property
    def is_idle(self) -> bool:
        """Whether no incident asks for a new version."""
        return not self._needs

    @property
    def has_schedule(self) -> bool:
        """Whether one may be due though nothing has happened."""
        return self._config.schedule is not None

    def noted(self, noted: Sequence[tuple[str, Finding]]) -> None:
        """Take what incidents, by their id, have just told of or been found to be about as well."""
        for incident_id, finding in noted:
            kind, severity = finding.subject.kind, severity_of(finding)
            if kind in self._config.on and severity is not Severity.INFO:
                need = self._needs.setdefault(finding.version, Need({}, severity, finding.span))
                kinds = need.incidents.setdefault(incident_id, [])
                if kind not in kinds:
                    kinds.append(kind)
                if severity is Severity.CRITICAL:
                    need.urgency = severity

    def resolved(self, alerts: Sequence[Alert]) -> None:
        """Take the alerts of incidents that are over."""
        for alert in alerts:
            for version, need in list(self._needs.items()):
                need.incidents.pop(alert.incident_id, None)
                if not need.incidents:
                    del self._needs[version]

    def joined(self, pending: Pending) -> None:
        """Take a pair that was joined."""
        need = self._needs.get(pending.version)
        # By offset, since what is counted is `training_data`: a batch is there with all of its rows.
        if need is not None and pending.offset >= need.span.latest.prediction_offset:
            need.labelled += 1

    def decide(self, versions: Sequence[Served], place: Place) -> RetrainRequest | None:
        """Return the request that is due, if any; `versions` are all that are watched, the oldest first."""
        in_use = [served for served in versions if served.in_use]
        names = {served.version for served in in_use}
        for version, need in list(self._needs.items()):
            if version not in names:
                del self._needs[version]
            elif need.labelled >= self._config.min_labels and self._may_ask(version, place.at):
                del self._needs[version]
                self._open = place.at, [served.version for served in versions]
                self._note(place.at)
                return self._because_of(need, version, place)
        if self._config.schedule is None:
            return None
        # Not their own times: one event may have a time that is far off.
        self._since = {served.version: self._since.get(served.version, place.at) for served in versions}
        enough = [served for served in in_use if served.labelled >= self._config.min_labels]
        if not enough or not self._is_due(enough[-1].version, self._config.schedule, place.at):
            return None
        self._note(place.at)
        return self._as_scheduled(enough[-1], place)

    def _is_due(self, version: str, schedule: int, at: int) -> bool:
        since = max([self._since[version], *self._requested])
        return at - since >= schedule and self._may_ask(version, at)

    def _may_ask(self, version: str, at: int) -> bool:
        """Return whether nothing is open that this version waits for, and the budget has a request left."""
        then, versions = self._open
        if version in versions and at - then < self._config.cooldown:
            return False
        budget = self._config.budget
        return budget is None or sum(at - then < budget.per for then in self._requested) < budget.requests

    def _note(self, at: int) -> None:
        most = 1 if self._config.budget is None else self._config.budget.requests
        self._requested = [*self._requested, at][-most:]

    def _because_of(self, need: Need, version: str, place: Place) -> RetrainRequest:
        return RetrainRequest(
            retrain_id=identify("retrain", self._model_id, version, *need.incidents, place.trigger),
            model_id=self._model_id,
            model_version=version,
            reason=RetrainReason(
                kinds=list(dict.fromkeys(chain.from_iterable(need.incidents.values()))),
                incident_ids=list(need.incidents),
            ),
            urgency=need.urgency,
            change_point=change_point(need.span),
            training_data=ranges(need.span.latest, place, topics.INPUTS),
            labelled_count=need.labelled,
            event_time=place.at,
        )

    def _as_scheduled(self, newest: Served, place: Place) -> RetrainRequest:
        schedule = format_duration(self._config.schedule or 0)
        return RetrainRequest(
            retrain_id=identify("retrain", self._model_id, newest.version, schedule, place.trigger),
            model_id=self._model_id,
            model_version=newest.version,
            reason=RetrainReason(kinds=[], incident_ids=[], schedule=schedule),
            urgency=Severity.INFO,
            training_data=ranges(newest.first, place, topics.INPUTS),
            labelled_count=newest.labelled,
            event_time=place.at,
        )

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "requested": list(self._requested),
            "open": list(self._open),
            "since": dict(self._since),
            "needs": {
                version: [need.incidents, need.urgency.value, need.span, need.labelled]
                for version, need in self._needs.items()
            },
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        at, versions = snapshot["open"]
        self._requested, self._open, self._since = list(snapshot["requested"]), (at, versions), dict(snapshot["since"])
        for version, (incidents, urgency, span, labelled) in snapshot["needs"].items():
            kinds = {incident_id: [Kind(kind) for kind in asked] for incident_id, asked in incidents.items()}
            self._needs[version] = Need(kinds, Severity(urgency), Span.restore(span), labelled)
