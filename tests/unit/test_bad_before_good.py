"""Bad records that come before any event: there is no event time yet by which an alert could be dated."""

from driftline.models.intake import Intake
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord
from driftline.schemas.config import Configuration
from driftline.schemas.events import Label, Prediction, encode
from driftline.schemas.topics import LABELS, PREDICTIONS

START = 1_795_406_400_000


def alerts_of(timestamp: int | None) -> list[int]:
    """Return the change points' beginnings of the alerts that 100 bad records, one event and 100 more lead to."""
    intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
    good = encode(Prediction(model_id="m", model_version="1", prediction_id="p", timestamp=START, prediction=1))
    values = [b"oops"] * 100 + [good] + [b"oops"] * 100
    records = [
        intake.read(FileRecord(PREDICTIONS, offset, value, timestamp=timestamp)) for offset, value in enumerate(values)
    ]
    outcome = Pipeline(Configuration(), partition=0).process(records, found={})
    assert len(outcome.dead_letters) == 200
    return [alert.change_point.earliest for alert in outcome.alerts]


def test_an_alert_waits_for_the_first_event_of_a_file() -> None:
    assert alerts_of(timestamp=None) == [START]


def test_the_brokers_time_stands_in_before_the_first_event() -> None:
    assert alerts_of(timestamp=START - 5000) == [START - 5000]
