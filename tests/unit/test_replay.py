"""EventFiles in, files out: order, lines however they end, files that cannot be read, a dead letter for each reason."""

import base64
import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord, Record, Refusal
from driftline.schemas.config import Configuration
from driftline.schemas.decoding import MAX_BYTES
from driftline.schemas.errors import Reason
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS
from driftline.streams.replay import EventFiles, ReplayError, Totals, event_time, merged, outcomes, records_of, replay

PREDICTION = {"model_id": "m", "model_version": "1", "prediction_id": "p", "timestamp": 0, "prediction": 1}
LABEL = {"model_id": "m", "prediction_id": "p", "timestamp": 0, "label": 1}


def prediction(**fields: object) -> bytes:
    return json.dumps(PREDICTION | fields).encode()


def label(**fields: object) -> bytes:
    return json.dumps(LABEL | fields).encode()


class Replayed:
    """What a replay of two files has written."""

    def __init__(self, folder: Path, totals: Totals) -> None:
        self.totals = totals
        self.states: dict[str, Any] = json.loads((folder / "state.json").read_bytes())
        lines = (folder / "dead_letters.jsonl").read_bytes().splitlines()
        self.dead_letters: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def places(self) -> list[tuple[str, int]]:
        return [(letter["topic"], letter["offset"]) for letter in self.dead_letters]


@pytest.fixture
def replay_bytes(tmp_path: Path) -> Callable[..., Replayed]:
    def run(predictions: bytes = b"", labels: bytes = b"", **configured: Any) -> Replayed:  # noqa: ANN401 - any section
        files = tmp_path / "p.jsonl", tmp_path / "l.jsonl"
        for path, content in zip(files, (predictions, labels), strict=True):
            path.write_bytes(content)
        return Replayed(tmp_path / "out", replay(Configuration(**configured), EventFiles(*files), tmp_path / "out"))

    return run


# -- order ------------------------------------------------------------------------------------------------------------


def records(times: list[int | None], topic: str) -> list[Record]:
    """Events at these times; None is a record that cannot be used."""
    made: list[Record] = []
    for offset, at in enumerate(times):
        raw = FileRecord(topic, offset, b"")
        if at is None:
            made.append(Record(raw, Refusal(Reason.INVALID_JSON, "", None)))
        elif topic == PREDICTIONS:
            made.append(Record(raw, Prediction(**(PREDICTION | {"timestamp": at}))))
        else:
            made.append(Record(raw, Label(**(LABEL | {"timestamp": at}))))
    return made


def order(predictions: list[int | None], labels: list[int | None]) -> str:
    """Name the records as they are merged: p0 is the first prediction."""
    both = merged(iter(records(predictions, PREDICTIONS)), iter(records(labels, LABELS)), event_time)
    return " ".join(f"{'p' if record.raw.topic == PREDICTIONS else 'l'}{record.raw.offset}" for record in both)


@pytest.mark.parametrize(
    ("predictions", "labels", "expected"),
    [
        ([], [], ""),
        ([1, 2], [], "p0 p1"),
        ([], [1, 2], "l0 l1"),
        ([1, 3], [2, 4], "p0 l0 p1 l1"),
        ([2, 2], [2, 2], "p0 p1 l0 l1"),
        ([5, 1, 6], [2], "l0 p0 p1 p2"),  # what is out of order in its file waits for what stands before it
        ([4], [5, 1, 6], "p0 l0 l1 l2"),
        ([9, None, 9], [7, None, 8], "l0 l1 l2 p0 p1 p2"),  # a bad record goes at once, but not past its file
        ([None], [None], "p0 l0"),
        ([3], [None, 3], "l0 p0 l1"),
    ],
)
def test_the_smaller_timestamp_goes_first_and_each_file_keeps_its_order(
    predictions: list[int | None], labels: list[int | None], expected: str
) -> None:
    assert order(predictions, labels) == expected


