"""The records of the streams of `benchmarks.detection_streams`: batches of predictions, and of labels as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import ipc

from benchmarks.detection_streams import DAY, FEATURES
from driftline.models.record import FileRecord
from driftline.schemas.batches import ARROW, CONTENT_TYPE
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.detection_streams import Chunk, Floats, Scenario

_HEADERS: Final = ((CONTENT_TYPE, ARROW.encode()),)


class Labels:
    """Labels that are still to come, in the order in which they do."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._random = np.random.default_rng(1)
        self._waiting = pa.table({"prediction_id": pa.array([], pa.string()), "timestamp": [], "label": []})
        self._waiting = self._waiting.cast(_LABELS)
        self._offset = 0

    def add(self, chunk: Chunk) -> None:
        """Take those of a chunk."""
        delays = self._scenario.delays
        takes = np.zeros(len(chunk.scores)) if delays is None else delays(chunk, self._random)
        comes = np.isfinite(takes)
        at = self._scenario.time_of(chunk.nth[comes]) + (takes[comes] * (DAY / self._scenario.per_day)).astype(np.int64)
        columns = pa.array(chunk.nth[comes]).cast(pa.string()), pa.array(at), pa.array(chunk.labels[comes])
        added = pa.table(dict(zip(_LABELS.names, columns, strict=True)))
        both = pa.concat_tables([self._waiting, added])
        self._waiting = both if delays is None else both.sort_by("timestamp")

    def until(self, at: int) -> Iterator[FileRecord]:
        """Yield the record of all that have come by a time, if any have."""
        count = int(np.searchsorted(self._waiting["timestamp"].to_numpy(), at, side="right"))
        for start in range(0, count, _MOST_ROWS):
            rows = self._waiting.slice(start, min(count - start, _MOST_ROWS)).combine_chunks().to_batches()[0]
            yield _record(LABELS, self._offset, rows, at)
            self._offset += 1
        self._waiting = self._waiting.slice(count)


_LABELS: Final = pa.schema({"prediction_id": pa.string(), "timestamp": pa.int64(), "label": pa.int64()})
_MOST_ROWS: Final = 10_000


def records(chunk: Chunk, scenario: Scenario, rows: int, labels: Labels) -> Iterator[FileRecord]:
    """Yield the records of a chunk: a batch of so many predictions, then the batch of the labels that have come."""
    at = scenario.time_of(chunk.nth)
    ids = pa.array(chunk.nth).cast(pa.string())
    predictions = pa.record_batch(
        {
            "prediction_id": ids,
            "timestamp": pa.array(at),
            "prediction": pa.array(chunk.predicted),
            "score": pa.array(chunk.scores),
            **({"segments.region": pa.array(np.char.add("r", chunk.regions.astype(str)))} if scenario.regions else {}),
            **{
                f"features.x{n}": _column(chunk.features[:, n], is_category=n < scenario.categorical)
                for n in range(FEATURES)
            },
        }
    )
    labels.add(chunk)
    for start in range(0, len(ids), rows):
        last = int(at[min(start + rows, len(at)) - 1])
        yield _record(PREDICTIONS, chunk.start + start, predictions.slice(start, rows), last)
        yield from labels.until(last)


def _column(values: Floats, *, is_category: bool) -> Any:  # noqa: ANN401 - of Arrow
    if is_category:
        return pa.array(np.char.add("c", values.astype(np.int64).astype(str)))
    return pa.array(np.ascontiguousarray(values))


def _record(topic: str, offset: int, batch: Any, at: int) -> FileRecord:  # noqa: ANN401 - of Arrow
    shared = {"model_id": "m"} | ({"model_version": "1"} if topic == PREDICTIONS else {})
    sink = pa.BufferOutputStream()
    table = batch.replace_schema_metadata(shared)
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_batch(table)
    return FileRecord(topic, offset, sink.getvalue().to_pybytes(), timestamp=at, headers=_HEADERS)
