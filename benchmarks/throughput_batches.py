"""The same events as `benchmarks.throughput_events` has, in Arrow batches, for the core to run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from driftline.client import batches as client
from driftline.models.record import FileRecord
from driftline.schemas.batches import LabelBatch, PredictionBatch
from driftline.schemas.decoding import validate
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks.throughput_events import Event

ROWS: Final = 1000
_OWN: Final = ("model_id", "model_version")


def batched(events: Iterable[Event]) -> Iterator[FileRecord]:
    """Yield a record for each thousand predictions or labels, in the order in which it is full."""
    waiting: dict[bool, list[Event]] = {False: [], True: []}
    offsets = {PREDICTIONS: 0, LABELS: 0}
    for event in events:
        waiting[event.is_label].append(event)
        if len(waiting[event.is_label]) == ROWS:
            topic = LABELS if event.is_label else PREDICTIONS
            yield _record(topic, offsets[topic], waiting[event.is_label])
            offsets[topic] += 1
            waiting[event.is_label] = []


def _record(topic: str, offset: int, events: list[Event]) -> FileRecord:
    fields = [json.loads(event.value) for event in events]
    batch: dict[str, Any] = {name: fields[0][name] for name in _OWN if name in fields[0]}
    for name, first in fields[0].items():
        if isinstance(first, dict):
            batch[name] = {entry: [one[name][entry] for one in fields] for entry in first}
        elif name not in batch:
            batch[name] = [one[name] for one in fields]
    kind = LabelBatch if topic == LABELS else PredictionBatch
    whole: Any = validate({**batch, "rows": len(fields)}, kind)
    arrow = client._arrow(whole)  # noqa: SLF001 - the rest of it sends
    if arrow is None:
        raise RuntimeError("pyarrow is not installed")
    return FileRecord(topic, offset, arrow.value, timestamp=events[-1].at, headers=tuple(arrow.headers))