def test_of_equal_timestamps_the_prediction_goes_first(replay_bytes: Callable[..., Replayed]) -> None:
    counts = replay_bytes(prediction(), label()).states["m"]["counts"]
    assert (counts["joined"], counts["early_labels"]) == (1, 0)


# -- lines ------------------------------------------------------------------------------------------------------------


def test_empty_files_give_empty_files(replay_bytes: Callable[..., Replayed], tmp_path: Path) -> None:
    found = replay_bytes()
    assert (found.totals, found.states) == (Totals(), {})
    names = ("alerts.jsonl", "retrain.jsonl", "dead_letters.jsonl")
    assert [(tmp_path / "out" / name).read_bytes() for name in names] == [b""] * 3


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" \r\n", b"\n\n", b"\r\n \t\r\n"])
def test_lines_end_as_on_any_system_and_the_last_one_need_not(
    replay_bytes: Callable[..., Replayed], end: bytes
) -> None:
    lines = [prediction(prediction_id=name) for name in "abc"]
    for content in (end.join(lines), end.join([*lines, b""])):
        found = replay_bytes(content)
        assert found.dead_letters == []
        assert found.states["m"]["counts"]["predictions"] == found.totals.records == 3


def test_blank_lines_are_skipped_but_numbered(replay_bytes: Callable[..., Replayed]) -> None:
    found = replay_bytes(b"\n \t\r\n" + prediction() + b"\n\noops\n\n")
    assert found.places() == [(PREDICTIONS, 4)]
    assert found.totals == Totals(records=2, dead_letters=1)
    assert found.states["m"]["next_offsets"] == {PREDICTIONS: 3}  # the bad line named no model


def padded(size: int) -> bytes:
    """A good prediction of so many bytes."""
    return prediction()[:-1].ljust(size - 1) + b"}"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_of_the_largest_size_is_read(replay_bytes: Callable[..., Replayed], end: bytes) -> None:
    assert replay_bytes(padded(MAX_BYTES) + end).dead_letters == []


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("size", [MAX_BYTES + 1, MAX_BYTES + 2, MAX_BYTES + 3, 2_000_000])
@pytest.mark.parametrize("make", [padded, lambda size: b" " * (size - 1) + b"1"], ids=["event", "blanks"])
def test_a_larger_line_is_one_dead_letter_that_holds_its_head(
    replay_bytes: Callable[..., Replayed], make: Callable[[int], bytes], size: int, end: bytes
) -> None:
    line = make(size)
    after = end + prediction(prediction_id="q") if end else b""
    found = replay_bytes(prediction() + b"\n" + line + after)
    ((place, reason, value),) = [(d["id"], d["reason"], base64.b64decode(d["value"])) for d in found.dead_letters]
    assert (place, reason) == (f"{PREDICTIONS}-0-1", "too_large")
    assert len(value) > MAX_BYTES
    assert line.startswith(value)
    assert found.states["m"]["counts"]["predictions"] == (2 if end else 1)


# -- compressed files -------------------------------------------------------------------------------------------------


def noise(lines: int) -> bytes:
    """Events that hardly compress, so that a part of the file is a part of them."""
    draw = random.Random(1)
    return b"".join(prediction(prediction_id=draw.randbytes(100).hex()) + b"\n" for _ in range(lines))


