"""What is told of a model while its reference does not span `reference.min_span` yet, and after."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord, Record
from driftline.schemas.alerts import AlertState, Kind, Severity
from driftline.schemas.config import parse_configuration
from driftline.schemas.events import Prediction
from driftline.schemas.fields import format_timestamp
from driftline.schemas.topics import PREDICTIONS

if TYPE_CHECKING:
    from driftline.schemas.alerts import Alert, RetrainRequest

START: Final = 1_795_406_400_000
SECOND: Final = 1000
BEGUN: Final = START + 99 * SECOND  # of the 100th prediction, with which a quarter of the reference has come


class Run:
    """A model that predicts once a second.

    Its reference is over after 400 of them, and covered 1,000 after the first quarter. Drift asks for a new model.
    """

    def __init__(self, **config: Any) -> None:  # noqa: ANN401 - fields of a configuration
        model = {
            "model_id": "m",
            "task": "binary",
            "classes": [0, 1],
            "reference": {"events": 400, "min_span": "1000s"},
            "retrain": {"on": ["data_drift", "prediction_drift"], "min_labels": 0},
            **config,
        }
        self._pipeline = Pipeline(parse_configuration({"models": [model]}), partition=0)
        self._random = Random(1)
        self._nth = 0
        self.alerts: list[Alert] = []
        self.requests: list[RetrainRequest] = []

    def predict(self, until: int, shift: float = 0.0) -> None:
        """Go on until so many have come, with x and the score shifted by so many standard deviations."""
        for nth in range(self._nth, until):
            x, z = (self._random.gauss(shift, 1) for _ in range(2))
            prediction = Prediction(
                model_id="m",
                model_version="1",
                prediction_id=str(nth),
                timestamp=START + nth * SECOND,
                prediction=nth % 2,
                score=min(max(0.5 + 0.1 * z, 0.0), 1.0),
                features={"x": x},
            )
            outcome = self._pipeline.process([Record(FileRecord(PREDICTIONS, nth, b""), prediction)], {})
            self.alerts += outcome.alerts
            self.requests += outcome.retrain_requests
        self._nth = until

    @property
    def reference(self) -> dict[str, Any]:
        """What the state document says of it."""
        return self._pipeline.documents()["m"].reference


def test_the_state_document_says_when_the_reference_is_covered() -> None:
    run = Run()
    run.predict(99)
    assert run.reference.get("covered_at") is None
    run.predict(250)  # from the 200th on it is known what the model is
    assert run.reference["covered_at"] == format_timestamp(BEGUN + 1000 * SECOND)
    run.predict(1500)
    assert run.reference["covered_at"] == format_timestamp(BEGUN + 1000 * SECOND)


def test_what_moves_early_is_for_information_and_becomes_more_if_it_lasts_until_the_reference_is_covered() -> None:
    run = Run()
    run.predict(700)
    assert run.alerts == []
    run.predict(1000, shift=4.0)
    (early,) = run.alerts  # x and the score move at the same time
    assert (early.state, early.severity) == (AlertState.FIRING, Severity.INFO)
    assert "reference.min_span" in early.message
    assert run.requests == []
    run.predict(2600, shift=4.0)
    later = run.alerts[-1]
    assert (later.severity, later.incident_id) == (Severity.CRITICAL, early.incident_id)
    assert [alert.state for alert in run.alerts].count(AlertState.FIRING) == 2  # as news, and as a page
    assert {evidence.kind for evidence in later.evidence} == {Kind.DATA_DRIFT, Kind.PREDICTION_DRIFT}
    assert later.event_time >= BEGUN + 1000 * SECOND
    assert "reference.min_span" not in later.message
    assert [request.urgency for request in run.requests] == [Severity.CRITICAL]


def test_what_moves_early_and_comes_back_before_the_reference_is_covered_asks_for_nothing() -> None:
    run = Run(alerts={"resolve_after": 100})
    run.predict(500)
    run.predict(560, shift=4.0)
    run.predict(4000)
    assert {alert.severity for alert in run.alerts} == {Severity.INFO}
    assert {alert.state for alert in run.alerts} >= {AlertState.FIRING, AlertState.RESOLVED}
    assert run.requests == []


@pytest.mark.parametrize(("min_span", "since"), [("1000s", 1200), ("0s", 700)])
def test_once_the_reference_is_covered_what_moves_is_critical_at_once(min_span: str, since: int) -> None:
    run = Run(reference={"events": 400, "min_span": min_span})
    run.predict(since)
    run.predict(since + 300, shift=4.0)
    assert {evidence.kind for alert in run.alerts for evidence in alert.evidence} == {
        Kind.DATA_DRIFT,
        Kind.PREDICTION_DRIFT,
    }
    assert [alert.state for alert in run.alerts].count(AlertState.FIRING) == 1
    assert run.alerts[-1].severity is Severity.CRITICAL
    assert [request.urgency for request in run.requests] == [Severity.CRITICAL]
