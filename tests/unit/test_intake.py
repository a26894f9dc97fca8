"""What becomes of raw records at the edge of the core."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest

from driftline.models.intake import MAX_AHEAD_MS, Intake, claimed_model
from driftline.models.record import BatchRecord, FileRecord, Record, Refusal
from driftline.models.wire import WireLabel
from driftline.schemas.batches import ARROW
from driftline.schemas.errors import Reason
from driftline.schemas.events import Label, Prediction
from driftline.schemas.partitioner import partition_of
from driftline.schemas.topics import LABELS, PREDICTIONS

KINDS: dict[str, type[Prediction | Label]] = {PREDICTIONS: Prediction, LABELS: Label}
NOW = 1_795_406_400_000


def record(timestamp: int | None = None, partition: int = 0, key: bytes | None = None, **changes: object) -> FileRecord:
    fields = {"model_id": "m", "prediction_id": "a", "timestamp": NOW, "label": 1, **changes}
    return FileRecord(LABELS, 7, json.dumps(fields).encode(), partition, timestamp, key)


def refusal_of(read: Record) -> Refusal:
    assert isinstance(read.event, Refusal)
    return read.event


def test_each_topic_has_its_event() -> None:
    intake = Intake(KINDS, partitions=None)
    assert isinstance(intake.read(record()).event, WireLabel)
    as_prediction = FileRecord(PREDICTIONS, 7, record().value)
    assert refusal_of(intake.read(as_prediction)).reason is Reason.MISSING_FIELD


@pytest.mark.parametrize(
    ("ahead", "accepted"), [(0, True), (MAX_AHEAD_MS, True), (MAX_AHEAD_MS + 1, False), (-(10**9), True)]
)
def test_an_event_may_be_five_minutes_ahead_of_the_broker(ahead: int, accepted: bool) -> None:  # noqa: FBT001 - a column
    read = Intake(KINDS, partitions=None).read(record(timestamp=NOW - ahead))
    assert isinstance(read.event, WireLabel) is accepted
    if not accepted:
        assert refusal_of(read).reason is Reason.FUTURE_TIMESTAMP


@pytest.mark.parametrize("timestamp", [None, -1])
def test_without_a_broker_time_no_event_is_too_early(timestamp: int | None) -> None:
    assert isinstance(Intake(KINDS, partitions=None).read(record(timestamp)).event, WireLabel)


def test_a_record_in_the_wrong_partition_is_refused_and_charged_to_its_model() -> None:
    intake = Intake(KINDS, partitions=8)
    right = partition_of("m", 8)
    assert isinstance(intake.read(record(partition=right)).event, WireLabel)
    for _ in range(2):  # the second time from memory
        refusal = refusal_of(intake.read(record(partition=(right + 1) % 8, key=b"wrong")))
        assert (refusal.reason, refusal.model_id) == (Reason.WRONG_PARTITION, "m")
    assert f"partition {right} of 8" in refusal.detail
    assert "murmur2_random" in refusal.detail


def test_hostile_ids_do_not_grow_what_is_remembered_of_partitions() -> None:
    intake = Intake(KINDS, partitions=1)
    for n in range(10_500):
        assert isinstance(intake.read(record(model_id=f"m{n}")).event, WireLabel)
    assert len(intake._placed) == 10_000  # noqa: SLF001 - what is held cannot be seen from outside


@pytest.mark.parametrize(
    ("key", "value", "model_id"),
    [
        (b"m", b"\xff", "m"),
        (b"m", None, "m"),
        (None, None, None),
        (None, b'{"model_id": "m", "oops', "m"),
        (b"other", b'{"model_id": "m", "oops', "m"),
        (b"m", b'{"model_id": "", "oops', "m"),
        (b"m", b'{"model_id": "a\\u0062c"', "m"),
        (None, b" " * 4096 + b'{"model_id": "m"', None),
        (b"k" * 257, b"", None),
        ("é".encode(), b"", "é"),
        (b"\xff", b"", "�"),
    ],
)
def test_a_bad_record_names_its_model_by_its_bytes_or_else_its_key(
    key: bytes | None, value: bytes | None, model_id: str | None
) -> None:
    assert claimed_model(FileRecord(LABELS, 0, value, key=key)) == model_id


def test_a_dead_letter_is_the_whole_record() -> None:
    raw = FileRecord(LABELS, 7, b"\xff", 3, 123, b"m", (("h", None),))
    read = Intake(KINDS, partitions=None).read(raw)
    letter = read.dead_letter(refusal_of(read))
    found: dict[str, Any] = {name: getattr(letter, name) for name in ("topic", "partition", "offset", "key", "value")}
    assert found == {"topic": LABELS, "partition": 3, "offset": 7, "key": b"m", "value": b"\xff"}
    assert (letter.timestamp, letter.headers, letter.reason) == (123, (("h", None),), Reason.INVALID_JSON)
    assert letter.id == read.identity == f"{LABELS}-3-7"


# -- batches ----------------------------------------------------------------------------------------------------------


def batch_record(headers: tuple[tuple[str, bytes | None], ...] = (), **fields: object) -> FileRecord:
    usual = {"model_id": "m", "rows": 3, "prediction_id": ["a", "b", "c"], "timestamp": NOW, "label": [1, 0, 1]}
    value = json.dumps(usual | fields).encode()
    return FileRecord(LABELS, 7, value, partition=0, timestamp=NOW, key=b"m", headers=headers)


def test_a_batch_is_read_as_its_rows_and_a_single_event_as_itself() -> None:
    intake = Intake(KINDS, partitions=1)
    assert isinstance(intake.read_any(record(partition=0)), Record)
    read = intake.read_any(batch_record())
    assert isinstance(read, BatchRecord)
    assert [(row.row, row.is_last, type(row.event)) for row in read.records()] == [
        (0, False, WireLabel),
        (1, False, WireLabel),
        (2, True, WireLabel),
    ]


def test_a_row_may_not_be_ahead_of_the_broker_and_the_others_count() -> None:
    times = [NOW + MAX_AHEAD_MS, NOW + MAX_AHEAD_MS + 1, -1]
    rows = list(Intake(KINDS, partitions=None).read_any(batch_record(timestamp=times)).records())
    assert isinstance(rows[0].event, WireLabel)
    assert [refusal_of(row).reason for row in rows[1:]] == [Reason.FUTURE_TIMESTAMP, Reason.OUT_OF_RANGE]
    single = {"model_id": "m", "prediction_id": "b", "timestamp": times[1], "label": 0}
    letter = rows[1].dead_letter(refusal_of(rows[1]))
    assert json.loads(letter.value or b"") == single
    alone = refusal_of(
        Intake(KINDS, partitions=None).read(FileRecord(LABELS, 7, json.dumps(single).encode(), timestamp=NOW))
    )
    assert (letter.error, letter.reason, letter.row) == (alone.detail, alone.reason, 1)


def test_a_batch_in_the_wrong_partition_is_refused_whole() -> None:
    wrong = (partition_of("m", 8) + 1) % 8
    read = Intake(KINDS, partitions=8).read_any(
        FileRecord(LABELS, 7, batch_record(label=[None] * 3).value, partition=wrong, timestamp=NOW)
    )
    assert isinstance(read, Record)
    assert refusal_of(read).reason is Reason.WRONG_PARTITION
    assert read.dead_letter(refusal_of(read)).row is None


def test_a_batch_that_cannot_be_used_is_charged_to_the_model_that_it_names() -> None:
    read = Intake(KINDS, partitions=None).read_any(batch_record(rows=2))
    assert isinstance(read, Record)
    assert (refusal_of(read).reason, refusal_of(read).model_id) == (Reason.UNEQUAL_COLUMNS, "m")
    arrow = FileRecord(LABELS, 7, b"no stream", key=b"m", headers=(("content-type", ARROW.encode()),))
    read = Intake(KINDS, partitions=None).read_any(arrow)
    assert isinstance(read, Record)
    assert (refusal_of(read).reason, refusal_of(read).model_id) == (Reason.INVALID_ARROW, "m")


def test_the_dead_letter_of_a_row_does_not_say_that_it_is_arrow() -> None:
    table = pa.table({"prediction_id": ["a", ""], "timestamp": [0, 0], "label": [1, 0]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema.with_metadata({"model_id": "m"})) as writer:
        writer.write_table(table)
    headers = (("trace", b"1"), ("Content-Type", ARROW.encode()), ("content-type", b"text/csv"))
    arrow = FileRecord(LABELS, 7, sink.getvalue().to_pybytes(), key=b"m", headers=headers)
    _, bad = Intake(KINDS, partitions=None).read_any(arrow).records()
    letter = bad.dead_letter(refusal_of(bad))
    assert letter.headers == (("trace", b"1"), ("content-type", b"text/csv"))
    assert (letter.id, letter.key) == (f"{LABELS}-0-7-1", b"m")
    assert json.loads(letter.value or b"") == {"model_id": "m", "prediction_id": "", "timestamp": 0, "label": 0}
