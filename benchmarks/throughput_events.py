"""The events of `benchmarks.throughput`, made from a seed: every contender gets the same bytes in the same order.

One label for each prediction, which comes some 2,000 predictions later; numeric features (in one table some have eight
texts for values), three segment attributes, a calibrated score and a latency; one feature value in a hundred is null.
In one table models of other tasks answer with one of twelve classes and the probabilities of all, or with a number.
Nothing changes on the way, so nobody has an incident to deal with. Of the values there are 20,000 sets, which come
again in turn; ids and times are always new.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import count, islice
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FEATURES: Final = 10
LAG: Final = 2000
WARM_UP: Final = 25_000
"""Predictions that are not measured: the reference (10,000) is complete, and the window of pairs (10,000) is full."""

SEGMENTS: Final = {
    "region": ("eu", "us", "apac"),
    "channel": ("web", "app", "phone", "branch"),
    "tier": ("basic", "plus", "gold"),
}

_START: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z
_INTERVAL: Final = 100  # ms between two predictions
_SETS: Final = 20_000
_MISSING: Final = 0.01
_CLASSES: Final = tuple(f"class-{n}" for n in range(12))
_ACCURACY: Final = 0.8


class Event(NamedTuple):
    """A label or a prediction, its time in epoch milliseconds, and its bytes."""

    is_label: bool
    at: int
    value: bytes


@dataclass(frozen=True)
class Mix:
    """What the events are like: features, how many are categories, models and their task, and how late labels are."""

    features: int = FEATURES
    categories: int = 0
    models: int = 1
    task: str = "binary"
    lag: int = LAG

    def events(self, predictions: int) -> int:
        """Return how many events there are up to this prediction and the label that comes after it."""
        return predictions + max(0, predictions - self.lag)

    def as_json(self) -> dict[str, Any]:
        """Return the mix in numbers, with the mean size of its events."""
        sample = list(islice(stream(self), 2 * self.lag + 2000))
        sizes = {kind: [len(event.value) for event in sample if event.is_label == kind] for kind in (False, True)}
        return {
            "features": self.features,
            "segments": len(SEGMENTS),
            "labels_per_prediction": 1,
            "labels_later_by_predictions": self.lag,
            "missing_share": _MISSING,
            "prediction_bytes": round(sum(sizes[False]) / len(sizes[False])),
            "label_bytes": round(sum(sizes[True]) / len(sizes[True])),
            "predictions_not_measured": WARM_UP,
        }


def feature_names(features: int) -> list[str]:
    """Return the names of the features."""
    return [f"feature_{k:03}" for k in range(features)]


def model_name(n: int) -> str:
    """Return the name of a model."""
    return f"model-{n:04}"


def configuration(*, models: int = 1, **more: object) -> dict[str, Any]:
    """Return the document of a configuration: what is not named here, or in `more`, is the default.

    A prediction is forgotten after ten minutes, 6,000 predictions: what joining leaves behind expires while it is
    measured, as it does in a service.
    """
    of_model = {"segments": list(SEGMENTS), "label_timeout": "10m", **more}
    return {"models": [{"model_id": model_name(n), **of_model} for n in range(models)]}


def stream(mix: Mix, first: int = 0) -> Iterator[Event]:
    """Yield predictions from `first` on, each followed by the label of the one that is `lag` older; without an end."""
    sets = _sets(mix)
    models = [model_name(n).encode() for n in range(mix.models)]
    for n in count(first):
        at, model = _START + n * _INTERVAL, models[n % mix.models]
        body, _ = sets[n % _SETS]
        yield Event(
            is_label=False,
            at=at,
            value=b'{"model_id":"%s","model_version":"3","prediction_id":"%s","timestamp":%d,%s'
            % (model, _id(n), at, body),
        )
        if (labelled := n - mix.lag) >= first:
            _, truth = sets[labelled % _SETS]
            model = models[labelled % mix.models]
            yield Event(
                is_label=True,
                at=at,
                value=b'{"model_id":"%s","prediction_id":"%s","timestamp":%d,"label":%s}'
                % (model, _id(labelled), at, truth),
            )


def _id(n: int) -> bytes:
    """Return 36 characters, as a UUID has."""
    return b"%08x-7b1e-4c52-9d3a-%012x" % (n, n * 2_654_435_761 % (1 << 48))


def _sets(mix: Mix) -> list[tuple[bytes, bytes]]:
    """Return what follows the timestamp of a prediction, and its truth; the last features are the categories."""
    random = Random(f"throughput {mix.features}")
    names = feature_names(mix.features)
    return [_set(random, names, mix.features - mix.categories, mix.task) for _ in range(_SETS)]


def _set(random: Random, names: list[str], numbers: int, task: str) -> tuple[bytes, bytes]:
    drawn = [random.gauss(0, 1) for _ in names]
    score = 1 / (1 + math.exp(1 - drawn[0] + 0.8 * drawn[1]))
    # Half of the numbers have all the digits that Python writes, half have three decimals, as of prices and durations.
    written = (
        repr(k + (1 + k) * z if k % 2 else round(40 + 9 * z, 3)) if k < numbers else f'"value-{int(8 * z % 8)}"'
        for k, z in enumerate(drawn)
    )
    values = ["null" if random.random() < _MISSING else value for value in written]
    of_features = ",".join(f'"{name}":{value}' for name, value in zip(names, values, strict=True))
    of_segments = ",".join(f'"{name}":"{random.choice(choices)}"' for name, choices in SEGMENTS.items())
    answer, truth = _ANSWERS[task](random, score)
    latency = f'"latency_ms":{2 + random.expovariate(0.2):.3f}'
    body = f'{answer},"features":{{{of_features}}},"segments":{{{of_segments}}},{latency}}}'
    return body.encode(), truth.encode()


def _binary(random: Random, score: float) -> tuple[str, str]:
    return f'"prediction":{int(score >= 0.5)},"score":{score!r}', str(int(random.random() < score))  # noqa: PLR2004 - the likelier class


def _multiclass(random: Random, score: float) -> tuple[str, str]:
    answer = _CLASSES[int(score * len(_CLASSES))]
    share = (1 - _ACCURACY) / len(_CLASSES)
    told = ",".join(f'"{name}":{share + (_ACCURACY if name == answer else 0)!r}' for name in _CLASSES)
    truth = answer if random.random() < _ACCURACY else random.choice(_CLASSES)
    return f'"prediction":"{answer}","probabilities":{{{told}}}', f'"{truth}"'


def _regression(random: Random, score: float) -> tuple[str, str]:
    return f'"prediction":{100 * score!r}', repr(round(100 * score + random.gauss(0, 5), 2))


_ANSWERS: Final[dict[str, Callable[[Random, float], tuple[str, str]]]] = {
    "binary": _binary,
    "multiclass": _multiclass,
    "regression": _regression,
}
"""What is predicted, and what comes to be true, of a draw from 0 to 1."""
