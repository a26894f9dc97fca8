"""What a lane saves of a batch: all of its rows, or none."""

import asyncio
import json
from typing import Any

import pytest

from driftline.models.intake import Intake
from driftline.models.record import FileRecord
from driftline.schemas.config import Configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS
from driftline.streams import turn
from driftline.streams.checkpoint import MemoryStore
from driftline.streams.lane import Lane
from driftline.streams.transport import Log

ROWS = 50


def a_lane(store: MemoryStore) -> Lane:
    intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
    return Lane(Configuration(), intake, store, 0)


def a_batch(topic: str, offset: int, **columns: list[Any]) -> FileRecord:
    ids = [f"p{n}" for n in range(ROWS)]
    fields = {"model_id": "m", "rows": ROWS, "prediction_id": ids, "timestamp": 0, **columns}
    return FileRecord(topic, offset, json.dumps(fields).encode())


def predictions(offset: int) -> FileRecord:
    fields = json.loads(a_batch(PREDICTIONS, offset, prediction=[1] * ROWS).value or b"")
    return FileRecord(PREDICTIONS, offset, json.dumps(fields | {"model_version": "1"}).encode())


async def begun(store: MemoryStore) -> Lane:
    lane = a_lane(store)
    await lane.restore({topic: Log(0, 100, None) for topic in (PREDICTIONS, LABELS)})
    return lane


async def saved(lane: Lane, store: MemoryStore) -> None:
    cut = await lane.cut()
    assert cut is not None
    await store.save(cut.checkpoint, lane.owner)
    lane.saved()


def test_a_batch_is_one_record_to_the_journal_and_has_all_of_its_rows() -> None:
    async def run() -> None:
        store = MemoryStore()
        lane = await begun(store)
        work = await lane.process([predictions(0), predictions(1), a_batch(LABELS, 0, label=[1] * ROWS)])
        assert (work.joined, work.refused) == (ROWS, [])
        assert (lane.unsaved.records, lane.unsaved.runs) == (3, [(PREDICTIONS, 2), (LABELS, 1)])
        counts = lane.pipeline.documents()["m"].counts
        assert (counts.predictions, counts.duplicate_predictions, counts.joined) == (ROWS, ROWS, ROWS)

    asyncio.run(run())


def test_labels_in_a_batch_meet_predictions_that_only_the_store_has() -> None:
    async def run() -> None:
        store = MemoryStore()
        lane = await begun(store)
        await lane.process([predictions(0)])
        await saved(lane, store)
        after = await begun(store)
        work = await after.process([a_batch(LABELS, 0, label=[1] * ROWS)])
        assert work.joined == ROWS

    asyncio.run(run())


async def interrupted(monkeypatch: pytest.MonkeyPatch) -> Lane:
    """Return a lane that was cancelled between two rows of its second record."""
    monkeypatch.setattr(turn, "LONG", -1.0)  # every few rows others have the event loop
    lane = await begun(MemoryStore())
    task = asyncio.ensure_future(lane.process([predictions(0), a_batch(LABELS, 0, label=[1] * ROWS)]))
    while lane.pipeline.next_offsets.get(LABELS, 0) == 0:  # noqa: ASYNC110 - turn by turn
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    joined = lane.pipeline.documents()["m"].counts.joined
    assert 0 < joined < ROWS
    return lane


def test_nothing_is_saved_between_two_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        lane = await interrupted(monkeypatch)
        assert lane.has_unsaved
        assert await lane.cut() is None

    asyncio.run(run())


def test_a_mutant_that_takes_each_row_for_a_whole_would_save_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        lane = await interrupted(monkeypatch)
        monkeypatch.setattr(lane, "_is_whole", True)
        cut = await lane.cut()
        assert cut is not None
        assert cut.documents["m"].next_offsets[LABELS] == 1  # and the rest of its rows would never be taken

    asyncio.run(run())
