"""The data and the model of the demo: telemetry of the space shuttle, and a classifier frozen after its training.

The data are the Statlog (Shuttle) set of the UCI repository in the form that River ships: 49,097 readings of eight
sensors, 7 % of them anomalies. The model is trained once, on the first 10,000 readings, and never learns again.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.schemas.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL_ID: Final = "shuttle"
VERSION: Final = "1"

SENSORS: Final = ("f2", "f3", "f4", "f5", "f6", "f7", "f8", "f9")
"""What the service logs. The set's `f1` is left out: it is the time of the reading."""

INPUTS: Final = ("f5", "f7", "f8", "f9")
"""What the model uses of them."""

_TRAINING: Final = 10_000


class Reading(NamedTuple):
    """One row: the sensors' values by name, and whether it was an anomaly (1) or not (0)."""

    sensors: dict[str, float]
    anomaly: int


class FrozenModel:
    """A logistic regression on scaled inputs that learns once and then only answers.

    Where a value is missing it takes the mean of its training, as many services do.
    """

    def __init__(self, readings: list[Reading]) -> None:
        from river import linear_model, preprocessing  # noqa: PLC0415 - 1.7 s that only a run of the demo should cost

        self._model: Any = preprocessing.StandardScaler() | linear_model.LogisticRegression()  # River types it loosely
        for reading in readings:
            self._model.learn_one({name: reading.sensors[name] for name in INPUTS}, bool(reading.anomaly))
        self._means = dict(self._model["StandardScaler"].means)

    def score(self, sensors: Mapping[str, float | None]) -> float:
        """Return P(anomaly)."""
        inputs = {}
        for name in INPUTS:
            value = sensors[name]
            inputs[name] = self._means[name] if value is None else value
        return float(self._model.predict_proba_one(inputs)[True])


@dataclass(frozen=True, slots=True)
class Shuttle:
    """The frozen model, and the readings that it was not trained on."""

    model: FrozenModel
    readings: list[Reading]


def load() -> Shuttle:
    """Read the data and train the model; takes about two seconds, most of them to import River.

    Raises
    ------
    UnavailableError
        If the installed River does not ship the data: versions before 0.26 do not.

    """
    from river import datasets  # noqa: PLC0415 - as above

    if not hasattr(datasets, "Shuttle"):
        raise UnavailableError("the installed River does not ship the Shuttle data: pip install 'river>=0.26'")
    rows = iter(datasets.Shuttle())
    readings = (Reading({name: sensors[name] for name in SENSORS}, int(anomaly)) for sensors, anomaly in rows)
    model = FrozenModel(list(islice(readings, _TRAINING)))
    return Shuttle(model, list(readings))
