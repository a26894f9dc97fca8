"""When incidents ask for a new model, and on which records it should be trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.models.drift.finding import Span
from driftline.models.policy.incident import Place, change_point, identify, ranges
from driftline.schemas import topics
from driftline.schemas.alerts import Kind, RetrainReason, RetrainRequest, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.models.drift.finding import Finding
    from driftline.models.join.entry import Pending
    from driftline.schemas.alerts import Alert
    from driftline.schemas.config import RetrainConfig


@dataclass(slots=True)
class Need:
    """The open incidents of one version that ask for a new one, and how many labels have come since the first alert."""

    incidents: dict[str, Kind]
    urgency: Severity
    span: Span
    labelled: int = 0


class RetrainPolicy:
    """The retrain requests of one model.

    The first alert of a configured kind makes a need of its version; later ones join it. It becomes a request once
    `min_labels` records after the change have got their labels since, and not within the cooldown of the request
    before. It lapses when its incidents are resolved, and when its version is served no longer.
    """

    def __init__(self, model_id: str, config: RetrainConfig) -> None:
        self._model_id = model_id
        self._config = config
        self._needs: dict[str, Need] = {}
        self._requested_at: int | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing asks for a new version."""
        return not self._needs

    def alerted(self, alerts: Sequence[tuple[Alert, Finding]]) -> None:
        """Take the firing and updated alerts that were just decided, each with its finding."""
        for alert, finding in alerts:
            if alert.kind in self._config.on and alert.severity is not Severity.INFO:
                need = self._needs.setdefault(finding.version, Need({}, alert.severity, finding.span))
                need.incidents[alert.incident_id] = alert.kind
                if alert.severity is Severity.CRITICAL:
                    need.urgency = alert.severity

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

    def decide(self, serves: Callable[[str], bool], place: Place) -> RetrainRequest | None:
        """Return the request that is due, if any; `serves` tells whether a version is still in use."""
        for version, need in list(self._needs.items()):
            if not serves(version):
                del self._needs[version]
            elif need.labelled >= self._config.min_labels and not self._cooling(place.at):
                del self._needs[version]
                self._requested_at = place.at
                return self._request(version, need, place)
        return None

    def _cooling(self, at: int) -> bool:
        return self._requested_at is not None and at - self._requested_at < self._config.cooldown

    def _request(self, version: str, need: Need, place: Place) -> RetrainRequest:
        return RetrainRequest(
            retrain_id=identify("retrain", self._model_id, version, *need.incidents, place.trigger),
            model_id=self._model_id,
            model_version=version,
            reason=RetrainReason(kinds=list(dict.fromkeys(need.incidents.values())), incident_ids=list(need.incidents)),
            urgency=need.urgency,
            change_point=change_point(need.span),
            training_data=ranges(need.span.latest, place, topics.INPUTS),
            labelled_count=need.labelled,
            event_time=place.at,
        )

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "requested_at": self._requested_at,
            "needs": {
                version: [need.incidents, need.urgency.value, need.span, need.labelled]
                for version, need in self._needs.items()
            },
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        self._requested_at = snapshot["requested_at"]
        for version, (incidents, urgency, span, labelled) in snapshot["needs"].items():
            kinds = {incident_id: Kind(kind) for incident_id, kind in incidents.items()}
            self._needs[version] = Need(kinds, Severity(urgency), Span.restore(span), labelled)