def test_gzipped_files_are_read_also_in_several_members(tmp_path: Path) -> None:
    files = tmp_path / "p.jsonl.gz", tmp_path / "L.JSONL.GZ"
    for path, line in zip(files, (prediction(), label()), strict=True):
        path.write_bytes(gzip.compress(line + b"\n") + gzip.compress(line))
    replay(Configuration(), EventFiles(*files), tmp_path)
    counts = json.loads((tmp_path / "state.json").read_bytes())["m"]["counts"]
    assert (counts["joined"], counts["duplicate_predictions"], counts["duplicate_labels"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (
            lambda packed: packed[: len(packed) // 2],
            "Compressed file ended before the end-of-stream marker was reached",
        ),
        (lambda packed: packed[:5000] + bytes(1000) + packed[6000:], "Error -3 while decompressing"),
        (lambda packed: packed[:-8] + bytes(8), "CRC check failed"),
        (lambda packed: b"{}\n" + packed, "Not a gzipped file"),
    ],
    ids=["truncated", "damaged", "checksum", "no gzip"],
)
def test_a_broken_gzip_file_is_said_to_be_so(tmp_path: Path, spoil: Callable[[bytes], bytes], why: str) -> None:
    packed, labels = tmp_path / "p.jsonl.gz", tmp_path / "l.jsonl"
    packed.write_bytes(spoil(gzip.compress(noise(1000))))
    labels.write_bytes(b"")
    with pytest.raises(ReplayError) as raised:
        replay(Configuration(), EventFiles(packed, labels), tmp_path / "out")
    assert str(raised.value).startswith(f"{packed} cannot be read beyond line ")
    assert why in str(raised.value)
    assert not (tmp_path / "out" / "state.json").exists()  # a state that is there is complete


# -- files that are not as they should be -----------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["p.jsonl", "l.jsonl"])
def test_without_both_files_nothing_is_overwritten(tmp_path: Path, missing: str) -> None:
    for name in ("p.jsonl", "l.jsonl", "alerts.jsonl", "state.json"):
        (tmp_path / name).write_text("{}")
    (tmp_path / missing).unlink()
    with pytest.raises(ReplayError) as raised:
        replay(Configuration(), EventFiles(tmp_path / "p.jsonl", tmp_path / "l.jsonl"), tmp_path)
    assert str(raised.value) == f"{tmp_path / missing} cannot be read: No such file or directory"
    assert [(tmp_path / name).read_text() for name in ("alerts.jsonl", "state.json")] == ["{}", "{}"]


def test_a_folder_is_no_file_of_events(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match="cannot be read: Is a directory"):
        replay(Configuration(), EventFiles(tmp_path, tmp_path), tmp_path / "out")


@pytest.mark.parametrize(("out", "why"), [("p.jsonl", "File exists"), ("p.jsonl/out", "Not a directory")])
def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, out: str, why: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"")
    with pytest.raises(ReplayError) as raised:
        replay(Configuration(), EventFiles(path, path), tmp_path / out)
    assert str(raised.value) == f"cannot write to {tmp_path / out}: {why}"


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"oops\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "dead_letters.jsonl").symlink_to("/dev/full")
    with pytest.raises(ReplayError, match=r"cannot write to .*/out: No space left on device"):
        replay(Configuration(), EventFiles(path, path), tmp_path / "out")
    assert not (tmp_path / "out" / "state.json").exists()


def test_the_results_of_an_earlier_replay_are_replaced(replay_bytes: Callable[..., Replayed]) -> None:
    assert len(replay_bytes(prediction(), b"oops\noops").dead_letters) == 2
    found = replay_bytes(prediction(model_id="other"))
    assert (found.dead_letters, list(found.states)) == ([], ["other"])


def test_states_are_sorted_and_unicode_is_kept(replay_bytes: Callable[..., Replayed], tmp_path: Path) -> None:
    found = replay_bytes(b"\n".join(prediction(model_id=name) for name in ("b", "ä", "a")))
    assert list(found.states) == ["a", "b", "ä"]
    assert '"ä": {' in (tmp_path / "out" / "state.json").read_text(encoding="utf-8")


def test_progress_is_told_after_every_batch(tmp_path: Path) -> None:
    path, labels = tmp_path / "p.jsonl", tmp_path / "l.jsonl"
    path.write_bytes(b"".join(prediction(prediction_id=str(n)) + b"\n" for n in range(7)) + b"oops")
    labels.write_bytes(b"")
    told: list[tuple[int, int]] = []
    totals = replay(
        Configuration(),
        EventFiles(path, labels),
        tmp_path,
        batch=3,
        progress=lambda t: told.append((t.records, t.dead_letters)),
    )
    assert told == [(3, 0), (6, 0), (8, 1)]
    assert totals == Totals(records=8, dead_letters=1)


