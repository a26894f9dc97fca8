"""The events of the simulated service, in the order of event time; pure, and the same for the same seed."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from driftline.schemas.events import Label, Prediction
from driftline.streams.demo.script import (
    CONCEPT_FEATURE,
    CONCEPT_LIMIT,
    NULL_FEATURE,
    NULL_SHARE,
    UNIT_FACTOR,
    UNIT_FEATURE,
    Fault,
    incident_at,
)
from driftline.streams.demo.shuttle import MODEL_ID, VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.streams.demo.shuttle import Reading, Shuttle

MEAN_GAP_MS: Final = 50.0
"""Between two predictions, in event time: 20 a second on average, at random."""

MAX_DELAY_MS: Final = 120_000.0
"""Of a label behind its prediction."""

_MIN_DELAY_MS: Final = 10_000.0
_MEDIAN_DELAY_MS: Final = 20_000.0
_DELAY_SPREAD: Final = 0.7
_POSITIVE_FROM: Final = 0.5


class Sent(NamedTuple):
    """One event, and the fault that made it wrong, if one did; `number` is that of its prediction, from 0."""

    event: Prediction | Label
    number: int
    fault: Fault | None


@dataclass(frozen=True, slots=True, order=True)
class _Due:
    at: int
    number: int
    label: int
    is_wrong: bool

    def sent(self) -> Sent:
        event = Label(model_id=MODEL_ID, prediction_id=_id(self.number), timestamp=self.at, label=self.label)
        return Sent(event, self.number, Fault.CONCEPT_CHANGE if self.is_wrong else None)


def traffic(shuttle: Shuttle, seed: int, start: int) -> Iterator[Sent]:
    """Yield predictions and their labels for ever; the script's incidents befall the first of them.

    Parameters
    ----------
    shuttle
        The model that answers, and the readings that it is asked about.
    seed
        Of what is drawn at random: readings, gaps, label delays, and which values are lost.
    start
        Event time of the beginning, in epoch milliseconds.

    """
    random = np.random.default_rng(seed)
    due: list[_Due] = []
    at = float(start)
    for number in count():
        at += random.exponential(MEAN_GAP_MS)
        while due and due[0].at <= at:
            yield heapq.heappop(due).sent()
        reading = shuttle.readings[int(random.integers(len(shuttle.readings)))]
        sensors, fault = _logged(reading, number, random)
        score = shuttle.model.score(sensors)
        yield Sent(
            Prediction(
                model_id=MODEL_ID,
                model_version=VERSION,
                prediction_id=_id(number),
                timestamp=int(at),
                prediction=int(score >= _POSITIVE_FROM),
                score=score,
                features=sensors,
            ),
            number,
            fault,
        )
        delay = _MEDIAN_DELAY_MS * math.exp(_DELAY_SPREAD * random.standard_normal())
        label = _truth(reading, number)
        heapq.heappush(
            due,
            _Due(
                int(at + min(max(delay, _MIN_DELAY_MS), MAX_DELAY_MS)), number, label, is_wrong=label != reading.anomaly
            ),
        )


def _logged(reading: Reading, number: int, random: np.random.Generator) -> tuple[dict[str, float | None], Fault | None]:
    """Return the values as they reach the service, and what made them wrong."""
    sensors: dict[str, float | None] = dict(reading.sensors)
    incident = incident_at(number)
    if incident is None:
        return sensors, None
    if incident.fault is Fault.UNIT_CHANGE:
        sensors[UNIT_FEATURE] = reading.sensors[UNIT_FEATURE] * UNIT_FACTOR
        return sensors, incident.fault
    if incident.fault is Fault.NULL_STORM and random.random() < NULL_SHARE:
        sensors[NULL_FEATURE] = None
        return sensors, incident.fault
    return sensors, None


def _truth(reading: Reading, number: int) -> int:
    incident = incident_at(number)
    if incident is not None and incident.fault is Fault.CONCEPT_CHANGE:
        return int(reading.anomaly or reading.sensors[CONCEPT_FEATURE] > CONCEPT_LIMIT)
    return reading.anomaly


def _id(number: int) -> str:
    return f"reading-{number:06}"
