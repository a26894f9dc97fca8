"""Streams of records as a partition of a running Kafka would deliver them, made from a seed.

Three models of the three tasks serve side by side, and to each happens what a pipeline is there for: changes of inputs
and of what is true, a recovery, a new version, values and whole records that are wrong, labels that are early, late,
missing, contradictory or of nobody.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Final

from driftline.models.intake import Intake
from driftline.models.record import FileRecord, Record
from driftline.schemas.config import Configuration, parse_configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

START: Final = 1_795_406_400_000
STEP: Final = 100  # milliseconds between two predictions of a model
_ODD_VALUES: Final = (math.nan, math.inf, None, "n/a", [1], {"a": 1}, 10**400, -1e300, True)
_GARBAGE: Final = (b"", b"\xff\x00", b"[1]", b'{"model_id":', b"null", b'{"a":1,"a":2}')

_WATCHED: Final = {
    "segments": ["region"],
    "reference": {"events": 120, "min_span": "0s", "label_delay": "0s"},
    "alerts": {
        "events_between_false_alarms": 1000,
        "cooldown": "20s",
        "resolve_after": 300,
        "min_effect": {"psi": 0.25},
    },
    "retrain": {"on": ["concept_drift", "performance", "data_drift"], "min_labels": 50, "cooldown": "30s"},
    "label_timeout": "30s",
    "max_pending": 60,
    "window": 300,
}
CONFIGURATION: Final[Configuration] = parse_configuration(
    {
        "models": [
            {
                "model_id": "fraud",
                **_WATCHED,
                "max_pending": 25,
                "features": {"amount": {"min": 0}},
                "fairness": {"attributes": ["region"], "metric": "selection_rate", "max_gap": 0.01},
            },
            # Pauses that are too long come at all times, and are over soon.
            {
                "model_id": "topics",
                **_WATCHED,
                "max_pending": 1000,
                "silence": {"predictions": "250ms", "labels": "2s"},
            },
            # For a while what is found in its inputs is early; and it waits until its labels have matured.
            {"model_id": "price", **_WATCHED, "reference": {"events": 120, "min_span": "30s"}},
        ],
        "max_models": 4,
        "bad_records": {"alert_share": 0.1},
    }
)


@dataclass(frozen=True)
class Sent:
    """A record before it has an offset."""

    at: int
    topic: str
    key: bytes
    value: bytes


def records(seed: int, *, predictions: int = 900) -> list[Record]:
    """Return about seven records for each of so many predictions, read and in order; every other offset is not used."""
    random = Random(seed)
    sent = [*_noise(random, predictions)]
    for model_id in ("fraud", "topics", "price"):
        sent += _service(random, model_id, predictions)
    # So late that time stands still for them: whatever checkpoints there were, the last one has every model as it ends.
    last = {"prediction_id": "last", "timestamp": START, "label": 1}
    end = START + 2 * predictions * STEP
    for model_id in ("fraud", "topics", "price", "stray0"):
        sent.append(Sent(end, LABELS, model_id.encode(), _json({"model_id": model_id, **last})))
    offsets = {PREDICTIONS: count(10, 2), LABELS: count(30, 2)}
    intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
    return [
        intake.read(FileRecord(s.topic, next(offsets[s.topic]), s.value, key=s.key))
        for s in sorted(sent, key=lambda s: s.at)
    ]


def _noise(random: Random, predictions: int) -> Iterator[Sent]:
    """Yield records of nobody: at all times a few, then for a while many; and models that are one too many."""
    for n in range(predictions):
        at = START + n * STEP
        if random.random() < (0.9 if 0.1 < n / predictions < 0.25 else 0.01):
            yield Sent(at, random.choice([PREDICTIONS, LABELS]), b"", random.choice(_GARBAGE))
        if n % 40 == 0:
            fields = {"model_id": f"stray{n % 3}", "prediction_id": f"s{n}", "timestamp": at, "label": n % 2}
            yield Sent(at, LABELS, b"stray", json.dumps(fields).encode())


def _service(random: Random, model_id: str, predictions: int) -> Iterator[Sent]:
    key = model_id.encode()
    for n in range(predictions):
        at, part = START + n * STEP + random.randrange(-150, 150), n / predictions
        if model_id == "topics" and 0.2 < part < 0.3 and random.random() < 0.5:
            yield Sent(at, PREDICTIONS, key, b'{"model_id": "topics", "prediction_id": 7}')
        prediction, label = _events(random, model_id, n, part)
        if random.random() < 0.02:  # what a retry sends once more
            yield Sent(at + random.randrange(3000), PREDICTIONS, key, _json(prediction))
        yield Sent(at, PREDICTIONS, key, _json(prediction))
        delay = random.expovariate(1 / 1500)
        if random.random() < 0.02:
            delay = -delay  # a label that is early
        fate = random.random()
        if fate > 0.04:  # or else it is missing
            yield Sent(at + int(delay), LABELS, key, _json({**label, "timestamp": at + int(delay)}))
        if fate > 0.97:
            yield Sent(at + 4000, LABELS, key, _json({**label, "label": random.choice([0, 1, "bus", 2.5])}))
        if fate > 0.99:
            yield Sent(at, LABELS, key, _json({**label, "prediction_id": f"nobody{n}"}))
        if fate < 0.01 and part < 0.5:
            yield Sent(at + 35_000, LABELS, key, _json({**label, "timestamp": at + 35_000}))


def _events(random: Random, model_id: str, n: int, part: float) -> tuple[dict[str, Any], dict[str, Any]]:
    x = random.gauss(0, 1) + (1.5 if 0.35 < part < 0.45 else 0)
    features: dict[str, Any] = {
        "amount": round(random.lognormvariate(3, 1) * (100 if 0.25 < part < 0.4 else 1), 3),
        "x": None if 0.87 < part < 0.95 and random.random() < 0.8 else x,
        "channel": random.choice("aabbccd") if part < 0.45 else random.choice("abxyz"),
        "flag": random.random() < 0.5,
        ' "odd"\n\u00e9': n % 7,
    }
    if part > 0.3:
        features["late"] = n
    if random.random() < 0.02:
        features[random.choice(list(features))] = random.choice(_ODD_VALUES)
    version = "2" if part > 0.7 or (part > 0.6 and random.random() < 0.3) else "1"
    if model_id == "topics" and 0.5 < part < 0.6:
        version = f"try {n % 6}"  # more than can be watched
    answer, truth = _answers(random, model_id, x, flipped=0.35 < part < 0.5)
    prediction = {
        "model_id": model_id,
        "model_version": version,
        "prediction_id": f"p{n}",
        "timestamp": START + n * STEP,
        **answer,
        "features": features,
        "segments": {"region": random.choice(["eu", "us"])} if n % 5 else {},
        "latency_ms": round(random.expovariate(0.1), 3),
    }
    label = {"model_id": model_id, "prediction_id": f"p{n}", "timestamp": 0, "label": truth}
    if n % 9 == 0:
        label["weight"] = 2.0
    return prediction, label


def _answers(random: Random, model_id: str, x: float, *, flipped: bool) -> tuple[dict[str, Any], Any]:
    z = 2 * x + random.gauss(0, 0.5)
    p = 1 / (1 + math.exp(-z))
    positive = (random.random() < p) is not flipped
    if model_id == "fraud":
        return {"prediction": int(p > 0.5), "score": p}, random.choice([int(positive), positive, str(int(positive))])
    if model_id == "topics":
        answer = "bus" if p > 0.6 else "car" if p > 0.3 else "van"
        probabilities = {"bus": p / 2, "car": 0.3, "van": 0.7 - p / 2}
        other = random.choice(["car", "van"])
        return {"prediction": answer, "probabilities": probabilities}, "bus" if positive else other
    return {"prediction": round(10 + 3 * z, 4)}, round(10 + 3 * z + random.gauss(0, 1) + (8 if flipped else 0), 4)


def _json(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields).encode()
