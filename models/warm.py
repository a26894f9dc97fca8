"""Compiles what every event passes, before there are any: some hundred events of each task, through the pipeline."""

from __future__ import annotations

import json
from math import sin
from typing import TYPE_CHECKING, Any, Final

from driftline.models.intake import Intake
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord
from driftline.schemas.config import Configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVENTS: Final = 1200  # of each model: 200 until it is known, then a reference, and two windows of 512
_REFERENCE: Final = 100
_LABEL_AFTER: Final = 3
_TASKS: Final = ("binary", "multiclass", "regression")


def compile_kernels() -> None:
    """Run one small model of each task; what was compiled before is loaded only.

    Compiling takes about a minute of one core, and loading about two seconds.
    """
    configuration = Configuration.model_validate(
        {
            "models": [
                {"model_id": task, "task": task, "segments": ["region"], "reference": {"events": _REFERENCE}}
                for task in _TASKS
            ]
        }
    )
    intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
    pipeline = Pipeline(configuration, partition=0)
    records = [intake.read(record) for task in _TASKS for record in _records(task)]
    pipeline.process(records, {})
    changes = pipeline.changes()
    again = Pipeline(configuration, partition=0)
    again.restore(changes.position)
    for model_id, snapshot in changes.snapshots.items():
        again.restore_model(model_id, snapshot)
    again.documents()


def _records(task: str) -> Iterator[FileRecord]:
    """Yield the records of a model whose values change once; its offsets are its own, as those of a partition."""
    of_tasks: dict[str, tuple[list[Any], str]] = {
        "binary": ([0, 1], "score"),
        "multiclass": (["a", "b", "c"], "probabilities"),
        "regression": ([0.5, 1.5, 2.5], ""),
    }
    answers, scored = of_tasks[task]
    first = _TASKS.index(task) * _EVENTS
    for n in range(_EVENTS):
        shift = 3.0 if n > _EVENTS // 2 else 0.0
        score = 0.5 + 0.4 * sin(n)
        event: dict[str, Any] = {
            "model_id": task,
            "model_version": "1",
            "prediction_id": str(n),
            "timestamp": n,
            "prediction": answers[n % len(answers)],
            "features": {"x": sin(n * 7.0) + shift, "y": "ab"[n % 2]},
            "segments": {"region": "eu"},
            "latency_ms": 1.5,
        }
        if scored == "score":
            event["score"] = score
        elif scored:
            event["probabilities"] = {"a": score, "b": 1 - score}
        yield FileRecord(PREDICTIONS, first + n, json.dumps(event).encode())
        if n >= _LABEL_AFTER:
            of = n - _LABEL_AFTER
            label = answers[(of + (of % 5 == 0) + (shift > 0)) % len(answers)]
            event = {"model_id": task, "prediction_id": str(of), "timestamp": n, "label": label}
            yield FileRecord(LABELS, first + of, json.dumps(event).encode())
