"""When incidents ask for a new model, and on which records it should be trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.models.finding import Span
from driftline.models.incident import Place, change_point, identify, ranges
from driftline.models.trail import Mark
from driftline.schemas.alerts import AlertState, Kind, RetrainReason, RetrainRequest, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.finding import Finding
    from driftline.models.join_entry import Pending
    from driftline.schemas.alerts import Alert
    from driftline.schemas.config import RetrainConfig

_FROM_LABELS = frozenset({Kind.PERFORMANCE, Kind.CONCEPT_DRIFT})


@dataclass(slots=True)
class Need:
    """Incidents that ask for a new version, and how many labelled records there are since the change."""

    version: str
    kinds: list[Kind]
    incident_ids: list[str]
    urgency: Severity
    span: Span
    labelled: int


class RetrainPolicy:
    """The retrain requests of one model.

    The first alert of a configured kind makes a need; later ones join it. It becomes a request once `min_labels`
    records after the change have their labels, and not within the cooldown of the request before. A version that has
    been replaced asks for nothing.
    """

    def __init__(self, model_id: str, config: RetrainConfig) -> None:
        self._model_id = model_id
        self._config = config
        self._need: Need | None = None
        self._requested_at: int | None = None

    def alerted(self, alerts: Sequence[tuple[Alert, Finding]]) -> None:
        """Take the alerts that were just decided, each with its finding."""
        for alert, finding in alerts:
            if alert.kind in self._config.on and alert.state is not AlertState.RESOLVED:
                self._add(alert, finding)

    def _add(self, alert: Alert, finding: Finding) -> None:
        need = self._need
        if need is None or need.version != finding.version:
            labelled = finding.after if alert.kind in _FROM_LABELS else 0
            self._need = Need(
                finding.version, [alert.kind], [alert.incident_id], alert.severity, finding.span, labelled
            )
            return
        if alert.kind not in need.kinds:
            need.kinds.append(alert.kind)
        if alert.incident_id not in need.incident_ids:
            need.incident_ids.append(alert.incident_id)
        if alert.severity is Severity.CRITICAL:
            need.urgency = alert.severity

    def joined(self, pending: Pending) -> None:
        """Take a pair that was joined."""
        need = self._need
        if need is not None and pending.version == need.version and pending.at >= need.span.latest.at:
            need.labelled += 1

    def decide(self, version: str | None, place: Place) -> RetrainRequest | None:
        """Return the request that is due, if any; `version` is the one now served."""
        need = self._need
        if need is None:
            return None
        if need.version != version:
            self._need = None
            return None
        cooling = self._requested_at is not None and place.at - self._requested_at < self._config.cooldown
        if cooling or need.labelled < self._config.min_labels:
            return None
        self._need, self._requested_at = None, place.at
        return RetrainRequest(
            retrain_id=identify("retrain", self._model_id, need.version, *need.incident_ids, place.trigger),
            model_id=self._model_id,
            model_version=need.version,
            reason=RetrainReason(kinds=need.kinds, incident_ids=need.incident_ids),
            urgency=need.urgency,
            change_point=change_point(need.span),
            training_data=ranges(need.span.latest, place, labels=True),
            labelled_count=need.labelled,
            event_time=place.at,
        )

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        need = self._need
        return {
            "requested_at": self._requested_at,
            "need": None
            if need is None
            else [
                need.version,
                [kind.value for kind in need.kinds],
                need.incident_ids,
                need.urgency.value,
                need.span,
                need.labelled,
            ],
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._requested_at = snapshot["requested_at"]
        if snapshot["need"] is not None:
            version, kinds, incident_ids, urgency, span, labelled = snapshot["need"]
            earliest, latest = (Mark(*mark) for mark in span)
            self._need = Need(
                version, [Kind(k) for k in kinds], incident_ids, Severity(urgency), Span(earliest, latest), labelled
            )
