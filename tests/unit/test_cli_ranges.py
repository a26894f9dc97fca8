"""Ranges of Kafka, as ``driftline replay`` is asked for them: what is understood, and what is refused how."""

import pytest

from driftline.schemas.alerts import OffsetRange
from driftline.schemas.errors import ConfigurationError
from driftline.schemas.topics import LABELS, PREDICTIONS
from driftline.streams.cli.ranges import range_of
from driftline.streams.replay_offsets import TimeRange
from tests.examples import alert

MIDNIGHT = 1_795_737_600_000  # 2026-11-27T00:00:00Z


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (None, None, None),
        ("0", None, TimeRange(0, None)),
        (None, str(MIDNIGHT), TimeRange(None, MIDNIGHT)),
        ("2026-11-27T00:00:00Z", "2026-11-27T00:00:00.001Z", TimeRange(MIDNIGHT, MIDNIGHT + 1)),
        ("2026-11-27t01:00:00+01:00", str(MIDNIGHT + 1), TimeRange(MIDNIGHT, MIDNIGHT + 1)),
    ],
)
def test_a_range_of_time(since: str | None, until: str | None, expected: TimeRange | None) -> None:
    assert range_of(since, until, []) == expected


def test_offsets_as_an_alert_has_them() -> None:
    ranges = [
        OffsetRange(topic=PREDICTIONS, partition=3, start=17, end=90),
        OffsetRange(topic=LABELS, partition=3, start=0, end=0),
    ]
    offsets = alert(offsets=ranges).offsets
    texts = [f"{each.topic}:{each.partition}:{each.start}-{each.end}" for each in offsets]
    assert range_of(None, None, texts) == ranges


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "must be RFC 3339, such as 2026-11-23T04:00:00.000Z"),
        ("yesterday", "must be RFC 3339, such as 2026-11-23T04:00:00.000Z"),
        ("2026-11-27", "must be RFC 3339, such as 2026-11-23T04:00:00.000Z"),
        ("2026-11-27T00:00:00", "needs an offset: Z or +01:00"),
        ("2026-02-29T00:00:00Z", "is not a moment of the calendar"),
        ("-1", "must be RFC 3339, such as 2026-11-23T04:00:00.000Z"),
        ("1.5", "must be RFC 3339, such as 2026-11-23T04:00:00.000Z"),
        ("9" * 18, "must be between 1970 and 9999; an integer counts milliseconds"),
        ("9" * 5000, "must be RFC 3339, such as 2026-11-23T04:00:00.000Z"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "must be RFC 3339, such as 2026-11-23T04:00:00.000Z"),
    ],
)
@pytest.mark.parametrize("option", ["--from", "--to"])
def test_a_time_that_cannot_be_read_is_told(option: str, text: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        range_of(text if option == "--from" else None, text if option == "--to" else None, [])
    assert str(raised.value) == f"{option} is {text!r}: {why}"


@pytest.mark.parametrize("until", ["2026-11-27T00:00:00Z", "2026-11-26T23:59:59Z"])
def test_a_range_that_ends_before_it_begins_is_refused(until: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--from must be before --to"):
        range_of("2026-11-27T00:00:00Z", until, [])


SHAPE = "must be topic:partition:start-end, such as driftline.predictions:0:120-4711, which ends with 4710"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        *((text, SHAPE) for text in ("", "120-4711", f"{PREDICTIONS}:120-4711", f"{PREDICTIONS}:0:120", f":0:{1}-{2}")),
        *(
            (f"{PREDICTIONS}:{numbers}", SHAPE)
            for numbers in ("x:1-2", "-1:1-2", "0:-1-2", "0:1-2 ", "0:1-1e3", "0:1:2")
        ),
        (f"{PREDICTIONS}:0:1-{'9' * 19}", SHAPE),
        (f"{PREDICTIONS}:0:2-1", "it ends before it starts"),
        ("driftline.alerts:0:1-2", f"the topic must be {PREDICTIONS} or {LABELS}"),
        ("predictions:0:1-2", f"the topic must be {PREDICTIONS} or {LABELS}"),
    ],
)
def test_offsets_that_cannot_be_read_are_told(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        range_of(None, None, [f"{LABELS}:0:1-2", text])
    assert str(raised.value) == f"--offsets is {text!r}: {why}"


def test_a_partition_that_is_named_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError) as raised:
        range_of(None, None, [f"{LABELS}:0:1-2", f"{LABELS}:1:1-2", f"{LABELS}:0:7-9"])
    assert str(raised.value) == f"--offsets names {LABELS}, partition 0, more than once"


def test_offsets_and_times_do_not_go_together() -> None:
    with pytest.raises(ConfigurationError, match="--offsets says where to begin and to end"):
        range_of(None, "0", [f"{LABELS}:0:1-2"])
