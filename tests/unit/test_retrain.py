"""When incidents ask for a new model, and on which records."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.drift.finding import Finding, Span, Subject
from driftline.models.drift.trail import Mark
from driftline.models.join.entry import Pending
from driftline.models.pipeline import Pipeline
from driftline.models.policy.incident import Incident, Place
from driftline.models.policy.retrain import RetrainPolicy
from driftline.models.record import FileRecord, Record
from driftline.models.watch.version_watch import Served
from driftline.schemas.alerts import AlertState, Effect, Kind, Severity, Target
from driftline.schemas.config import RetrainConfig, parse_configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS
from tests.restoring import as_stored

if TYPE_CHECKING:
    from driftline.schemas.alerts import Alert, RetrainRequest

START: Final = 1_795_406_400_000
HOUR: Final = 3_600_000
CONCEPT: Final = Subject(Kind.CONCEPT_DRIFT, Target(metric="calibration"))
ERRORS: Final = Subject(Kind.PERFORMANCE, Target(metric="accuracy"))
AMOUNT: Final = Subject(Kind.DATA_DRIFT, Target(feature="amount"))
CHANGED_AT: Final = 50  # the offset of the first prediction that is surely after the change


def new(**config: Any) -> RetrainPolicy:  # noqa: ANN401 - fields of a configuration
    return RetrainPolicy("fraud", RetrainConfig(**{"min_labels": 3, "cooldown": "6h", **config}))


def place(at: int = 0) -> Place:
    return Place(START + at, 2, {PREDICTIONS: 100, LABELS: 90}, f"t-2-{at}")


def fire(
    policy: RetrainPolicy, subject: Subject = CONCEPT, *, version: str = "1", severity: Severity = Severity.WARNING
) -> Alert:
    effect = Effect(measure="calibration", value=0.9 if severity is Severity.CRITICAL else 0.2)
    span = Span(Mark(10, START, 40, 30), Mark(20, START + 10, CHANGED_AT, 35))
    finding = Finding(subject, version, "d", 0.5, 0.3, effect, 0.1, span, "", early=severity is Severity.INFO)
    incident = Incident(f"inc-{subject.as_text()}", "fraud", subject, START)
    incident.add(finding, START)
    alert = incident.tell(AlertState.FIRING, place())
    assert alert.severity is severity
    policy.noted([(incident.incident_id, finding)])
    return alert


def join(policy: RetrainPolicy, *offsets: int, version: str = "1") -> None:
    for offset in offsets:
        policy.joined(Pending(START, offset, version, prediction=1))


def decide(policy: RetrainPolicy, at: int = 0, served: str = "1", labelled: int = 0) -> RetrainRequest | None:
    """Let it decide while versions of one letter are served."""
    versions = [
        Served(each, in_use=True, first=Mark(1, START, nth, nth), labelled=labelled) for nth, each in enumerate(served)
    ]
    return policy.decide(versions, place(at))


def test_enough_labels_after_the_change_make_a_request() -> None:
    policy = new()
    alert = fire(policy)
    join(policy, 50, 51)
    assert decide(policy) is None
    join(policy, 52)
    request = decide(policy, at=7)
    assert request is not None
    assert (request.model_id, request.model_version, request.labelled_count) == ("fraud", "1", 3)
    assert (request.reason.kinds, request.reason.incident_ids) == ([Kind.CONCEPT_DRIFT], [alert.incident_id])
    assert (request.urgency, request.event_time) == (Severity.WARNING, START + 7)
    assert request.change_point is not None
    assert (request.change_point.earliest, request.change_point.latest) == (START, START + 10)
    assert {r.topic: (r.partition, r.start, r.end) for r in request.training_data} == {
        PREDICTIONS: (2, CHANGED_AT, 100),
        LABELS: (2, 35, 90),
    }


def test_labels_of_what_was_predicted_before_the_change_do_not_count() -> None:
    policy = new()
    fire(policy)
    join(policy, 1, 49, 50, 51)
    join(policy, 60, 61, 62, version="2")
    assert decide(policy) is None
    join(policy, 99)
    assert decide(policy) is not None


@pytest.mark.parametrize("subject", [AMOUNT, CONCEPT], ids=Subject.as_text)
def test_only_configured_kinds_ask(subject: Subject) -> None:
    policy = new(on=[subject.kind], min_labels=0)
    for other in (AMOUNT, CONCEPT, ERRORS):
        fire(policy, other)
    request = decide(policy)
    assert request is not None
    assert request.reason.kinds == [subject.kind]


def test_what_is_for_information_asks_for_nothing_until_it_is_more_than_that() -> None:
    policy = new(on=["data_drift"])
    fire(policy, AMOUNT, severity=Severity.INFO)
    join(policy, *range(CHANGED_AT, CHANGED_AT + 5))
    assert decide(policy) is None
    fire(policy, AMOUNT, severity=Severity.WARNING)
    join(policy, *range(CHANGED_AT + 5, CHANGED_AT + 10))
    assert decide(policy) is not None


def test_incidents_of_one_version_share_a_request() -> None:
    policy = new()
    fire(policy)
    fire(policy, ERRORS, severity=Severity.CRITICAL)
    fire(policy)
    join(policy, 50, 51, 52)
    request = decide(policy)
    assert request is not None
    assert request.reason.kinds == [Kind.CONCEPT_DRIFT, Kind.PERFORMANCE]
    assert len(request.reason.incident_ids) == 2
    assert request.urgency is Severity.CRITICAL
    assert policy.is_idle


def test_a_request_waits_for_the_cooldown_of_the_one_before() -> None:
    policy = new(min_labels=0)
    fire(policy)
    assert decide(policy) is not None
    assert decide(policy, at=HOUR) is None
    fire(policy)
    assert decide(policy, at=6 * HOUR - 1) is None
    later = decide(policy, at=6 * HOUR)
    assert later is not None


def test_a_need_lapses_when_its_incidents_are_over() -> None:
    policy = new()
    first, second = fire(policy), fire(policy, ERRORS)
    policy.resolved([first])
    join(policy, 50, 51)
    policy.resolved([second])
    join(policy, 52, 53)
    assert decide(policy) is None
    assert policy.is_idle


def test_a_need_lapses_when_its_version_is_served_no_longer() -> None:
    policy = new()
    fire(policy)
    join(policy, 50, 51, 52)
    assert decide(policy, served="2") is None
    assert decide(policy, served="1") is None


def test_versions_that_are_served_side_by_side_do_not_take_each_others_needs() -> None:
    policy = new(cooldown="1ms")
    fire(policy, version="1")
    fire(policy, version="2")
    for offset in (50, 51):
        join(policy, offset, version="1")
        join(policy, offset, version="2")
        assert decide(policy, served="12") is None
    join(policy, 52, version="2")
    request = decide(policy, served="12")
    assert request is not None
    assert request.model_version == "2"
    join(policy, 52, version="1")
    request = decide(policy, at=9, served="12")
    assert request is not None
    assert request.model_version == "1"


def test_a_version_that_is_the_answer_to_a_request_may_ask_for_another() -> None:
    policy = new(min_labels=0)
    fire(policy)
    assert decide(policy) is not None
    fire(policy)
    fire(policy, version="2")
    request = decide(policy, at=1, served="12")
    assert request is not None
    assert request.model_version == "2"
    fire(policy, version="2")
    assert decide(policy, at=2, served="12") is None  # the old one still waits, and now the new one too
    assert decide(policy, at=6 * HOUR + 1, served="12") is not None


def test_there_are_no_more_requests_than_the_budget_has() -> None:
    policy = new(min_labels=0, cooldown="0s", budget={"requests": 2, "per": "10h"})
    made = []
    for hour in range(25):
        fire(policy)
        request = decide(policy, at=hour * HOUR)
        if request is not None:
            made.append(hour)
    assert made == [0, 1, 10, 11, 20, 21]


def test_a_version_is_replaced_by_schedule_though_nothing_has_changed() -> None:
    policy = new(schedule="2d", cooldown="1h")
    assert policy.has_schedule
    assert decide(policy, at=0) is None
    assert decide(policy, at=48 * HOUR - 1, labelled=1000) is None
    assert decide(policy, at=48 * HOUR, labelled=2) is None  # too few to train on
    request = decide(policy, at=49 * HOUR, labelled=1000)
    assert request is not None
    assert (request.reason.schedule, request.reason.kinds, request.reason.incident_ids) == ("2d", [], [])
    assert (request.urgency, request.change_point, request.labelled_count) == (Severity.INFO, None, 1000)
    assert {r.topic: (r.start, r.end) for r in request.training_data} == {PREDICTIONS: (0, 100), LABELS: (0, 90)}
    assert decide(policy, at=96 * HOUR, labelled=1000) is None  # the schedule counts from the last request
    assert decide(policy, at=97 * HOUR, labelled=1000) is not None
    assert decide(policy, at=120 * HOUR, served="12", labelled=1000) is None  # a new one is there, and it begins anew
    assert decide(policy, at=146 * HOUR, served="12", labelled=1000) is None
    request = decide(policy, at=168 * HOUR, served="12", labelled=1000)
    assert request is not None
    assert request.model_version == "2"


def test_what_the_schedule_asks_for_keeps_no_incident_waiting() -> None:
    policy = new(schedule="2d", min_labels=0)
    assert decide(policy) is None
    assert decide(policy, at=48 * HOUR) is not None
    fire(policy)
    assert decide(policy, at=49 * HOUR) is not None
    fire(policy)
    assert decide(policy, at=50 * HOUR) is None


def test_a_version_of_few_labels_does_not_keep_the_one_in_use_from_its_schedule() -> None:
    policy = new(schedule="2d")
    many, few = (Served(each, in_use=True, first=Mark(1, START, 0, 0), labelled=n) for each, n in (("1", 9), ("2", 1)))
    assert policy.decide([many, few], place()) is None
    request = policy.decide([many, few], place(48 * HOUR))
    assert request is not None
    assert request.model_version == "1"


def test_a_schedule_needs_no_incident_and_no_new_record_of_its_own() -> None:
    model = {"model_id": "m", "reference": {"events": 500}, "retrain": {"min_labels": 1000, "schedule": "1d"}}
    pipeline = Pipeline(parse_configuration({"models": [model]}), partition=0)
    requests: list[RetrainRequest] = []
    for n in range(3000):
        at = START + n * HOUR // 50
        ids = {"model_id": "m", "prediction_id": str(n), "timestamp": at}
        predicted, label = Prediction(model_version="1", prediction=n % 2, **ids), Label(label=n % 2, **ids)
        records = [Record(FileRecord(PREDICTIONS, n, b""), predicted), Record(FileRecord(LABELS, n, b""), label)]
        requests += pipeline.process(records, {}).retrain_requests
        if n in {1100, 1300}:
            again = Pipeline(parse_configuration({"models": [model]}), partition=0)
            changes = pipeline.changes()
            again.restore(changes.position)
            for model_id, snapshot in changes.snapshots.items():
                again.restore_model(model_id, snapshot)
            pipeline = again
    assert [request.reason.schedule for request in requests] == ["1d", "1d"]
    hours = [(request.event_time - START) / HOUR for request in requests]
    looked = 256 / 100  # hours between two looks; at the second of them it is known what the model is
    assert 24 + 2 * looked <= hours[0] <= 24 + 3 * looked
    assert 24 <= hours[1] - hours[0] <= 24 + looked


def test_ids_are_distinct_and_the_same_in_every_run() -> None:
    ids = []
    for at in (0, 0, 5):
        policy = new(min_labels=0)
        fire(policy)
        request = decide(policy, at=at)
        assert request is not None
        ids.append(request.retrain_id)
    assert ids[0] == ids[1] != ids[2]


def test_a_restored_policy_continues_identically() -> None:
    first, second = new(min_labels=2), new(min_labels=2)
    fire(first)
    join(first, 50, 51)
    assert decide(first, at=-6 * HOUR) is not None
    fire(first, ERRORS, severity=Severity.CRITICAL)
    join(first, 50)
    second.restore(as_stored(first.snapshot()))
    for policy in (first, second):
        join(policy, 51)
    assert decide(first, at=-1) == decide(second, at=-1) is None
    assert decide(first, at=3) == decide(second, at=3) is not None
    for policy in (first, second):
        fire(policy)
        join(policy, 50, 51)
    assert decide(first, at=HOUR) == decide(second, at=HOUR) is None
    assert decide(first, at=7 * HOUR) == decide(second, at=7 * HOUR) is not None


def test_a_need_outlasts_a_night_of_labels_without_predictions() -> None:
    model = {"model_id": "m", "reference": {"events": 500}, "retrain": {"min_labels": 2500}}
    pipeline, random = Pipeline(parse_configuration({"models": [model]}), partition=0), Random(1)
    alerts: list[Alert] = []
    requests: list[RetrainRequest] = []
    for night, errors in enumerate((0.1, 0.1, 0.4)):
        numbers = range(night * 4000, (night + 1) * 4000)
        truths = {n: random.randrange(2) for n in numbers}
        events: list[Prediction | Label] = []
        for n, truth in truths.items():
            said = 1 - truth if random.random() < errors else truth
            ids = {"model_id": "m", "prediction_id": str(n)}
            events.append(Prediction(model_version="1", timestamp=START + n, prediction=said, **ids))
        events += [Label(model_id="m", prediction_id=str(n), timestamp=START + n, label=truths[n]) for n in numbers]
        for number, event in zip([*numbers, *numbers], events, strict=True):
            topic = PREDICTIONS if isinstance(event, Prediction) else LABELS
            outcome = pipeline.process([Record(FileRecord(topic, number, b""), event)], {})
            alerts += outcome.alerts
            requests += outcome.retrain_requests
    assert {alert.kind for alert in alerts} == {Kind.PERFORMANCE}
    assert AlertState.RESOLVED not in {alert.state for alert in alerts}
    assert [request.labelled_count for request in requests] == [2500]
