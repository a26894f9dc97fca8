"""Reads files of events with the standard library alone, and puts both in the order of replay."""

import json
import math
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_MODEL = re.compile(r'"model_id":"([^"]+)"')
_REQUIRED = {"model_id", "prediction_id", "timestamp"}
_OPTIONAL = {"score", "probabilities", "features", "segments", "latency_ms", "weight"}


class Predicted(NamedTuple):
    """A prediction; `odd` says what is wrong with the values of features, by feature."""

    model: str
    name: str
    at: int
    offset: int
    version: str
    answer: Any
    score: float | None
    probabilities: dict[str, float] | None
    region: str | None
    latency: float | None
    odd: dict[str, str]


class Labelled(NamedTuple):
    model: str
    name: str
    at: int
    offset: int
    answer: Any
    weight: float


class Bad(NamedTuple):
    """A record that cannot be used, and the model that it names."""

    model: str | None
    offset: int
    is_label: bool


Ranges = dict[str, tuple[float, float]]
"""By feature: the smallest and the largest value that are in order."""


def read(predictions: Path, labels: Path, ranges: Ranges) -> Iterator[Predicted | Labelled | Bad]:
    """Yield the records of both files in the order of replay."""
    records: list[Predicted | Labelled | Bad] = list(_predictions(predictions, ranges))
    reached = _reached(records)
    labelled: list[Predicted | Labelled | Bad] = list(_labels(labels))
    records += labelled
    # Whatever stands in a file waits for the newest moment before it in that file; at equal moments predictions go
    # first, as they stand first in `records` and the sort is stable.
    order = np.argsort(np.concatenate([reached, _reached(labelled)]), kind="stable")
    return (records[index] for index in order)


def _reached(records: list[Predicted | Labelled | Bad]) -> np.ndarray[Any, np.dtype[np.int64]]:
    times = [-1 if isinstance(record, Bad) else record.at for record in records]
    return np.maximum.accumulate(np.array(times, dtype=np.int64))


def _predictions(path: Path, ranges: Ranges) -> Iterator[Predicted | Bad]:
    for offset, text, event in _lines(path, {"model_version", "prediction"}):
        score = event.get("score")
        if not event or (score is not None and not 0 <= score <= 1):
            yield _bad(text, offset, is_label=False)
            continue
        features = event.get("features", {})
        odd = {name: problem for name in ranges if (problem := _problem(features.get(name), *ranges[name]))}
        yield Predicted(
            sys.intern(event["model_id"]),
            event["prediction_id"],
            _moment(event["timestamp"]),
            offset,
            sys.intern(event["model_version"]),
            event["prediction"],
            score,
            event.get("probabilities"),
            event.get("segments", {}).get("region"),
            event.get("latency_ms"),
            odd,
        )


def _labels(path: Path) -> Iterator[Labelled | Bad]:
    for offset, text, event in _lines(path, {"label"}):
        if not event or (isinstance(event["label"], float) and not math.isfinite(event["label"])):
            yield _bad(text, offset, is_label=True)
            continue
        model, at = sys.intern(event["model_id"]), _moment(event["timestamp"])
        yield Labelled(model, event["prediction_id"], at, offset, event["label"], event.get("weight", 1.0))


def _lines(path: Path, own: set[str]) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield the number of each line, its text and its fields; no fields if it is no event."""
    required = _REQUIRED | own
    with path.open(encoding="utf-8") as file:
        for offset, text in enumerate(file):
            try:
                event = json.loads(text)
            except ValueError:
                event = {}
            usable = required <= event.keys() <= required | _OPTIONAL
            yield offset, text, event if usable else {}


def _bad(text: str, offset: int, *, is_label: bool) -> Bad:
    found = _MODEL.search(text)
    return Bad(None if found is None else found[1], offset, is_label)


def _moment(timestamp: int | str) -> int:
    if isinstance(timestamp, int):
        return timestamp
    return round(datetime.fromisoformat(timestamp).timestamp() * 1000)


def _problem(value: Any, low: float, high: float) -> str:  # noqa: ANN401 - whatever a service writes
    match value:
        case None:
            return "missing"
        case str():
            return "wrong_type"
        case _ if not math.isfinite(value):
            return "non_finite"
        case _:
            return "" if low <= value <= high else "out_of_range"
