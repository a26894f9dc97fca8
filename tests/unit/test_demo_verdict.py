"""The demo's judge: what it lets pass, and everything that it must not."""

from collections.abc import Sequence
from itertools import count

import pytest

from driftline.schemas.alerts import (
    Alert,
    AlertState,
    ChangePoint,
    Effect,
    Evidence,
    Kind,
    OffsetRange,
    Related,
    RetrainReason,
    RetrainRequest,
    Severity,
    Target,
)
from driftline.schemas.state import Counts, ModelState
from driftline.schemas.topics import LABELS, PREDICTIONS
from driftline.streams.demo.script import NULL_FEATURE, UNIT_FEATURE, Fault
from driftline.streams.demo.verdict import Extent, Row, judge, judge_counts

# Labels come 400 records after their predictions.
EXTENTS = {
    Fault.UNIT_CHANGE: Extent(first=3000, over=4500),
    Fault.NULL_STORM: Extent(first=6501, over=8000),
    Fault.CONCEPT_CHANGE: Extent(first=9603, over=11_600),
}
_ALERTS = count()


def alert(kind: Kind, target: Target, at: int, state: AlertState = AlertState.FIRING, *related: Related) -> Alert:
    """Return an alert that was decided after `at` predictions and 400 labels fewer."""
    found = [Related(kind=kind, target=target), *related]
    ends = {PREDICTIONS: at, LABELS: at - 400}
    return Alert(
        alert_id=f"alert-{next(_ALERTS)}",
        incident_id=f"inc-{kind}-{target.as_text()}",
        state=state,
        severity=Severity.WARNING,
        model_id="shuttle",
        kind=kind,
        detector="e_sr",
        target=target,
        statistic=1,
        threshold=1,
        effect=Effect(measure="psi", value=1),
        change_point=ChangePoint(earliest=0, latest=0),
        event_time=at,
        offsets=[OffsetRange(topic=topic, partition=0, start=0, end=end) for topic, end in ends.items()],
        evidence=[
            Evidence(
                kind=each.kind,
                target=each.target,
                detector="e_sr",
                statistic=1,
                threshold=1,
                effect=Effect(measure="psi", value=1),
                change_point=ChangePoint(earliest=0, latest=0),
                event_time=at,
            )
            for each in found
        ],
        message=f"{kind} was seen",
    )


def incident(kind: Kind, target: Target, at: int, resolved: int, *related: Related) -> list[Alert]:
    """Return the alerts of one incident; what is related has been noted by its end."""
    return [alert(kind, target, at), alert(kind, target, resolved, AlertState.RESOLVED, *related)]


def request(*alerts: Alert, labels: int) -> RetrainRequest:
    """Return a request to retrain because of alerts, made after so many labels."""
    return RetrainRequest(
        retrain_id="retrain-1",
        model_id="shuttle",
        model_version="1",
        reason=RetrainReason(kinds=[a.kind for a in alerts], incident_ids=[a.incident_id for a in alerts]),
        urgency=Severity.WARNING,
        change_point=ChangePoint(earliest=0, latest=0),
        training_data=[OffsetRange(topic=LABELS, partition=0, start=0, end=labels)],
        labelled_count=500,
        event_time=0,
    )


UNIT = incident(Kind.DATA_DRIFT, Target(feature=UNIT_FEATURE), 3056, 5400)
NULLS = incident(Kind.DATA_QUALITY, Target(feature=NULL_FEATURE), 6544, 9000)
ACCURACY = Related(kind=Kind.PERFORMANCE, target=Target(metric="accuracy"))
CALIBRATION = Related(kind=Kind.CONCEPT_DRIFT, target=Target(metric="calibration"))
CONCEPT = incident(ACCURACY.kind, ACCURACY.target, 10_300, 13_000, CALIBRATION)
ALL = [*UNIT, *NULLS, *CONCEPT]
REQUEST = request(CONCEPT[0], labels=10_600)


def complaints(alerts: Sequence[Alert], requests: Sequence[RetrainRequest] = (REQUEST,)) -> list[str]:
    """Return what the judge says against them."""
    return judge(EXTENTS, alerts, requests).complaints


