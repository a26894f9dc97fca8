"""What Driftline publishes: alerts and retrain requests as JSON and as CloudEvents."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from driftline.schemas.alerts import Alert, AlertState, OffsetRange, RetrainRequest, Target, cloudevent_headers
from driftline.schemas.events import encode
from tests.examples import alert, request


def test_an_alert_is_read_as_it_was_written() -> None:
    for each in (alert(), alert(model_id=None, model_version=None), alert(target=Target(class_="1"))):
        assert Alert.model_validate_json(encode(each)) == each


def test_a_retrain_request_is_read_as_it_was_written() -> None:
    assert RetrainRequest.model_validate_json(encode(request())) == request()


def test_times_are_written_for_people_and_absent_fields_left_out() -> None:
    raw = encode(alert(model_id=None, model_version=None, target=Target(class_="1")))
    assert b'"change_point":{"earliest":"2026-11-23T04:00:00.000Z","latest":"2026-11-23T04:01:00.250Z"}' in raw
    assert b'"target":{"class":"1"}' in raw
    assert b"model_id" not in raw
    assert b"null" not in raw


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (Target(feature="amount"), "feature amount"),
        (Target(segment="region=eu"), "segment region=eu"),
        (Target(class_="1"), "class 1"),
        (Target(metric="accuracy"), "metric accuracy"),
        (Target(version="7"), "version 7"),
    ],
)
def test_a_target_is_named_as_ids_and_people_do(target: Target, text: str) -> None:
    assert target.as_text() == text


@pytest.mark.parametrize("fields", [{}, {"feature": "a", "metric": "b"}])
def test_a_target_is_exactly_one_thing(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="exactly one"):
        Target(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"statistic": math.nan},
        {"effect": {"measure": "psi", "value": math.inf}},
        {"offsets": [{"topic": "t", "partition": -1, "start": 0, "end": 0}]},
        {"offsets": [{"topic": "t", "partition": 0, "start": 2, "end": 1}]},
        {"kind": "rumour"},
        {"schema_version": 2},
        {"extra": 1},
        {"target": {"feature": "a", "extra": 1}},
    ],
)
def test_what_is_no_alert(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        alert(**fields)


def test_training_data_is_sorted() -> None:
    ranges = [
        OffsetRange(topic=topic, partition=partition, start=start, end=9)
        for topic, partition, start in (("b", 0, 0), ("a", 1, 0), ("a", 0, 5), ("a", 0, 0))
    ]
    assert request(training_data=ranges).training_data == ranges[::-1]


@pytest.mark.parametrize("state", AlertState)
def test_an_alert_is_a_cloud_event_in_binary_mode(state: AlertState) -> None:
    assert cloudevent_headers(alert(state=state)) == [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"alert-1"),
        ("ce_source", b"driftline"),
        ("ce_type", f"driftline.alert.{state}.v1".encode()),
        ("ce_time", b"2026-11-23T04:01:40.000Z"),
        ("content-type", b"application/json"),
    ]


def test_a_retrain_request_is_a_cloud_event_in_binary_mode() -> None:
    headers = dict(cloudevent_headers(request()))
    assert (headers["ce_id"], headers["ce_type"]) == (b"retrain-1", b"driftline.retrain.v1")
