"""The records of one partition, from bytes to alerts and checkpoints."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from driftline.models.intake import Intake
from driftline.models.join import payload_cache
from driftline.models.outcome import Outcome
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord
from driftline.schemas.config import parse_configuration
from driftline.schemas.errors import SnapshotError
from driftline.schemas.events import Label, Prediction
from driftline.schemas.fields import MAX_EPOCH_MS
from driftline.schemas.topics import LABELS, PREDICTIONS
from tests.restoring import restore

if TYPE_CHECKING:
    from driftline.models.record import Record

START: Final = 1_795_406_400_000
CONFIGURATION: Final = parse_configuration({"models": [{"model_id": "m", "label_timeout": "60s"}], "max_models": 10})


class Files:
    """Two files of events, read as they are written."""

    def __init__(self) -> None:
        self.intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
        self.offsets = {PREDICTIONS: 0, LABELS: 0}

    def _read(self, topic: str, fields: dict[str, Any]) -> Record:
        self.offsets[topic] += 1
        return self.intake.read(FileRecord(topic, self.offsets[topic] - 1, json.dumps(fields).encode()))

    def prediction(self, prediction_id: str, at: int = 0, model_id: str = "m", **fields: Any) -> Record:  # noqa: ANN401 - fields
        ids = {"model_id": model_id, "model_version": "1", "prediction_id": prediction_id}
        return self._read(PREDICTIONS, {**ids, "timestamp": START + at, "prediction": 1, **fields})

    def label(self, prediction_id: str, at: int = 0, model_id: str = "m", label: object = 1) -> Record:
        ids = {"model_id": model_id, "prediction_id": prediction_id}
        return self._read(LABELS, {**ids, "timestamp": START + at, "label": label})

    def bad(self, model_id: str | None = None) -> Record:
        return self._read(PREDICTIONS, {} if model_id is None else {"model_id": model_id})


def new() -> tuple[Pipeline, Files]:
    return Pipeline(CONFIGURATION, partition=3), Files()


def test_the_watermark_is_of_the_partition_and_only_rises() -> None:
    pipeline, files = new()
    assert pipeline.watermark is None
    for at, expected in ((5, 5), (3, 5), (9, 9)):
        pipeline.process([files.prediction(str(at), at, model_id=f"m{at}")], {})
        assert pipeline.watermark == START + expected
    assert {document.watermark for document in pipeline.documents().values()} == {START + 9}


def test_time_of_one_model_expires_what_waits_in_another() -> None:
    pipeline, files = new()
    pipeline.process([files.prediction("a"), files.prediction("b", 60_001, model_id="other")], {})
    counts = pipeline.documents()["m"].counts
    assert (counts.pending, counts.expired) == (0, 1)


def test_offsets_are_the_first_that_are_not_in_it() -> None:
    pipeline, files = new()
    pipeline.process([files.prediction("a"), files.bad(), files.bad("m"), files.label("a")], {})
    assert pipeline.next_offsets == {PREDICTIONS: 3, LABELS: 1}
    assert pipeline.documents()["m"].next_offsets == {PREDICTIONS: 3, LABELS: 1}


def test_an_outcome_counts_pairs_and_holds_dead_letters_in_order() -> None:
    pipeline, files = new()
    batch = [files.label("early"), files.prediction("a"), files.bad()]
    batch += [files.label("a"), files.prediction("early"), files.bad("m")]
    outcome = pipeline.process(batch, {})
    assert outcome.joined == 2
    assert [letter.offset for letter in outcome.dead_letters] == [1, 3]
    assert pipeline.process(batch, {}) == Outcome()


def test_a_checkpoint_holds_what_changed_since_the_one_before() -> None:
    pipeline, files = new()
    pipeline.process([files.prediction("a", model_id="other"), files.prediction("b")], {})
    first = pipeline.changes()
    assert set(first.snapshots) == set(first.documents) == {"m", "other"}
    assert (len(first.entries), first.dropped) == (2, [])
    nothing = pipeline.changes()
    assert (nothing.snapshots, nothing.documents, nothing.entries, nothing.dropped) == ({}, {}, {}, [])
    assert nothing.position == first.position
    pipeline.process([files.prediction("c", 200_000)], {})
    second = pipeline.changes()
    assert set(second.snapshots) == {"m"}
    assert (len(second.entries), second.dropped) == (1, []), "the snapshot before may need what is over"
    pipeline.process([files.prediction("d", 200_000)], {})
    third = pipeline.changes()
    assert len(third.dropped) == 1
    assert set(third.dropped) < first.entries.keys()


def test_a_checkpoint_of_a_part_begins_with_what_is_urgent_and_what_changed_longest_ago() -> None:
    pipeline, files = new()
    pipeline.process([files.prediction("p", model_id=name) for name in ("a", "b", "c", "d")], {})
    assert list(pipeline.changes(["c"], most_bytes=1).snapshots) == ["c"]
    pipeline.process([files.prediction("q", model_id="c")], {})
    assert list(pipeline.changes([], most_models=2).snapshots) == ["a", "b"]
    assert pipeline.has_unsaved
    assert list(pipeline.changes().snapshots) == ["d", "c"]
    assert not pipeline.has_unsaved


def test_reading_begins_where_the_model_that_was_saved_longest_ago_stood() -> None:
    pipeline, files = new()
    pipeline.process([files.prediction("p", model_id="a")], {})
    pipeline.changes()
    pipeline.process([files.prediction("p", 50, model_id="b"), files.label("p", 60, model_id="a")], {})
    changes = pipeline.changes(["a"], most_models=1)
    again = Pipeline(CONFIGURATION, partition=3)
    assert restore(again, changes.position, changes.snapshots, {}, {}) == set()
    assert (again.next_offsets, again.watermark) == ({PREDICTIONS: 1}, START)


def restored(pipeline: Pipeline) -> Pipeline:
    changes = pipeline.changes()
    again = Pipeline(CONFIGURATION, partition=3)
    restore(again, changes.position, changes.snapshots, {}, changes.entries)
    return again


def test_a_restored_pipeline_says_what_the_one_before_said() -> None:
    pipeline, files = new()
    pipeline.process(
        [files.prediction("a", features={"x": 1.5}), files.label("a", 9), files.prediction("b"), files.bad()], {}
    )
    before = pipeline.documents()
    again = restored(pipeline)
    assert again.documents() == before
    assert (again.watermark, again.next_offsets) == (pipeline.watermark, pipeline.next_offsets)


def test_a_checkpoint_of_which_a_part_is_lost_is_refused() -> None:
    pipeline, files = new()
    pipeline.process([files.prediction("a")], {})
    changes = pipeline.changes()
    ((key, entry),) = changes.entries.items()
    again = Pipeline(CONFIGURATION, partition=3)
    again.restore(changes.position)
    with pytest.raises(SnapshotError, match="without a snapshot"):
        again.restore_entries([(key, entry)])
    restore(again, changes.position, changes.snapshots, {}, changes.entries)
    with pytest.raises(SnapshotError, match="lost a prediction"):
        again.process([files.label("a")], found={})


def test_what_was_stored_of_a_model_before_its_first_snapshot_is_deleted_when_it_comes_again() -> None:
    pipeline, files = new()
    first = files.prediction("a")
    pipeline.process([first], {})
    ahead = pipeline.changes(most_models=0)  # the entries of all go ahead
    assert (len(ahead.entries), ahead.snapshots) == (1, {})
    again = Pipeline(CONFIGURATION, partition=3)
    restore(again, ahead.position, {}, {}, ahead.entries)
    again.process([first, files.label("a")], {})  # joined before anything is stored anew
    assert again.changes().dropped == list(ahead.entries)


def test_payloads_stay_in_memory_until_they_are_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_cache.PayloadCache.__init__, "__defaults__", (0, 0))
    pipeline, files = new()
    pipeline.process([files.prediction("a"), files.prediction("b")], {})
    written = pipeline.changes().entries
    early, late = files.label("a"), files.label("b")
    assert (pipeline.needed([early]), pipeline.process([early], {}).joined) == (set(), 1)
    pipeline.saved()
    assert pipeline.needed([late]) < written.keys()
    assert pipeline.process([late], written).joined == 1


def test_a_damaged_snapshot_without_one_before_it_is_refused() -> None:
    pipeline, files = new()
    pipeline.process([files.prediction("a")], {})
    changes = pipeline.changes()
    damaged = changes.snapshots["m"][:-1] + b"?"
    with pytest.raises(SnapshotError, match="damaged"):
        Pipeline(CONFIGURATION, partition=3).restore_model("m", damaged)


def test_what_is_configured_is_what_a_model_is_watched_with_after_a_restart() -> None:
    pipeline, files = new()
    pipeline.process([files.prediction("a")], {})
    changes = pipeline.changes()
    shorter = Pipeline(parse_configuration({"models": [{"model_id": "m", "max_pending": 1}]}), partition=3)
    restore(shorter, changes.position, changes.snapshots, {}, changes.entries)
    shorter.process([files.prediction("b")], {})
    counts = shorter.documents()["m"].counts
    assert (counts.predictions, counts.pending, counts.evicted) == (2, 1, 1)


@pytest.mark.parametrize("label", [1, "1", True], ids=repr)
def test_the_document_of_a_model_that_is_not_known_yet_is_complete(label: object) -> None:
    pipeline, files = new()
    pipeline.process([files.prediction("a"), files.label("a", 1500, label=label)], {})
    document = pipeline.documents()["m"]
    assert (document.task, document.task_inferred, document.positive_label) == ("binary", True, "1")
    assert document.performance["accuracy"] == 1.0
    assert document.label_delay["max"] == 1.5
    assert document.partition == 3
    json.dumps(document.model_dump(mode="json"), allow_nan=False)


def test_a_reference_of_the_last_instant_that_can_be_written_leaves_a_document() -> None:
    configuration = parse_configuration({"models": [{"model_id": "m", "reference": {"events": 100}}]})
    pipeline, files = Pipeline(configuration, partition=0), Files()
    for n in range(300):
        record = files.prediction(str(n), at=MAX_EPOCH_MS - START, features={"x": float(n)})
        pipeline.process(pipeline.read([record]), {})
    assert pipeline.documents()["m"].reference["covered_at"] == "9999-12-31T23:59:59.999Z"
