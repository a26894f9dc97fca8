"""One alert and one request to retrain, as Driftline publishes them."""

from typing import Any

from driftline.schemas.alerts import (
    Alert,
    AlertState,
    ChangePoint,
    Effect,
    Evidence,
    Kind,
    OffsetRange,
    RetrainReason,
    RetrainRequest,
    Severity,
    Target,
)

SPAN = ChangePoint(earliest=1795406400000, latest=1795406460250)


def alert(**fields: Any) -> Alert:  # noqa: ANN401 - any field of an alert
    """Return an alert with some fields changed."""
    return Alert(
        **{
            "alert_id": "alert-1",
            "incident_id": "inc-1",
            "state": AlertState.FIRING,
            "severity": Severity.WARNING,
            "model_id": "fraud",
            "model_version": "7",
            "kind": Kind.DATA_DRIFT,
            "detector": "e_sr",
            "target": Target(feature="amount"),
            "statistic": 3.5,
            "threshold": 2.0,
            "effect": Effect(measure="psi", value=0.3, before=1.0),
            "change_point": SPAN,
            "event_time": 1795406500000,
            "offsets": [OffsetRange(topic="driftline.predictions", partition=3, start=17, end=90)],
            "evidence": [
                Evidence(
                    kind=Kind.DATA_DRIFT,
                    target=Target(feature="amount"),
                    model_version="7",
                    detector="e_sr",
                    statistic=3.5,
                    threshold=2.0,
                    effect=Effect(measure="psi", value=0.3, before=1.0),
                    change_point=SPAN,
                    event_time=1795406500000,
                )
            ],
            "message": "amount moved",
            **fields,
        }
    )


def request(**fields: Any) -> RetrainRequest:  # noqa: ANN401 - any field of a request
    """Return a request to retrain with some fields changed."""
    return RetrainRequest(
        **{
            "retrain_id": "retrain-1",
            "model_id": "fraud",
            "model_version": "7",
            "reason": RetrainReason(kinds=[Kind.PERFORMANCE], incident_ids=["inc-1"]),
            "urgency": Severity.CRITICAL,
            "change_point": SPAN,
            "training_data": [],
            "labelled_count": 12,
            "event_time": 1795406500000,
            **fields,
        }
    )
