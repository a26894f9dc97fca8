"""The share of predictions that come with an id that was there before."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.intake import Intake
from driftline.models.kernels.fast import OTHER
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord
from driftline.schemas.alerts import AlertState, Kind, Severity
from driftline.schemas.config import parse_configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from driftline.schemas.alerts import Alert

START: Final = 1_795_406_400_000
CONFIGURATION: Final = parse_configuration(
    {"models": [{"model_id": "m", "task": "binary", "reference": {"events": 1000, "min_span": "0s"}}]}
)
METRIC: Final = "repeated_predictions"


class Service:
    """A service whose retries send a share of its predictions twice."""

    def __init__(self, *, seed: int = 1) -> None:
        self.pipeline = Pipeline(CONFIGURATION, partition=0)
        self.alerts: list[Alert] = []
        self._intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
        self._random = Random(seed)
        self._sent = self._offset = 0

    @property
    def now(self) -> int:
        """When its next record is sent."""
        return START + 1000 * self._offset

    def send(self, predictions: int, repeated: float, *, rows: int = 1) -> None:
        """Send so many predictions, by so many rows of a batch or, of one, record by record."""
        ids: list[str] = []
        while len(ids) < predictions:
            ids.append(f"p{self._sent}")
            self._sent += 1
            if self._random.random() < repeated:
                ids.append(f"p{self._sent - 1 - self._random.randrange(min(self._sent, 20))}")
        records = [self._record(ids[start : start + rows], rows) for start in range(0, len(ids), rows)]
        for start in range(0, len(records), 200):
            batch = self.pipeline.read(records[start : start + 200], self._intake)
            self.alerts += self.pipeline.process(batch, {}).alerts

    def _record(self, ids: list[str], rows: int) -> FileRecord:
        at, several = self.now, len(ids)
        fields: dict[str, Any] = {"model_id": "m", "model_version": "1"}
        if rows == 1:
            fields |= {"prediction_id": ids[0], "timestamp": at, "prediction": 1, "score": self._random.random()}
        else:
            scores = [self._random.random() for _ in ids]
            fields |= {
                "rows": several,
                "prediction_id": ids,
                "timestamp": at,
                "prediction": [1] * several,
                "score": scores,
            }
        self._offset += 1
        return FileRecord(PREDICTIONS, self._offset, json.dumps(fields).encode(), timestamp=at, key=b"m")

    def counted(self) -> tuple[int, int]:
        """Return how many predictions there have been, and how many that repeat one."""
        counts = self.pipeline.documents()["m"].counts
        return counts.predictions, counts.duplicate_predictions


def is_about_repeats(alert: Alert) -> bool:
    """Return whether an alert is about predictions that repeat an id."""
    return alert.kind is Kind.DATA_QUALITY and alert.target.metric == METRIC


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize("repeated", [0.0, 0.01, 0.2])
def test_as_many_as_usual_are_no_finding(repeated: float, rows: int) -> None:
    service = Service()
    service.send(20_000, repeated, rows=rows)
    assert not any(map(is_about_repeats, service.alerts))
    predictions, duplicates = service.counted()
    assert (duplicates > 0) == (repeated > 0)
    assert predictions + duplicates >= 20_000


@pytest.mark.parametrize("rows", [1, 50])
@pytest.mark.parametrize("repeated", [0.0, 0.01])
def test_more_than_usual_are_told_at_once_and_resolved_when_they_end(repeated: float, rows: int) -> None:
    service = Service()
    service.send(5000, repeated, rows=rows)
    changed = service.now
    service.send(500, 0.4, rows=rows)
    alert = next(filter(is_about_repeats, service.alerts))
    assert alert.state is AlertState.FIRING
    assert alert.severity is not Severity.INFO
    assert alert.detector == "e_sr:repeats"
    assert alert.effect.measure == "bad_share"
    assert alert.change_point.earliest <= changed <= alert.change_point.latest
    assert "have an id that was there before" in alert.message
    assert alert.model_version is None
    service.send(5000, repeated, rows=rows)
    assert [each.state for each in service.alerts if is_about_repeats(each)][-1] is AlertState.RESOLVED


def test_a_burst_in_the_reference_is_of_the_reference() -> None:
    service = Service()
    service.send(500, 0.0)
    service.send(100, 0.6)
    service.send(10_000, 0.0)
    assert not any(map(is_about_repeats, service.alerts))
    service.send(500, 0.6)
    assert any(map(is_about_repeats, service.alerts))


def test_the_state_tells_how_many_there_are() -> None:
    service = Service()
    service.send(3000, 0.2)
    report = service.pipeline.documents()["m"].detectors[f"data_quality metric {METRIC} e_sr:repeats"]
    predictions, duplicates = service.counted()
    # Nothing is watched before it is known what the model is.
    assert predictions + duplicates - 1000 - 300 <= report["count"] <= predictions + duplicates - 1000
    assert report["before"] == pytest.approx(0.17, abs=0.03)


def test_a_mutant_that_takes_what_is_sent_again_for_another_record_tells_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("driftline.models.rows.REPEATED", OTHER)
    service = Service()
    service.send(5000, 0.0)
    service.send(500, 0.4)
    assert not any(map(is_about_repeats, service.alerts))
