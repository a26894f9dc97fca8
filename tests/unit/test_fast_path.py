"""Records that seem to be common and are not: in columns and one by one they must come to the same."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from driftline.models.arena import Arena
from driftline.models.fast.book import Book
from driftline.models.intake import Intake
from driftline.models.join.joins import Joins
from driftline.models.join.payload_cache import PayloadCache
from driftline.models.pipeline import Pipeline
from driftline.models.reading import Reading
from driftline.models.record import FileRecord
from driftline.schemas.config import parse_configuration
from driftline.schemas.errors import Reason
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

ARROW = ("content-type", b"application/vnd.apache.arrow.stream")
SEGMENTS = [f"s{n}" for n in range(20)]


class Both:
    """The same records through two pipelines: in columns where they can be, and one by one."""

    def __init__(self, **of_model: Any) -> None:  # noqa: ANN401 - fields of a configuration
        model = {"model_id": "m", "reference": {"events": 200}, "window": 200, "label_timeout": "10d", **of_model}
        configuration = parse_configuration({"models": [model]})
        self.intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
        self.fast, self.slow = (Pipeline(configuration, partition=0) for _ in range(2))
        self.offsets = {PREDICTIONS: 0, LABELS: 0}
        self.number = 0
        self.in_columns = 0

    def record(self, topic: str, event: dict[str, Any] | bytes, headers: Any = ()) -> FileRecord:  # noqa: ANN401
        value = event if isinstance(event, bytes) else json.dumps(event, separators=(",", ":")).encode()
        self.offsets[topic] += 1
        return FileRecord(topic, self.offsets[topic] - 1, value, headers=headers)

    def prediction(self, prediction: object = 0, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of an event
        self.number += 1
        ids = {"model_id": "m", "model_version": "1", "prediction_id": f"p{self.number}", "timestamp": self.number}
        return {**ids, "prediction": prediction, "features": {"x": self.number % 7}, **fields}

    def label(self, prediction: dict[str, Any], label: object) -> dict[str, Any]:
        return {"model_id": "m", "prediction_id": prediction["prediction_id"], "timestamp": self.number, "label": label}

    def take(self, records: Sequence[FileRecord]) -> list[Reason]:
        """Return why records were refused, the same by both ways."""
        reading = self.fast.read(records, self.intake)
        self.in_columns += len(reading) - len(reading.alone)
        fast = self.fast.process(reading, {})
        slow = self.slow.process(Reading.read(records, self.intake, Book(Arena(), Joins()), {}), {})
        assert (fast.alerts, fast.joined, fast.dead_letters) == (slow.alerts, slow.joined, slow.dead_letters)
        return [letter.reason for letter in fast.dead_letters]

    def agree(self) -> None:
        assert self.fast.documents() == self.slow.documents()
        assert self.fast.changes() == self.slow.changes()

    def know(self, **fields: Any) -> None:  # noqa: ANN401 - fields of an event
        """Let the model be known, and its records common."""
        random = Random(1)
        for _ in range(4):
            records = []
            for _ in range(200):
                event = self.prediction(random.randrange(2), score=0.5, **fields)
                records += [
                    self.record(PREDICTIONS, event),
                    self.record(LABELS, self.label(event, random.randrange(2))),
                ]
            self.take(records)
        assert self.in_columns > 100


def test_what_no_kernel_takes_is_counted() -> None:
    both = Both()
    both.know()
    common = [both.record(PREDICTIONS, both.prediction(n % 2, score=0.5)) for n in range(50)]
    rare = both.record(PREDICTIONS, both.prediction(1, score=0.5, weight=2.0))
    outcome = both.fast.process(both.fast.read([*common[:20], rare, *common[20:]], both.intake), {})
    assert outcome.one_by_one == 1


def test_a_prediction_without_any_number_comes_back_from_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PayloadCache.__init__, "__defaults__", (0, 0))
    both = Both(challenger="none")
    both.know(features={"city": "bern"})
    waiting = both.prediction(1, score=0.5, features={"city": "bern"})
    both.take([both.record(PREDICTIONS, waiting)])
    stored = both.fast.changes().entries
    both.fast.saved()
    both.fast.needed([])
    label = both.fast.read([both.record(LABELS, both.label(waiting, 1))], both.intake)
    needed = both.fast.needed(label)
    assert len(needed) == 1
    outcome = both.fast.process(label, {field: stored[field] for field in needed})
    assert (outcome.joined, outcome.one_by_one) == (1, 0)


def test_many_segments_of_many_values_make_no_overflow() -> None:
    both = Both(segments=SEGMENTS)
    both.know(segments=dict.fromkeys(SEGMENTS, "a"))
    rows = range(10)
    batch = both.prediction(
        rows=10,
        prediction=[0] * 10,
        prediction_id=[f"q{n}" for n in rows],
        score=[0.5] * 10,
        features={"x": [1] * 10},
        segments={name: [f"v{n}" for n in rows] for name in SEGMENTS},
    )
    before = both.in_columns
    assert both.take([both.record(PREDICTIONS, batch)]) == []
    assert both.in_columns == before + 10
    both.agree()


def test_a_foreign_segment_that_is_null_is_none() -> None:
    both = Both(segments=["a", "b"])
    both.know(segments={"a": "1", "b": "2"})
    batch = both.prediction(
        rows=2,
        prediction=[0, 1],
        prediction_id=["q1", "q2"],
        features={"x": [1, 2]},
        segments={"b": ["1", "2"], "a": ["3", "4"], "c": ["z", None]},
    )
    both.take([both.record(PREDICTIONS, batch)])
    both.agree()


def test_what_waits_since_before_a_model_was_known_anew_is_counted_with_what_it_is_now() -> None:
    both, random = Both(segments=["region"]), Random(1)

    def sent(value: str, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of an event
        return both.prediction(value, segments={"region": random.choice(["eu", "us"])}, **fields)

    def pairs(count: int, value: str) -> None:
        records = []
        for _ in range(count):
            event = sent(value)
            records += [both.record(PREDICTIONS, event), both.record(LABELS, both.label(event, value))]
        both.take(records)

    for _ in range(28):
        pairs(200, "a")  # one class alone, so that the other is given a name
    waiting = [sent(random.choice("ab")) for _ in range(120)]
    both.take([both.record(PREDICTIONS, event) for event in waiting])
    pairs(51, "b")
    for _ in range(5):
        records = []
        for _ in range(300):
            value = random.choice("ab")
            event = sent(value, score=0.7 if value == "b" else 0.3)
            records += [both.record(PREDICTIONS, event), both.record(LABELS, both.label(event, value))]
        both.take(records)
    both.take([both.record(LABELS, both.label(event, event["prediction"])) for event in waiting])
    (document,) = both.fast.documents().values()
    assert document.reference["restarts"] == 1
    both.agree()


def test_the_version_is_still_the_newest_when_a_model_is_known_anew() -> None:
    both = Both()

    def pairs(count: int, version: str) -> None:
        records = []
        for _ in range(count):
            event = both.prediction("a", model_version=version)
            records += [both.record(PREDICTIONS, event), both.record(LABELS, both.label(event, "a"))]
        both.take(records)

    for _ in range(28):
        pairs(200, "1")
    for _ in range(3):
        pairs(200, "2")
    odd = [both.prediction("b") for _ in range(60)]
    both.take([both.record(PREDICTIONS, event) for event in odd])
    for version in ("1", "2"):
        both.take([both.record(PREDICTIONS, both.prediction("a", model_version=version))])
    both.take([both.record(LABELS, both.label(event, "b")) for event in odd])
    (document,) = both.fast.documents().values()
    assert document.model_version == "2"
    both.agree()


def test_arrow_that_is_the_text_of_an_event_is_refused() -> None:
    both = Both()
    both.know()
    assert both.take([both.record(PREDICTIONS, both.prediction(0, score=0.5), [ARROW])]) == [Reason.INVALID_ARROW]
    both.agree()


def test_a_record_that_is_too_large_is_refused_whatever_it_is_filled_with() -> None:
    both = Both()
    both.know()
    value = json.dumps(both.prediction(0, score=0.5, features={"x": 0.5}), separators=(",", ":")).encode()
    assert both.take([both.record(PREDICTIONS, value.replace(b'"x":0.5', b'"x":0.' + b"0" * 1_000_001))]) == [
        Reason.TOO_LARGE
    ]
    both.agree()


def test_a_negative_zero_stays_one() -> None:
    both = Both(classes=[0.0, 1.0])
    both.know()
    for value in (0.0, -0.0, 0.0, -0.0):
        both.take([both.record(PREDICTIONS, both.prediction(value, score=0.5))])
    ids = [f"q{n}" for n in range(3)]
    batch = both.prediction([0.0, -0.0, 1.0], rows=3, prediction_id=ids, score=[0.5] * 3, features={"x": [1, 2, 3]})
    both.take([both.record(PREDICTIONS, batch)])
    both.agree()


@pytest.mark.parametrize("odd", [1, 2, 3, 8])
def test_rows_of_a_batch_that_no_kernel_reads_are_read_one_by_one(odd: int) -> None:
    both = Both(challenger="none")
    both.know()
    for _ in range(5):
        ids = [f"q{both.number}-{n}" for n in range(8)]
        values = ["text" if n < odd else n for n in range(8)]  # of a number: what it is, each is told by itself
        batch = both.prediction([0] * 8, rows=8, prediction_id=ids, score=[0.5] * 8, features={"x": values})
        both.take([both.record(PREDICTIONS, batch)])
        labels = {"model_id": "m", "rows": 8, "prediction_id": ids, "timestamp": both.number, "label": [0, 1] * 4}
        both.take([both.record(LABELS, labels)])
    both.agree()


def test_many_models_with_features_of_their_own_are_all_read_into_columns() -> None:
    names = [f"m{n}" for n in range(20)]
    models = [{"model_id": name, "reference": {"events": 200}} for name in names]
    pipeline = Pipeline(parse_configuration({"models": models}), partition=0)
    intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
    offset, alone = 0, 0
    for round_ in range(600):
        records = []
        for name in names:
            ids = {"model_id": name, "model_version": "1", "prediction_id": str(offset), "timestamp": offset}
            event = {**ids, "prediction": offset % 2, "score": 0.5, "features": {f"{name}x": 1.5, f"{name}y": 2}}
            records.append(FileRecord(PREDICTIONS, offset, json.dumps(event).encode()))
            offset += 1
        reading = pipeline.read(records, intake)
        alone = len(reading.alone) if round_ == 599 else alone
        pipeline.process(reading, {})
    assert alone == 0


def test_what_is_learned_is_bounded() -> None:
    both = Both(segments=["a"])
    both.know(segments={"a": "1"})
    book = both.fast._book  # noqa: SLF001 - what is held cannot be seen from outside
    before = len(book._texts)  # noqa: SLF001 - as above
    for n in range(50):
        long = both.prediction(0, score=0.5, segments={"a": "1", "foreign": f"{n}" * 2000})
        both.take([both.record(PREDICTIONS, long)])
    assert len(book._texts) == before  # noqa: SLF001 - as above
    shapes = len(book._shapes)  # noqa: SLF001 - as above
    for _ in range(20):
        event = both.prediction(0, score=0.5, segments={"a": "1"})
        weighted = {**both.label(event, 1), "weight": 2}
        more = [both.prediction(0, score=0.5, segments={"a": "1"}) for _ in range(5)]
        both.take([both.record(PREDICTIONS, event), both.record(LABELS, weighted)])
        both.take([both.record(PREDICTIONS, other) for other in more])
    assert len(book._shapes) == shapes  # noqa: SLF001 - as above
    both.agree()


def test_a_replay_keeps_no_account_of_what_it_will_never_write() -> None:
    both = Both(max_pending=10)
    both.know()
    for _ in range(5):
        both.know()
        both.fast.discard_changes()
    arrays = both.fast._joins.table.arrays  # noqa: SLF001 - what is held cannot be seen from outside
    assert max(len(arrays.notes), len(arrays.changes)) <= 16_384
