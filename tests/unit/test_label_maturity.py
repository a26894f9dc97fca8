"""Labels of which the bad ones come later: what is normal is told by pairs that have had the time to come."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord, Record
from driftline.models.watch.maturity import Maturity
from driftline.schemas.alerts import Kind
from driftline.schemas.config import parse_configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS
from tests.restoring import as_stored

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.schemas.alerts import Alert

START: Final = 1_795_406_400_000
SECOND: Final = 1000
WRONG: Final = 0.2
NIGHT: Final = 4000  # seconds between two of them


def slow_when_wrong(random: Random, *, is_wrong: bool, at: int) -> float:
    del at
    return random.expovariate(1 / 900 if is_wrong else 1 / 30)


def at_once(random: Random, *, is_wrong: bool, at: int) -> float:
    del random, is_wrong, at
    return 0.0


def nightly(random: Random, *, is_wrong: bool, at: int) -> float:
    del random, is_wrong
    return NIGHT - at % NIGHT


def play(delay: Callable[..., float], *, predictions: int = 8000, **reference: Any) -> Any:  # noqa: ANN401 - fields of a configuration
    """Return the alerts of a model of which nothing changes, and the last state of its reference."""
    model = {
        "model_id": "m",
        "task": "binary",
        "classes": [0, 1],
        "reference": {"events": 1000, "min_span": "0s", **reference},
    }
    configuration = parse_configuration({"models": [model]})
    random, events = Random(1), []
    for nth in range(predictions):
        is_wrong, at = random.random() < WRONG, START + nth * SECOND
        label = random.randrange(2)
        answer = label ^ is_wrong
        events.append((at, PREDICTIONS, nth, answer))
        events.append((at + int(1000 * delay(random, is_wrong=is_wrong, at=nth)), LABELS, nth, label))
    pipeline, offsets = Pipeline(configuration, partition=0), {PREDICTIONS: 0, LABELS: 0}
    alerts: list[Alert] = []
    for at, topic, nth, value in sorted(events, key=lambda event: (event[0], event[1] == LABELS)):
        if at >= START + predictions * SECOND:
            break  # what is still to come are late labels alone
        of = {"model_id": "m", "prediction_id": str(nth), "timestamp": at}
        is_label = topic == LABELS
        event = Label(**of, label=value) if is_label else Prediction(**of, model_version="1", prediction=value)
        alerts += pipeline.process([Record(FileRecord(topic, offsets[topic], b""), event)], {}).alerts
        offsets[topic] += 1
    return alerts, pipeline.documents()["m"].reference


def test_labels_that_come_later_when_they_are_bad_are_no_change() -> None:
    alerts, reference = play(slow_when_wrong)
    assert alerts == []
    assert reference["pairs_complete"]
    assert 3000 < reference["immature_pairs"] < 4500  # 98 % of labels have come after 2,070 s


def test_without_waiting_for_them_they_seem_to_be() -> None:
    alerts, reference = play(slow_when_wrong, label_delay="0s")
    assert Kind.PERFORMANCE in {alert.kind for alert in alerts}
    assert reference["immature_pairs"] == 0


def test_labels_that_come_at_once_are_not_waited_for() -> None:
    _, reference = play(at_once, predictions=1500)
    assert reference["immature_pairs"] == 0


def test_labels_that_come_all_at_once_are_not_waited_for() -> None:
    alerts, reference = play(nightly)
    assert alerts == []
    assert 1000 < reference["immature_pairs"] < 1100  # it takes as many to see that they do
    assert reference["pairs_complete"]


@pytest.mark.parametrize(("before", "after"), [(100, 5000), (5000, 200)])
def test_another_size_of_the_reference_at_a_restart_does_not_keep_labels_from_maturing(before: int, after: int) -> None:
    maturity, again = Maturity(before), Maturity(after)
    shown = min(before, 230)  # of the first, all that a reference of 100 shows one by one
    for second in range(shown):
        maturity.predicted(second * SECOND)
    again.restore(as_stored(maturity.snapshot()))
    for second in range(shown, 2000):
        if not again.is_reached and again.waited((second - 10) * SECOND, second * SECOND):
            again.look(second * SECOND, None, 10 * SECOND)
    assert again.is_reached
    assert again.waiting < 400


@pytest.mark.parametrize("seconds", [500, 2000])
def test_how_long_labels_take_can_be_said(seconds: int) -> None:
    _, reference = play(at_once, predictions=4000, label_delay=f"{seconds}s")
    assert seconds <= reference["immature_pairs"] <= seconds + 64
    assert reference["pairs_complete"]
