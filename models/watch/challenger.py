"""An online model that learns beside the served one, and so tells what could be had from the same features.

A logistic or least-squares regression of scaled inputs, as River has them. It predicts when a prediction is served and
learns when its label comes, so its figures are prequential: every pair is predicted before it is learned from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.bank import Bank
from driftline.models.kernels.linear_model import LINEAR_MODEL, MOST_INPUTS, learn_at, predict_at, scale_at
from driftline.schemas.config import Task
from driftline.schemas.river import Challenger as ChallengerKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_LEARNING_RATE: Final = 0.01
_STEP: Final = 0.2
"""Learning rate times number of inputs stays below this, or least squares diverges."""

_TARGET: Final = "y"


class OnlineModel:
    """The challenger of one model.

    Parameters
    ----------
    kind
        ``logistic_regression`` or ``linear_regression``.
    inputs
        The names of the numeric features; those after the 100th are left out.
    since
        The number of the first prediction that it is shown. What is kept of earlier ones may be another model's.
    bank
        Where its record of type LINEAR_MODEL is, beside those of others; by default, in a bank of its own.

    Examples
    --------
    >>> model = OnlineModel(ChallengerKind.LOGISTIC_REGRESSION, inputs=["x"])
    >>> for n in range(400):
    ...     scaled = model.scale({"x": float(n % 2)})
    ...     model.learn(scaled, float(n % 2))
    >>> model.predict(model.scale({"x": 1.0})) > 0.7
    True

    """

    def __init__(
        self, kind: ChallengerKind, *, inputs: Sequence[str], since: int = 0, bank: Bank | None = None
    ) -> None:
        self.kind = kind
        self.inputs = list(inputs[:MOST_INPUTS])
        self.since = since
        self._bank = Bank(LINEAR_MODEL) if bank is None else bank
        self.index: Final = self._bank.allocate()
        self.zeros: Final = bytes(8 * len(self.inputs))  # room for the inputs of a prediction
        record = self._record
        record["logistic"] = kind is ChallengerKind.LOGISTIC_REGRESSION
        record["inputs"] = len(self.inputs)
        record["rate"] = min(_LEARNING_RATE, _STEP / max(len(self.inputs), 1))

    @property
    def _record(self) -> np.void:
        record: np.void = self._bank.rows[self.index]
        return record

    @property
    def restarts(self) -> int:
        """How often its weights diverged and it started again."""
        return int(self._record["restarts"])

    def scale(self, inputs: dict[str, float]) -> tuple[float, ...]:
        """Learn the scale of finite inputs and return them scaled, in the order of `inputs`; a missing one is 0."""
        values = np.array([inputs.get(name, 0.0) for name in self.inputs], np.float64)
        present = np.array([name in inputs for name in self.inputs], np.bool_)
        scaled = np.empty_like(values)
        scale_at(self._bank.rows, self.index, values, present, scaled)
        return tuple(scaled.tolist())

    def predict(self, scaled: Sequence[float]) -> float:
        """Return P(positive), or the expected number."""
        return predict_at(self._bank.rows, self.index, self._row(scaled))

    def learn(self, scaled: Sequence[float], outcome: float) -> None:
        """Learn from a label: 1.0 or 0.0, or a finite number."""
        learn_at(self._bank.rows, self.index, self._row(scaled), outcome)

    def _row(self, scaled: Sequence[float]) -> npt.NDArray[np.float64]:
        if len(scaled) != len(self.inputs):  # kernels do not look where an array ends
            raise ValueError(f"{len(scaled)} scaled inputs for a model of {len(self.inputs)}")
        return np.array(scaled, np.float64)

    def release(self) -> None:
        """Give the record back to the bank; the model is not used after that."""
        self._bank.free(self.index)

    def snapshot(self) -> dict[str, Any]:
        """Return plain values: weights and moments, nothing that would have to be unpickled."""
        record = self._record
        return {
            "kind": self.kind.value,
            "inputs": self.inputs,
            "since": self.since,
            "restarts": self.restarts,
            "scaler": _moments_of(self.inputs, record["moments"]),
            "target": _moments_of([_TARGET], record["target"][np.newaxis]),
            "weights": dict(zip(self.inputs, record["weights"].tolist(), strict=False)),
            "intercept": float(record["intercept"]),
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any], bank: Bank | None = None) -> OnlineModel:
        """Rebuild what `snapshot` returned."""
        kind = ChallengerKind(snapshot["kind"])
        model = cls(kind, inputs=snapshot["inputs"], since=snapshot["since"], bank=bank)
        record = model._record
        record["restarts"] = snapshot["restarts"]
        record["intercept"] = snapshot["intercept"]
        for k, name in enumerate(model.inputs):
            record["weights"][k] = snapshot["weights"].get(name, 0.0)
            record["moments"][k] = _moments_in(snapshot["scaler"], name)
        record["target"] = _moments_in(snapshot["target"], _TARGET)
        return model


_OF_TASKS: Final = {
    Task.BINARY: ChallengerKind.LOGISTIC_REGRESSION,
    Task.REGRESSION: ChallengerKind.LINEAR_REGRESSION,
    Task.MULTICLASS: ChallengerKind.NONE,
}


def choose(kind: ChallengerKind, task: Task) -> ChallengerKind:
    """Return what a configured challenger means for a task: there is none for multiclass models.

    A task that was inferred need not be the one that the challenger is for; then there is none either.
    """
    fitting = _OF_TASKS[task]
    return fitting if kind in {ChallengerKind.AUTO, fitting} else ChallengerKind.NONE


def _moments_of(names: Sequence[str], moments: npt.NDArray[np.void]) -> list[dict[str, float]]:
    """Return counts, means and variances by name, of what has been seen."""
    seen = [(name, *each.tolist()) for name, each in zip(names, moments, strict=False) if each["count"]]
    return [{each[0]: each[field] for each in seen} for field in (1, 2, 3)]


def _moments_in(snapshot: list[dict[str, float]], name: str) -> tuple[float, ...]:
    return tuple([values.get(name, 0) for values in snapshot])