def test_each_incident_caught_and_nothing_else_passes() -> None:
    verdict = judge(EXTENTS, ALL, [REQUEST])
    assert verdict.complaints == []
    assert verdict.passed
    assert verdict.rows == [
        Row(Fault.UNIT_CHANGE, f"data_drift feature {UNIT_FEATURE}", 56, 900),
        Row(Fault.NULL_STORM, f"data_quality feature {NULL_FEATURE}", 43, 1000),
        Row(Fault.CONCEPT_CHANGE, "performance metric accuracy", 297, 1000),
        Row(Fault.CONCEPT_CHANGE, "request to retrain", 997, is_request=True),
    ]


def test_alerts_arrive_in_any_order_of_incidents() -> None:
    assert complaints([*CONCEPT, *UNIT, *NULLS]) == []


def test_either_of_what_is_expected_may_lead() -> None:
    other = incident(CALIBRATION.kind, CALIBRATION.target, 10_300, 13_000, ACCURACY)
    verdict = judge(EXTENTS, [*UNIT, *NULLS, *other], [request(other[0], labels=10_600)])
    assert verdict.passed
    assert verdict.rows[2].what == "concept_drift metric calibration"


def test_what_is_expected_and_not_told_fails() -> None:
    alone = incident(ACCURACY.kind, ACCURACY.target, 10_300, 13_000)
    assert complaints([*UNIT, *NULLS, *alone]) == ["concept change: nothing says concept_drift metric calibration"]


def test_what_is_told_with_it_and_is_not_expected_fails() -> None:
    score = Related(kind=Kind.PREDICTION_DRIFT, target=Target(metric="score"))
    more = incident(Kind.DATA_DRIFT, Target(feature=UNIT_FEATURE), 3056, 5400, score)
    assert complaints([*more, *NULLS, *CONCEPT]) == ["unit change: prediction_drift metric score is told with it"]


def test_two_incidents_of_one_fault_fail() -> None:
    two = incident(CALIBRATION.kind, CALIBRATION.target, 10_400, 13_000)
    assert complaints([*ALL, *two]) == ["concept change: performance metric accuracy fired 2 times"]


def test_an_update_of_an_expected_alert_passes() -> None:
    update = alert(Kind.PERFORMANCE, Target(metric="accuracy"), 10_500, AlertState.UPDATED)
    assert complaints([*ALL, update]) == []


def test_a_missed_incident_fails() -> None:
    verdict = judge(EXTENTS, [*NULLS, *CONCEPT], [REQUEST])
    assert verdict.complaints == [f"unit change: no alert says data_drift feature {UNIT_FEATURE}"]
    assert not verdict.passed
    assert verdict.rows[0].delay is None


def test_a_wrong_target_is_a_miss_and_a_stray() -> None:
    wrong = incident(Kind.DATA_DRIFT, Target(feature="f5"), 3056, 5400)
    missed, stray = complaints([*wrong, *NULLS, *CONCEPT])
    assert missed == f"unit change: no alert says data_drift feature {UNIT_FEATURE}"
    assert stray == "stray alert: firing data_drift of feature f5 at prediction 3056: data_drift was seen"


def test_a_wrong_kind_is_a_miss_and_a_stray() -> None:
    wrong = incident(Kind.DATA_QUALITY, Target(feature=UNIT_FEATURE), 3056, 5400)
    assert len(complaints([*wrong, *NULLS, *CONCEPT])) == 2


@pytest.mark.parametrize("state", [AlertState.FIRING, AlertState.UPDATED])
def test_anything_else_that_fires_fails(state: AlertState) -> None:
    stray = alert(Kind.PREDICTION_DRIFT, Target(metric="prediction"), 7000, state)
    assert len(complaints([*ALL, stray])) == 1


@pytest.mark.parametrize("at", [2500, 3000])
def test_the_right_alert_before_its_incident_is_a_stray(at: int) -> None:
    early = alert(Kind.DATA_DRIFT, Target(feature=UNIT_FEATURE), at)
    (complaint,) = complaints([early, *ALL])
    assert complaint.startswith("stray alert: firing data_drift")


