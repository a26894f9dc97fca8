"""The demo's script: the same traffic for the same seed, and a pipeline that says what happens in it."""

import os
from collections.abc import Iterator
from itertools import islice

import pytest

from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord, Record
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS
from driftline.streams.configuration import read_configuration
from driftline.streams.demo.progress import Progress
from driftline.streams.demo.script import (
    INCIDENTS,
    NULL_FEATURE,
    NULL_SHARE,
    PREDICTIONS_IN_ALL,
    UNIT_FEATURE,
    Fault,
    incident_at,
)
from driftline.streams.demo.shuttle import INPUTS, MODEL_ID, SENSORS, Shuttle, load
from driftline.streams.demo.stage import CONFIGURATION
from driftline.streams.demo.traffic import MAX_DELAY_MS, MEAN_GAP_MS, Sent, traffic
from driftline.streams.demo.verdict import judge, judge_counts

START = 1_795_406_400_000
SEED = 1


@pytest.fixture(scope="module")
def shuttle() -> Shuttle:
    return load()


@pytest.fixture(scope="module")
def script(shuttle: Shuttle) -> list[Sent]:
    """All that is sent until the last label of the script."""
    return list(until_script_end(traffic(shuttle, SEED, START)))


def until_script_end(events: Iterator[Sent]) -> Iterator[Sent]:
    """Yield what is sent until the last label of the script."""
    progress = Progress()
    while progress.script_end is None:
        sent = next(events)
        progress.note(sent)
        yield sent


def test_the_same_seed_gives_the_same_events(shuttle: Shuttle) -> None:
    first, again, other = (list(islice(traffic(shuttle, seed, START), 1000)) for seed in (5, 5, 6))
    assert first == again
    assert first != other


def test_events_come_in_the_order_of_event_time(script: list[Sent]) -> None:
    times = [sent.event.timestamp for sent in script]
    assert times == sorted(times)


def test_the_script_ends_before_event_time_meets_the_present(script: list[Sent]) -> None:
    # What `Service` allows for, its 30 s to spare included.
    length = PREDICTIONS_IN_ALL * MEAN_GAP_MS + MAX_DELAY_MS
    assert script[-1].event.timestamp < START + length + 30_000


def test_every_label_follows_its_prediction_within_two_minutes(script: list[Sent]) -> None:
    predicted = {sent.number: sent.event.timestamp for sent in script if isinstance(sent.event, Prediction)}
    delays = [sent.event.timestamp - predicted[sent.number] for sent in script if isinstance(sent.event, Label)]
    assert len(delays) >= PREDICTIONS_IN_ALL
    assert min(delays) >= 10_000
    assert max(delays) <= MAX_DELAY_MS
    assert 18_000 < sorted(delays)[len(delays) // 2] < 22_000


def test_faults_are_where_the_script_says_and_nowhere_else(script: list[Sent]) -> None:
    for sent in script:
        incident = incident_at(sent.number)
        assert sent.fault is None or (incident is not None and sent.fault is incident.fault)
    wrong = {fault: sum(sent.fault is fault for sent in script) for fault in Fault}
    unit, nulls, concept = INCIDENTS
    assert wrong[unit.fault] == unit.end - unit.start
    assert wrong[nulls.fault] == pytest.approx(NULL_SHARE * (nulls.end - nulls.start), rel=0.1)
    assert 0.15 < wrong[concept.fault] / (concept.end - concept.start) < 0.5


def test_a_unit_change_multiplies_and_a_null_storm_empties_one_feature(script: list[Sent], shuttle: Shuttle) -> None:
    largest = max(reading.sensors[UNIT_FEATURE] for reading in shuttle.readings)
    for sent in script:
        if not isinstance(sent.event, Prediction):
            continue
        features = sent.event.features
        assert tuple(features) == SENSORS
        assert [name for name in SENSORS if features[name] is None] == [NULL_FEATURE] * (sent.fault is Fault.NULL_STORM)
        assert (features[UNIT_FEATURE] > largest) is (sent.fault is Fault.UNIT_CHANGE)


def test_the_model_is_frozen_good_and_answers_where_a_value_is_missing(shuttle: Shuttle) -> None:
    readings = shuttle.readings[:2000]
    scores = [shuttle.model.score(reading.sensors) for reading in readings]
    assert scores == [shuttle.model.score(reading.sensors) for reading in readings]
    right = sum((score >= 0.5) == bool(reading.anomaly) for score, reading in zip(scores, readings, strict=True))
    assert right / len(readings) > 0.98
    nothing = dict.fromkeys(INPUTS)
    assert 0 < shuttle.model.score(nothing) < 0.5


def test_extents_are_found_as_events_are_sent(script: list[Sent]) -> None:
    progress = Progress()
    topics = [progress.note(sent) for sent in script]
    assert progress.script_end == progress.sent == {topic: topics.count(topic) for topic in (PREDICTIONS, LABELS)}
    labels = [sent for sent in script if isinstance(sent.event, Label)]
    for incident in INCIDENTS:
        extent = progress.extents[incident.fault]
        assert extent.first is not None
        assert extent.over is not None
        assert extent.first < extent.over
    unit, _, concept = INCIDENTS
    assert (progress.extents[unit.fault].first, progress.extents[unit.fault].over) == (unit.start, unit.end)
    first = progress.extents[concept.fault].first
    assert first == next(n for n, sent in enumerate(labels) if sent.fault is not None)


def assert_each_incident_is_caught_and_nothing_else(script: list[Sent], *, batch: int) -> None:
    pipeline = Pipeline(read_configuration(CONFIGURATION), partition=0)
    progress = Progress()
    records, alerts, requests = [], [], []
    for sent in script:
        topic = PREDICTIONS if isinstance(sent.event, Prediction) else LABELS
        records.append(Record(FileRecord(topic, progress.sent[topic], b""), sent.event))
        progress.note(sent)
    for start in range(0, len(records), batch):
        outcome = pipeline.process(records[start : start + batch], found={})
        alerts += outcome.alerts
        requests += outcome.retrain_requests
    verdict = judge(progress.extents, alerts, requests)
    assert verdict.complaints == []
    assert judge_counts(pipeline.documents()[MODEL_ID], progress.sent) == []
    assert all(row.delay is not None and row.delay < 1500 for row in verdict.rows)


def test_the_pipeline_catches_each_incident_and_says_nothing_else(script: list[Sent]) -> None:
    assert_each_incident_is_caught_and_nothing_else(script, batch=1)


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="takes long: run with CI=true")
@pytest.mark.parametrize("seed", range(2, 11))
def test_so_it_is_with_other_seeds(shuttle: Shuttle, seed: int) -> None:
    assert_each_incident_is_caught_and_nothing_else(list(until_script_end(traffic(shuttle, seed, START))), batch=100)
