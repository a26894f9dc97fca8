"""Feeds that stop: of a model nothing comes any more, or no labels though it predicts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.intake import Intake
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord
from driftline.schemas.alerts import AlertState, Kind, Severity
from driftline.schemas.config import parse_configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS
from tests.restoring import restore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from driftline.models.outcome import Outcome
    from driftline.schemas.alerts import Alert

START: Final = 1_795_406_400_000
SECOND: Final = 1000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

Event = tuple[int, str, dict[str, Any]]


def prediction(at: int, model_id: str = "m") -> Event:
    fields = {"model_version": "1", "prediction_id": f"{model_id}{at}", "prediction": at // SECOND % 2}
    return at, PREDICTIONS, {"model_id": model_id, **fields}


def label(at: int, of: int, model_id: str = "m") -> Event:
    return at, LABELS, {"model_id": model_id, "prediction_id": f"{model_id}{of}", "label": of // SECOND % 2}


def every(seconds: int, start: int, end: int, model_id: str = "m") -> list[Event]:
    return [prediction(at, model_id) for at in range(start, end, seconds * SECOND)]


def labelled(seconds: int, start: int, end: int, delay: int = 5 * SECOND) -> list[Event]:
    events = [prediction(at) for at in range(start, end, seconds * SECOND)]
    return events + [label(at + delay, at) for at, _, _ in events]


class Partition:
    """One partition, and all that its records have led to."""

    def __init__(self, size: int = 1000, **config: Any) -> None:  # noqa: ANN401 - fields of a configuration
        model = {"model_id": "m", "reference": {"min_span": "0s"}, **config}
        self.configuration = parse_configuration({"models": [model]})
        self.pipeline = Pipeline(self.configuration, 0)
        self.alerts: list[Alert] = []
        self.intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
        self._offsets = {PREDICTIONS: 0, LABELS: 0}
        self._size = size

    def take(self, *parts: Iterable[Event]) -> Partition:
        """Take events in the order of their times."""
        records = list(self._records(sorted((event for part in parts for event in part), key=lambda event: event[0])))
        for start in range(0, len(records), self._size):
            batch = self.pipeline.read(records[start : start + self._size], self.intake)
            self.keep(self.pipeline.process(batch, {}))
        return self

    def _records(self, events: Iterable[Event]) -> Iterator[FileRecord]:
        for at, topic, fields in events:
            value = json.dumps({**fields, "timestamp": START + at}).encode()
            yield FileRecord(topic, self._offsets[topic], value)
            self._offsets[topic] += 1

    def keep(self, outcome: Outcome) -> None:
        self.alerts += [alert for alert in outcome.alerts if alert.kind is Kind.SILENCE]

    def restart(self) -> None:
        changes = self.pipeline.changes()
        again = Pipeline(self.configuration, 0)
        restore(again, changes.position, changes.snapshots, {}, changes.entries)
        self.pipeline = again

    @property
    def told(self) -> list[tuple[str, str | None, int]]:
        """The state, the feed and the time of each alert."""
        return [(alert.state.value, alert.target.metric, alert.event_time - START) for alert in self.alerts]


def test_a_model_that_stops_is_told_once_others_have_gone_on_for_ten_minutes() -> None:
    partition = Partition().take(every(10, 0, HOUR), every(7, 0, 2 * HOUR, "other"))
    (first, second) = partition.alerts
    last = HOUR - 10 * SECOND
    assert first.state is AlertState.FIRING
    assert first.severity is Severity.WARNING
    assert 0 <= first.event_time - START - (last + 10 * MINUTE) < 7 * SECOND
    assert (first.effect.before, first.change_point.latest) == (10.0, START + last)
    assert "predictions have come" in first.message
    assert second.state is AlertState.UPDATED
    assert second.severity is Severity.CRITICAL
    assert 0 <= second.event_time - START - (last + 30 * MINUTE) < 7 * SECOND
    feed = partition.pipeline.documents()["m"].feeds["predictions"]
    assert (feed.last, feed.allowed_seconds, feed.is_silent) == (START + last, 600.0, True)


def test_it_is_over_with_the_first_prediction_that_comes_again() -> None:
    partition = Partition().take(every(10, 0, HOUR), every(10, 2 * HOUR, 3 * HOUR), every(7, 0, 3 * HOUR, "other"))
    assert [alert.state.value for alert in partition.alerts] == ["firing", "updated", "resolved"]
    assert partition.told[-1] == ("resolved", "predictions", 2 * HOUR)
    assert partition.alerts[-1].message == "Model m: predictions come again."
    assert partition.pipeline.documents()["m"].incidents == []


def test_pauses_that_came_twice_are_told_no_more() -> None:
    days = [every(30, day * DAY, day * DAY + 12 * HOUR) for day in range(6)]
    others = every(60, 0, 6 * DAY, "other")
    nights = [at // DAY for state, _, at in Partition().take(*days, others).told if state == "firing"]
    assert nights == [0, 1]


def test_before_the_reference_is_covered_it_is_for_information() -> None:
    partition = Partition(reference={"min_span": "1d"}).take(every(10, 0, HOUR), every(7, 0, 2 * HOUR, "other"))
    assert [(alert.state, alert.severity) for alert in partition.alerts] == [(AlertState.FIRING, Severity.INFO)]


def test_what_the_configuration_allows_is_no_silence() -> None:
    events = every(10, 0, HOUR), every(7, 0, 4 * HOUR, "other")
    assert Partition(silence={"predictions": "0s"}).take(*events).told == []
    ((_, _, at),) = Partition(silence={"predictions": "2h"}).take(*events).told
    assert 0 <= at - (3 * HOUR - 10 * SECOND) < 7 * SECOND
    ((_, _, at), *_) = Partition(silence={"predictions": "20s"}).take(*events).told
    assert 0 <= at - (HOUR + 10 * SECOND) < 7 * SECOND


def test_labels_that_stop_are_told_while_there_are_predictions() -> None:
    partition = Partition().take(labelled(10, 0, HOUR), every(10, HOUR, 2 * HOUR))
    (first, second) = partition.alerts
    assert (first.target.metric, first.severity, second.severity) == ("labels", Severity.WARNING, Severity.CRITICAL)
    assert 0 <= first.event_time - START - (HOUR - 5 * SECOND + 10 * MINUTE) <= 10 * SECOND
    assert partition.take([label(2 * HOUR, HOUR)]).told[-1] == ("resolved", "labels", 2 * HOUR)


def test_of_a_model_that_stops_its_labels_are_no_silence_of_their_own() -> None:
    partition = Partition().take(labelled(10, 0, HOUR), every(7, 0, 5 * HOUR, "other"))
    assert {metric for _, metric, _ in partition.told} == {"predictions"}


def test_labels_may_take_their_time_after_a_pause_of_the_model() -> None:
    delay = 2 * HOUR
    partition = Partition(silence={"predictions": "0s"})
    partition.take(labelled(10, 0, 10 * HOUR, delay), labelled(10, 4 * DAY, 4 * DAY + 10 * HOUR, delay))
    assert partition.told == []


def test_no_record_of_the_model_tells_of_its_own_silence() -> None:
    assert Partition().take(every(10, 0, HOUR), every(10, 9 * HOUR, 10 * HOUR)).told == []


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_batches_change_nothing(size: int) -> None:
    def events() -> list[list[Event]]:
        parts = [labelled(10, 0, HOUR), every(10, HOUR, 2 * HOUR), labelled(10, 5 * HOUR, 6 * HOUR)]
        return [*parts, every(11, 0, 8 * HOUR, "other"), every(601, 0, 8 * HOUR, "seldom")]

    expected = Partition().take(*events())
    assert len(expected.alerts) > 3
    assert Partition(size).take(*events()).alerts == expected.alerts


def test_a_restart_forgets_nothing() -> None:
    parts = every(10, 0, HOUR), every(7, 0, 90 * MINUTE, "other"), every(7, 90 * MINUTE, 2 * HOUR, "other")
    expected = Partition().take(*parts)
    partition = Partition().take(*parts[:2])
    partition.restart()
    assert partition.take(parts[2]).alerts == expected.alerts


def test_while_a_partition_has_no_records_moments_tell() -> None:
    partition = Partition().take(every(10, 0, HOUR))
    pipeline, last = partition.pipeline, START + HOUR - 10 * SECOND
    pipeline.changes()
    due = [pipeline.is_silent(last + 10 * MINUTE + more) for more in (-1, 0)]
    assert (due, pipeline.has_unsaved) == ([False, True], False)
    outcome = pipeline.pass_time(last + 10 * MINUTE)
    partition.keep(outcome)
    assert partition.told == [("firing", "predictions", last - START + 10 * MINUTE)]
    assert (pipeline.is_silent(last + 10 * MINUTE), len(pipeline.changes().snapshots)) == (False, 1)
    assert pipeline.watermark == last
    partition.take(every(10, HOUR + 5 * MINUTE, HOUR + 6 * MINUTE))
    assert partition.told[-1] == ("resolved", "predictions", HOUR + 5 * MINUTE)


def test_where_a_file_ends_nothing_is_missing() -> None:
    partition, events = Partition(), every(10, 0, HOUR)
    partition.pipeline.ends_at(PREDICTIONS, len(events))
    assert partition.take(events, [label(9 * HOUR, 0)]).told == []
    partition.pipeline.ends_at(PREDICTIONS, len(events) + 1)
    assert partition.take([label(10 * HOUR, 10 * SECOND)]).told != []


def test_maintenance_only_puts_off_what_lasts() -> None:
    def alerts(*parts: list[Event]) -> list[tuple[str, str | None, int]]:
        maintenance = {"start": START + HOUR, "end": START + 90 * MINUTE, "kinds": ["silence"]}
        return Partition(alerts={"silences": [maintenance]}).take(every(10, 0, HOUR), *parts).told

    others = every(7, 0, 3 * HOUR, "other")
    assert alerts(every(10, 85 * MINUTE, 3 * HOUR), others) == []
    ((state, _, at),) = alerts(others)
    assert state == "firing"
    assert 0 <= at - 90 * MINUTE < 7 * SECOND


def test_a_restart_in_maintenance_forgets_nothing() -> None:
    maintenance = {"start": START + HOUR, "end": START + 90 * MINUTE}
    parts = every(10, 0, HOUR), every(7, 0, 75 * MINUTE, "other"), every(7, 75 * MINUTE, 3 * HOUR, "other")
    expected = Partition(alerts={"silences": [maintenance]}).take(*parts)
    partition = Partition(alerts={"silences": [maintenance]}).take(*parts[:2])
    partition.restart()
    assert partition.take(parts[2]).alerts == expected.alerts
    states = [each.pipeline.documents()["m"].silenced for each in (partition, expected)]
    assert states[0] == states[1]


def test_a_model_that_dies_in_its_first_day_pages_when_that_is_over() -> None:
    partition = Partition(reference={"min_span": "1d"}).take(every(10, 0, HOUR), every(60, 0, 3 * DAY, "other"))
    (early, late) = partition.alerts
    assert (early.state, early.severity) == (AlertState.FIRING, Severity.INFO)
    assert (late.state, late.severity) == (AlertState.FIRING, Severity.CRITICAL)
    assert 0 <= late.event_time - START - 2 * DAY < MINUTE


@pytest.mark.parametrize("allowed", [1100, 600_004 // 3])
def test_a_record_at_the_very_deadline_is_decided_upon_once(allowed: int) -> None:
    partition = Partition(silence={"predictions": f"{allowed}ms"})
    last = 99 * SECOND
    moments = [last + allowed, last + 3 * allowed - 1, last + 3 * allowed, last + 3 * allowed + 1]
    partition.take(every(1, 0, 100 * SECOND), [prediction(at, "other") for at in moments])
    assert [state for state, _, _ in partition.told] == ["firing", "updated"]
    assert partition.told[1][2] == last + 3 * allowed


def test_a_model_that_is_new_has_its_deadline_at_once() -> None:
    partition = Partition(silence={"predictions": "20s"}).take(every(1, 0, MINUTE), every(7, 0, HOUR, "other"))
    assert 0 <= partition.told[0][2] - (79 * SECOND) < 7 * SECOND


def test_what_may_be_silent_by_now_is_over() -> None:
    partition = Partition().take(every(10, 0, HOUR), every(7, 0, 80 * MINUTE, "other"))
    assert [state for state, _, _ in partition.told] == ["firing"]
    (model,) = partition.configuration.models
    silence = model.silence.model_copy(update={"predictions": 0})
    models = (model.model_copy(update={"silence": silence}),)
    partition.configuration = partition.configuration.model_copy(update={"models": models})
    partition.restart()
    partition.take(every(7, 80 * MINUTE, 81 * MINUTE, "other"))
    assert partition.alerts[-1].message == "Model m: predictions may pause, as the configuration says now."
    assert partition.pipeline.documents()["m"].feeds["predictions"].is_silent is False


def test_a_topic_that_is_not_waited_for_is_not_silent() -> None:
    partition = Partition().take(labelled(10, 0, HOUR))
    partition.pipeline.pass_over([LABELS])
    partition.take(every(10, HOUR, 3 * HOUR))
    partition.pipeline.pass_over([])
    partition.take([prediction(3 * HOUR)], [label(3 * HOUR, HOUR)])
    assert partition.told == []
    partition.take(every(10, 3 * HOUR + MINUTE, 4 * HOUR))
    assert [metric for _, metric, _ in partition.told] == ["labels", "labels"]


def test_silence_hides_in_no_incident_of_another_kind() -> None:
    partition = Partition()
    partition.take(every(10, 0, HOUR))
    bad = [(HOUR + n, PREDICTIONS, {"model_id": "m"}) for n in range(200)]
    records = [FileRecord(topic, 10_000 + n, json.dumps(fields).encode()) for n, (_, topic, fields) in enumerate(bad)]
    outcome = partition.pipeline.process(partition.pipeline.read(records, partition.intake), {})
    assert {alert.kind for alert in outcome.alerts} == {Kind.DATA_QUALITY}
    partition.keep(partition.pipeline.pass_time(START + 2 * HOUR))
    assert [(alert.kind, alert.state) for alert in partition.alerts] == [(Kind.SILENCE, AlertState.FIRING)]