# -- dead letters -----------------------------------------------------------------------------------------------------

LINES = {
    Reason.TOO_LARGE: prediction() + b" " * MAX_BYTES,
    Reason.TOO_DEEP: b"[[[[[[[[[",
    Reason.INVALID_JSON: b"\xff\x00oops",
    Reason.NOT_AN_OBJECT: b"[]",
    Reason.DUPLICATE_KEY: b'{"a":1,"a":1}',
    Reason.UNKNOWN_SCHEMA_VERSION: prediction(schema_version=2),
    Reason.MISSING_FIELD: b"{}",
    Reason.UNKNOWN_FIELD: prediction(colour="red"),
    Reason.WRONG_TYPE: prediction(prediction=[]),
    Reason.NON_FINITE: prediction(prediction=float("nan")),
    Reason.OUT_OF_RANGE: prediction(score=1.5),
    Reason.INVALID_TIMESTAMP: prediction(timestamp="yesterday"),
    Reason.NAIVE_TIMESTAMP: prediction(timestamp="2026-11-23T04:00:00"),
    Reason.EMPTY_NAME: prediction(model_version=""),
    Reason.NAME_TOO_LONG: prediction(prediction_id="p" * 257),
    Reason.STRING_TOO_LONG: prediction(prediction="x" * 4097),
    Reason.TOO_MANY_FEATURES: prediction(features={str(n): 0 for n in range(1001)}),
    Reason.TOO_MANY_ENTRIES: prediction(segments={str(n): 0 for n in range(101)}),
    Reason.TOO_MANY_MODELS: prediction(model_id="second"),
    Reason.TOO_MANY_ROWS: prediction(rows=10_001),
    Reason.UNEQUAL_COLUMNS: prediction(rows=2, prediction_id=["p"]),
}


def test_every_reason_is_here_but_those_that_need_a_broker_or_headers() -> None:
    assert set(Reason) - LINES.keys() == {Reason.FUTURE_TIMESTAMP, Reason.WRONG_PARTITION, Reason.INVALID_ARROW}


@pytest.mark.parametrize(("reason", "line"), LINES.items(), ids=[reason.value for reason in LINES])
def test_each_reason_has_its_dead_letter(replay_bytes: Callable[..., Replayed], reason: Reason, line: bytes) -> None:
    found = replay_bytes(prediction() + b"\n" + line + b"\n" + prediction(prediction_id="q") + b"\n", max_models=1)
    (letter,) = found.dead_letters
    assert base64.b64decode(letter.pop("value")) == line[: MAX_BYTES + 2]
    assert letter.pop("error")
    assert letter == {
        "id": f"{PREDICTIONS}-0-1",
        "reason": reason.value,
        "topic": PREDICTIONS,
        "partition": 0,
        "offset": 1,
    }
    assert found.states["m"]["counts"]["predictions"] == 2  # the good ones around it
    assert found.states["m"]["counts"]["dead_letters"] == (b'"m"' in line)


def test_a_line_may_be_a_batch(replay_bytes: Callable[..., Replayed]) -> None:
    batch = {"model_id": "m", "rows": 3, "prediction_id": ["a", "", "c"], "timestamp": [5, 6, 7]}
    predictions = json.dumps(batch | {"model_version": "1", "prediction": [1, 0, 1]}).encode() + b"\n" + prediction()
    found = replay_bytes(predictions, json.dumps(batch | {"label": [1, 1, None]}).encode())
    counts = found.states["m"]["counts"]
    assert (counts["predictions"], counts["labels"], counts["joined"], counts["dead_letters"]) == (3, 1, 1, 3)
    assert found.totals == Totals(records=3, dead_letters=3)
    assert [(letter["id"], letter["row"], letter["reason"]) for letter in found.dead_letters] == [
        (f"{LABELS}-0-0-1", 1, "empty_name"),
        (f"{LABELS}-0-0-2", 2, "missing_field"),
        (f"{PREDICTIONS}-0-0-1", 1, "empty_name"),
    ]
    value = json.loads(base64.b64decode(found.dead_letters[2]["value"]))
    assert value == PREDICTION | {"prediction_id": "", "timestamp": 6, "prediction": 0}