def test_the_right_alert_in_another_incident_is_a_stray() -> None:
    late = alert(Kind.DATA_DRIFT, Target(feature=UNIT_FEATURE), 7000)
    (complaint,) = complaints([*ALL, late])
    assert complaint.startswith("stray alert: firing data_drift")


def test_an_alert_that_comes_when_all_is_over_is_too_late() -> None:
    late = incident(Kind.DATA_DRIFT, Target(feature=UNIT_FEATURE), 4501, 5400)
    (complaint,) = complaints([*late, *NULLS, *CONCEPT])
    assert complaint == f"unit change: data_drift feature {UNIT_FEATURE} was found only when it was over"


def test_an_alert_that_fires_again_fails() -> None:
    again = alert(Kind.DATA_DRIFT, Target(feature=UNIT_FEATURE), 5600)
    (complaint,) = complaints([*ALL, again])
    assert complaint == f"unit change: data_drift feature {UNIT_FEATURE} fired 2 times"


def test_an_alert_that_is_not_resolved_fails() -> None:
    verdict = judge(EXTENTS, [UNIT[0], *NULLS, *CONCEPT], [REQUEST])
    assert len(verdict.complaints) == 1
    assert (verdict.rows[0].delay, verdict.rows[0].resolved) == (56, None)


def test_an_alert_that_is_resolved_in_the_next_incident_fails() -> None:
    slow = incident(Kind.DATA_DRIFT, Target(feature=UNIT_FEATURE), 3056, 6600)
    (complaint,) = complaints([*slow, *NULLS, *CONCEPT])
    assert complaint == f"unit change: data_drift feature {UNIT_FEATURE} was not resolved before the next incident"


def test_an_alert_that_is_resolved_while_the_incident_lasts_fails() -> None:
    hasty = incident(Kind.DATA_DRIFT, Target(feature=UNIT_FEATURE), 3056, 4499)
    (complaint,) = complaints([*hasty, *NULLS, *CONCEPT])
    assert complaint == f"unit change: data_drift feature {UNIT_FEATURE} was resolved while it lasted"


def test_a_missing_request_to_retrain_fails() -> None:
    verdict = judge(EXTENTS, ALL, [])
    assert verdict.complaints == ["concept change: no request to retrain followed"]
    assert verdict.rows[-1].delay is None


@pytest.mark.parametrize("causes", [[UNIT[0]], [UNIT[0], CONCEPT[0]]], ids=["another incident", "two incidents"])
def test_a_request_to_retrain_for_anything_else_fails(causes: list[Alert]) -> None:
    (complaint,) = complaints(ALL, [REQUEST, request(*causes, labels=4000)])
    assert complaint.startswith("stray request to retrain, for data_drift")


def state(**changes: int) -> ModelState:
    """Return a state that covers 200 predictions and as many labels, but for what is changed."""
    counts = dict.fromkeys(Counts.model_fields, 0) | {"predictions": 200, "labels": 200, "joined": 200} | changes
    return ModelState(
        model_id="shuttle",
        partition=0,
        task=None,
        task_inferred=False,
        classes=None,
        positive_label=None,
        model_version="1",
        watermark=0,
        next_offsets={},
        counts=Counts(**counts),
        performance={},
        challenger=None,
        label_delay={},
        serving_latency={},
        features={},
        detectors={},
        incidents=[],
        reference={},
    )


def test_every_record_counted_once_passes() -> None:
    assert judge_counts(state(), {PREDICTIONS: 200, LABELS: 200}) == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"predictions": 199}, "counted 199 predictions, not 200"),
        ({"labels": 201}, "counted 201 labels, not 200"),
        ({"joined": 198}, "counted 198 joined pairs, not 200"),
        ({"dead_letters": 1}, "counted 1 refused records, not 0"),
    ],
)
def test_a_record_that_is_lost_or_counted_twice_or_refused_fails(changes: dict[str, int], complaint: str) -> None:
    assert judge_counts(state(**changes), {PREDICTIONS: 200, LABELS: 200}) == [complaint]
