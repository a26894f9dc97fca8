"""An online model that learns beside the served one, and so tells what could be had from the same features.

River's StandardScaler and LogisticRegression or LinearRegression. It predicts when a prediction is served and learns
when its label comes, so its figures are prequential: every pair is predicted before it is learned from.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from river.linear_model import LinearRegression, LogisticRegression
from river.optim import SGD
from river.preprocessing import StandardScaler
from river.utils import VectorDict

from driftline.schemas.config import Challenger as ChallengerKind
from driftline.schemas.config import Task

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_INPUTS: Final = 100
"""Each costs half a microsecond a prediction, and 8 bytes of every one that waits for its label."""

_CLIP: Final = 5.0
"""Scaled inputs are cut off here: one unit mistake upstream must not throw the weights away."""

_LEARNING_RATE: Final = 0.01
_STEP: Final = 0.2
"""Learning rate times number of inputs stays below this, or least squares diverges."""

_LOST: Final = 1e6
"""A scaled prediction beyond this means that the weights have diverged: the model starts again."""


class OnlineModel:
    """The challenger of one model.

    Parameters
    ----------
    kind
        ``logistic_regression`` or ``linear_regression``.
    inputs
        The names of the numeric features; those after the 100th are left out.
    since
        The offset of the first prediction that it is shown. What is kept of earlier ones may be another model's.

    Examples
    --------
    >>> model = OnlineModel(ChallengerKind.LOGISTIC_REGRESSION, inputs=["x"])
    >>> for n in range(400):
    ...     scaled = model.scale({"x": float(n % 2)})
    ...     model.learn(scaled, float(n % 2))
    >>> model.predict(model.scale({"x": 1.0})) > 0.7
    True

    """

    def __init__(self, kind: ChallengerKind, *, inputs: Sequence[str], since: int = 0) -> None:
        self.kind = kind
        self.inputs = list(inputs[:_MOST_INPUTS])
        self.since = since
        self.restarts = 0
        self._rate = min(_LEARNING_RATE, _STEP / max(len(self.inputs), 1))
        self._scaler: Any = StandardScaler()  # River's estimators are typed in part only
        self._target: Any = StandardScaler()
        self._model: Any = self._new()

    @property
    def _logistic(self) -> bool:
        return self.kind is ChallengerKind.LOGISTIC_REGRESSION

    def _new(self) -> Any:  # noqa: ANN401 - see above
        algorithm = LogisticRegression if self._logistic else LinearRegression
        return algorithm(optimizer=SGD(self._rate), intercept_lr=self._rate)

    def scale(self, inputs: dict[str, float]) -> tuple[float, ...]:
        """Learn the scale of finite inputs and return them scaled, in the order of `inputs`; a missing one is 0."""
        self._scaler.learn_one(inputs)
        scaled = self._scaler.transform_one(inputs)
        values = [scaled.get(name, 0.0) for name in self.inputs]
        return tuple([value if -_CLIP <= value <= _CLIP else math.copysign(_CLIP, value) for value in values])

    def predict(self, scaled: Sequence[float]) -> float:
        """Return P(positive), or the expected number."""
        inputs = dict(zip(self.inputs, scaled, strict=True))
        if self._logistic:
            return float(self._model.predict_proba_one(inputs)[True])
        predicted = float(self._model.predict_one(inputs))
        if not -_LOST < predicted < _LOST:  # NaN too
            self.restarts += 1
            self._model = self._new()
            predicted = 0.0
        spread, mean = self._target.vars["y"], self._target.means["y"]
        return predicted * math.sqrt(spread) + float(mean)

    def learn(self, scaled: Sequence[float], outcome: float) -> None:
        """Learn from a label: 1.0 or 0.0, or a finite number."""
        inputs = dict(zip(self.inputs, scaled, strict=True))
        if self._logistic:
            self._model.learn_one(inputs, outcome == 1.0)
            return
        target = {"y": outcome}
        self._target.learn_one(target)
        self._model.learn_one(inputs, self._target.transform_one(target)["y"])

    def snapshot(self) -> dict[str, Any]:
        """Return plain values: weights and moments, nothing that would have to be unpickled."""
        return {
            "kind": self.kind.value,
            "inputs": self.inputs,
            "since": self.since,
            "restarts": self.restarts,
            "scaler": _moments(self._scaler),
            "target": _moments(self._target),
            "weights": dict(self._model.weights),
            "intercept": float(self._model.intercept),
            "iterations": self._model.optimizer.n_iterations,
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> OnlineModel:
        """Rebuild what `snapshot` returned."""
        model = cls(ChallengerKind(snapshot["kind"]), inputs=snapshot["inputs"], since=snapshot["since"])
        model.restarts = snapshot["restarts"]
        model._scaler = _scaler_of(snapshot["scaler"])
        model._target = _scaler_of(snapshot["target"])
        model._model._weights = VectorDict(snapshot["weights"])  # noqa: SLF001 - River gives no other way
        model._model.intercept = snapshot["intercept"]
        model._model.optimizer.n_iterations = snapshot["iterations"]
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


def _moments(scaler: StandardScaler) -> list[dict[str, float]]:
    return [dict(scaler.counts), dict(scaler.means), dict(scaler.vars)]


def _scaler_of(moments: list[dict[str, float]]) -> StandardScaler:
    scaler = StandardScaler()
    counts, means, variances = moments
    scaler.counts.update(counts)
    scaler.means.update(means)
    scaler.vars.update(variances)
    return scaler
