"""Compiles what events pass, before there are any: a thousand of each task, and what Python asks kernels for seldom."""

from __future__ import annotations

import json
from hashlib import blake2b
from math import sin
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numba.core.registry import cpu_target

from driftline.models.arena import Arena
from driftline.models.drift.streams import Streams
from driftline.models.fast.book import Book
from driftline.models.intake import Intake
from driftline.models.join.joins import Joins
from driftline.models.join.table import JoinTable
from driftline.models.kernels import frequencies, losses, ranked, residuals, shares
from driftline.models.kernels.compiled import PLACE
from driftline.models.kernels.measure import BINS, bounds
from driftline.models.kernels.stream import LEVEL_EVERY
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord
from driftline.schemas.config import Configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

TASKS: Final = ("binary", "multiclass", "regression")

_EVENTS: Final = 1200  # of each model: 200 until it is known, then a reference, and two windows of 512
_AT_ONCE: Final = 200  # fewer than leave no record for the kernels that read those of a known form
_REFERENCE: Final = 100
_LABEL_AFTER: Final = 3
_LATE: Final = 700  # from here on some have a feature more
_ANEW: Final = 1150  # and from here on they are of a new version, whose reference is not complete at the end
_WEIGHTED: Final = 50  # one label in so many has a weight


def compile_kernels(tasks: Sequence[str] = TASKS) -> None:
    """Run a small model of each task, save and restore it; what was compiled before is loaded only.

    Compiling takes 80 s of one core, and loading about two seconds.
    """
    configuration = Configuration.model_validate(
        {
            "models": [
                {"model_id": task, "task": task, "segments": ["region"], "reference": {"events": _REFERENCE}}
                for task in tasks
            ]
        }
    )
    intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
    pipeline = Pipeline(configuration, partition=0)
    records = [record for task in tasks for record in _records(task)]
    for start in range(0, len(records), _AT_ONCE):
        pipeline.process(pipeline.read(records[start : start + _AT_ONCE], intake), {})
    changes = pipeline.changes()
    again = Pipeline(configuration, partition=0)
    again.restore(changes.position)
    for model_id, snapshot in changes.snapshots.items():
        again.restore_model(model_id, snapshot)
    again.restore_entries(changes.entries.items())
    offset = len(TASKS) * _EVENTS
    last = [_label(offset + n, task, _EVENTS - 1, 1) for n, task in enumerate(tasks)]
    waited_for = again.read([*last, FileRecord(PREDICTIONS, offset, b"no event")], intake)
    again.process(waited_for, {field: changes.entries[field] for field in again.needed(waited_for)})
    again.documents()
    again.pass_time(0)
    again.is_silent(0)
    _ask_seldom()
    if (mark := _mark()) is not None:
        mark.touch()


def is_compiled() -> bool:
    """Return whether all was compiled before, for this kind of processor."""
    mark = _mark()
    return mark is not None and mark.exists()


def _mark() -> Path | None:
    """Return the file that says that all is compiled: Numba keeps the code of different processors side by side."""
    if PLACE is None:
        return None
    processor = repr(cpu_target.target_context.codegen().magic_tuple())
    return PLACE.folder / f"compiled-{blake2b(processor.encode(), digest_size=8).hexdigest()}"


def _ask_seldom() -> None:
    """Ask for what takes much traffic to come to pass; of what is empty it does nothing."""
    for bank, kernels in zip(Streams().banks, (ranked, shares, residuals, losses, frequencies), strict=False):
        record = bank.rows[bank.allocate()]
        kernels.settle(record)
        summed = np.zeros(BINS)  # of nothing: a measure of any kind
        kernels.sum_up(record, LEVEL_EVERY, summed)
        bounds(record["measure"], summed)
        bounds(record["measure"], summed, 0.0)
    Book(Arena(), Joins()).spread()
    JoinTable().let_go(np.zeros(0, np.int32), np.zeros(0, np.int64))


def _records(task: str) -> Iterator[FileRecord]:
    """Yield the records of a model whose values change once; its offsets are its own, as those of a partition.

    Those but the multiclass one have no feature that comes late, so that kernels read their records and make the rows.
    """
    of_tasks: dict[str, list[Any]] = {
        "binary": [0, 1],
        "multiclass": ["a", "b", "c"],
        "regression": [0.5, 1.5, 2.5],
    }
    answers = of_tasks[task]
    first = TASKS.index(task) * _EVENTS
    for n in range(_EVENTS):
        shift = 3.0 if n > _EVENTS // 2 else 0.0
        score = 0.5 + 0.4 * sin(n)
        features: dict[str, Any] = {"x": sin(n * 7.0) + shift, "y": "a" if shift else "ab"[n % 2]}
        if task == "multiclass" and n > _LATE:
            features["late"] = n
        event: dict[str, Any] = {
            "model_id": task,
            "model_version": "2" if task != "binary" and n >= _ANEW else "1",
            "prediction_id": str(n),
            "timestamp": n,
            "prediction": answers[n % len(answers)],
            "features": features,
            "segments": {"region": "eu"},
            "latency_ms": 1.5,
        }
        if task == "binary":
            event["score"] = score
        elif task == "multiclass":
            event["probabilities"] = {"a": score, "b": 1 - score}
        yield FileRecord(PREDICTIONS, first + n, json.dumps(event).encode())
        if n >= _LABEL_AFTER:
            of = n - _LABEL_AFTER
            yield _label(first + of, task, of, answers[(of + (of % 5 == 0) + (shift > 0)) % len(answers)])


def _label(offset: int, task: str, of: int, label: object) -> FileRecord:
    event = {"model_id": task, "prediction_id": str(of), "timestamp": of + _LABEL_AFTER, "label": label}
    if of % _WEIGHTED == 0:
        event["weight"] = 2.0
    return FileRecord(LABELS, offset, json.dumps(event).encode())
