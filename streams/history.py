"""What the events of each model in files are like: what `driftline tune` goes by."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from driftline.models.kernels.version import MOST_FEATURES
from driftline.models.wire import WireLabel, WirePrediction
from driftline.schemas.classes import class_token
from driftline.streams.replay import EventFiles, records_of

if TYPE_CHECKING:
    from driftline.schemas.fields import Scalar

_DAY: Final = 86_400_000
_MOST_KEPT: Final = 10_000  # values of a feature, of which its standard deviation is
_MOST_NAMES: Final = 1000  # labels, or categories of a feature, or values of a segment


@dataclass(slots=True)
class History:
    """The events of one model.

    Attributes
    ----------
    predictions, first, last
        How many predictions there are, and when the first and the last one were, in epoch milliseconds.
    numbers, texts, segments
        By the name of a feature or a segment, values of it, or how often it has each.
    labels
        Which labels there are, by their classes: each as it was spelled first.

    """

    predictions: int = 0
    first: int = 0
    last: int = 0
    numbers: dict[str, list[float]] = field(default_factory=dict)
    texts: dict[str, Counter[str]] = field(default_factory=dict)
    segments: dict[str, Counter[str]] = field(default_factory=dict)
    labels: dict[str, Scalar] = field(default_factory=dict)

    @property
    def per_day(self) -> float:
        """Predictions in a day of event time, on average."""
        return self.predictions * _DAY / max(self.last - self.first, 1)

    def take(self, event: WirePrediction) -> None:
        """Take a prediction."""
        self.predictions += 1
        self.last = event.timestamp
        for name, value in event.features.items():
            if type(value) is str:
                _count(self.texts, name, value)
            elif type(value) in {int, float} and math.isfinite(value):
                _keep(self.numbers, name, float(value))
        for name, value in (event.segments or {}).items():
            _count(self.segments, name, str(value))


def histories(files: EventFiles) -> dict[str, History]:
    """Return what the events of each model in files are like; labels count from the first prediction on.

    Raises
    ------
    ReplayError
        If a file cannot be read.

    """
    found: dict[str, History] = {}
    with records_of(files) as records:
        for record in records.checked():
            event = record.event
            if isinstance(event, WirePrediction):
                found.setdefault(event.model_id, History(first=event.timestamp)).take(event)
            elif isinstance(event, WireLabel) and event.model_id in found:
                labels = found[event.model_id].labels
                if len(labels) < _MOST_NAMES:
                    labels.setdefault(class_token(event.label), event.label)
    return found


def _keep(numbers: dict[str, list[float]], name: str, value: float) -> None:
    if name not in numbers and len(numbers) >= MOST_FEATURES:
        return
    kept = numbers.setdefault(name, [])
    if len(kept) < _MOST_KEPT:
        kept.append(value)


def _count(counts: dict[str, Counter[str]], name: str, value: str) -> None:
    if name not in counts and len(counts) >= MOST_FEATURES:
        return
    counted = counts.setdefault(name, Counter())
    if value in counted or len(counted) < _MOST_NAMES:
        counted[value] += 1