def test_a_batch_goes_by_the_newest_of_its_rows(replay_bytes: Callable[..., Replayed]) -> None:
    batch = {**PREDICTION, "rows": 2, "prediction_id": ["a", "b"], "timestamp": [0, 9], "prediction": [1, 1]}
    labels = [label(prediction_id="a", timestamp=8), label(prediction_id="b", timestamp=9)]
    found = replay_bytes(json.dumps(batch).encode(), b"\n".join(labels))
    assert (found.states["m"]["counts"]["early_labels"], found.states["m"]["counts"]["joined"]) == (1, 2)


def test_labels_have_dead_letters_of_their_own(replay_bytes: Callable[..., Replayed]) -> None:
    found = replay_bytes(prediction(), label(timestamp=5) + b"\n" + prediction() + b"\n" + label(label=None))
    assert found.places() == [(LABELS, 1), (LABELS, 2)]
    assert [letter["reason"] for letter in found.dead_letters] == ["missing_field", "wrong_type"]


@pytest.mark.parametrize(("good", "bad", "times"), [(95, 5, 0), (94, 6, 1), (1, 9, 1), (5, 0, 0)])
def test_many_records_that_cannot_be_used_are_told(
    replay_bytes: Callable[..., Replayed], tmp_path: Path, good: int, bad: int, times: int
) -> None:
    lines = [prediction(prediction_id=str(n)) for n in range(good)] + [prediction(score=2)] * bad
    if bad:
        lines[-1] = b"oops"  # another reason, and not the most frequent one
    told: list[str] = []
    replay_bytes(b"\n".join(lines), label()).totals.refusals.tell(told.append)
    where = f"{PREDICTIONS}-0-{good}: score: must be less than or equal to 1"
    said = f"{bad} of {good + bad} records of {PREDICTIONS} cannot be used, mostly for out_of_range, such as {where}"
    assert told == [said] * times
    told.clear()
    files = EventFiles(tmp_path / "p.jsonl", tmp_path / "l.jsonl", note=told.append)
    for read in (lambda: _read(files), lambda: list(outcomes(Pipeline(Configuration(), partition=0), files, 10))):
        read()
        assert told == [said] * times
        told.clear()


def _read(files: EventFiles) -> list[Record]:
    with records_of(files) as records:
        return list(records.checked())


def test_where_no_record_of_a_topic_can_be_used_it_is_an_error(
    replay_bytes: Callable[..., Replayed], tmp_path: Path
) -> None:
    batch = json.dumps(LABEL | {"rows": 2, "prediction_id": ["", ""], "timestamp": [0, 0], "label": [1, 1]})
    refusals = replay_bytes(b"oops\n" + prediction(), batch.encode()).totals.refusals
    told: list[str] = []
    said = (
        rf"^none of 2 records of {LABELS} can be used, mostly for empty_name, such as {LABELS}-0-0-0: prediction_id: "
    )
    with pytest.raises(ReplayError, match=said):
        refusals.tell(told.append)
    assert len(told) == 1  # of predictions
    files = EventFiles(tmp_path / "p.jsonl", tmp_path / "l.jsonl")
    with pytest.raises(ReplayError, match=said):
        _read(files)
    with pytest.raises(ReplayError, match=said):
        list(outcomes(Pipeline(Configuration(), partition=0), files, 10))


def test_a_file_has_no_broker_whose_clock_an_event_could_be_ahead_of(replay_bytes: Callable[..., Replayed]) -> None:
    assert replay_bytes(prediction(timestamp="2999-01-01T00:00:00Z")).dead_letters == []
