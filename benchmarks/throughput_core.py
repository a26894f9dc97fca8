"""The core of Driftline as `benchmarks.throughput` runs it: from bytes, in memory, by batches of 1,000 records.

What this calls of the project is called nowhere else in that benchmark.
"""

from __future__ import annotations

import gc
import sqlite3
import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from driftline.models.intake import Intake
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord
from driftline.schemas.config import parse_configuration
from driftline.schemas.decoding import decode
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS
from driftline.streams.lane import MOST_SNAPSHOT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.throughput_events import Event
    from driftline.models.outcome import Changes
    from driftline.schemas.state import ModelState

BATCH: Final = 1000
_BATCHES: Final = 20  # between two checkpoints

_KINDS: Final[dict[str, type[Prediction | Label]]] = {PREDICTIONS: Prediction, LABELS: Label}


def decode_all(records: Iterable[tuple[str, bytes]]) -> int:
    """Decode values by their topics; return how many there were."""
    decoded = [decode(value, _KINDS[topic]) for topic, value in records]
    return len(decoded)


class Core:
    """An intake, a pipeline, and in the place of Redis a file of what the pipeline wants kept."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.pipeline = Pipeline(parse_configuration(document), partition=0)
        self._intake = Intake(_KINDS, partitions=1)
        self._next = dict.fromkeys(_KINDS, 0)
        # In a file: what Redis would hold is no memory of a worker's.
        self._store = sqlite3.connect("", isolation_level=None)
        self._store.execute("CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")

    def feed(self, events: Iterator[Event], count: int) -> float:
        """Process the next events, with checkpoints; return the CPU seconds without those and without the store's."""
        seconds = 0.0
        for number, start in enumerate(range(0, count, BATCH), 1):
            seconds += self._take([self._raw(event) for event in islice(events, min(BATCH, count - start))])
            if number % _BATCHES == 0:
                self.checkpoint()
        return seconds

    def feed_batches(self, records: Iterable[FileRecord]) -> float:
        """Process records that hold many events, with checkpoints; return the CPU seconds as `feed` does."""
        seconds = 0.0
        for number, record in enumerate(records, 1):
            seconds += self._take([record])
            if number % _BATCHES == 0:
                self.checkpoint()
        return seconds

    def _take(self, raws: list[FileRecord]) -> float:
        began = time.process_time()
        batch = self.pipeline.read(raws, self._intake)
        needed = self.pipeline.needed(batch)
        seconds = time.process_time() - began
        found = {key: self._stored(key) for key in needed}
        began = time.process_time()
        outcome = self.pipeline.process(batch, found)
        seconds += time.process_time() - began
        if outcome.dead_letters:
            raise RuntimeError(f"an event was refused: {outcome.dead_letters[0]}")
        return seconds

    def _stored(self, key: bytes) -> bytes:
        ((value,),) = self._store.execute("SELECT value FROM entries WHERE key = ?", (key,))
        return bytes(value)

    def _raw(self, event: Event) -> FileRecord:
        topic = LABELS if event.is_label else PREDICTIONS
        offset = self._next[topic]
        self._next[topic] = offset + 1
        return FileRecord(topic, offset, event.value, timestamp=event.at)

    def checkpoint(self) -> Changes:
        """Store what has changed, of many models a part at a time, and clear up, as a worker does; return it."""
        changes = self.pipeline.changes(most_bytes=MOST_SNAPSHOT_BYTES)
        self._store.execute("BEGIN")
        self._store.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", changes.entries.items())
        self._store.executemany("DELETE FROM entries WHERE key = ?", ((key,) for key in changes.dropped))
        self._store.execute("COMMIT")
        self.pipeline.saved()
        gc.collect()
        gc.freeze()
        return changes

    def restore(self, changes: Changes, models: Iterable[tuple[str, bytes]]) -> None:
        """Go on from a checkpoint without entries, with these models and their snapshots."""
        self.pipeline.restore(changes.position)
        self._next |= self.pipeline.next_offsets
        for model_id, snapshot in models:
            self.pipeline.restore_model(model_id, snapshot)

    def state(self, model_id: str) -> ModelState:
        """Return the state document of a model."""
        return self.pipeline.documents()[model_id]
