"""A challenger of River's: any classifier or regressor, which predicts and learns one event at a time, in Python.

As the compiled one it predicts when a prediction is served and learns when its label comes. What it was shown waits
with the prediction, as JSON.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

from msgspec import json

from driftline.models.library.components import Mistakes, made
from driftline.models.library.estimator import Estimator, make_estimator, misfit
from driftline.models.performance import Pair
from driftline.models.watch.quality import finite_number, read_category
from driftline.schemas.config import FeatureKind, Task

if TYPE_CHECKING:
    from driftline.models.join.entry import Pending, Truth
    from driftline.models.join.label_join import Joined
    from driftline.models.watch.profile import Profile
    from driftline.models.wire import WirePrediction
    from driftline.schemas.config import ModelConfig
    from driftline.schemas.events import Prediction
    from driftline.schemas.fields import Scalar

MOST_INPUTS: Final = 100
_LONGEST_CATEGORY: Final = 64  # characters; of a longer one a hash is taken
_HALF: Final = 0.5


class RiverChallenger:
    """The challenger of one model, with its figures.

    Parameters
    ----------
    profile, config
        What the model is, and which estimator it is challenged by.
    since
        The number of the first prediction that it is shown.

    """

    def __init__(self, profile: Profile, config: ModelConfig, *, since: int) -> None:
        self.since = since
        self._profile = profile
        self._config = config.challenger
        self._estimator = Estimator(config.challenger.steps, profile.task)
        self._inputs = _inputs_of(profile, config)

    @property
    def model(self) -> str:
        """The name of it in the state document."""
        return " | ".join(step.name for step in self._config.steps)

    @property
    def learned(self) -> int:
        """How many pairs it has learned from."""
        return self._estimator.learned

    @property
    def restarts(self) -> int:
        """How often it began afresh."""
        return self._estimator.restarts

    def challenge(self, prediction: Prediction | WirePrediction, pending: Pending) -> None:
        """Predict, and leave with the prediction what was shown and what was said."""
        features = prediction.features
        shown = [_read(kind, features.get(name)) for name, kind in self._inputs.items()]
        pending.challenger = self._estimator.predict(self._named(shown))
        pending.inputs = json.encode(shown)

    def learn(self, joined: Joined) -> object | None:
        """Learn from a pair whose label is one of the classes, or a number; return the outcome, if it had predicted."""
        pending, truth = joined
        if pending.inputs is None or pending.number < self.since:
            return None
        self._estimator.learn(self._named(json.decode(pending.inputs)), self._answer(truth))
        return None if pending.challenger is None else self._judge(pending.challenger, truth)

    def _named(self, shown: list[float | str | None]) -> dict[str, float | str]:
        return {name: value for name, value in zip(self._inputs, shown, strict=True) if value is not None}

    def _answer(self, truth: Truth) -> float:
        if self._profile.task is Task.REGRESSION:
            return float(truth.label)
        outcome: Any = self._profile.scoring.interpret(Pair(truth.label, truth.label))
        positive_or_class: float = outcome.positive if self._profile.task is Task.BINARY else outcome.label
        return positive_or_class

    def _judge(self, predicted: float, truth: Truth) -> object | None:
        weight, classes = truth.weight, self._profile.classes or []
        match self._profile.task:
            case Task.REGRESSION:
                pair = Pair(truth.label, predicted, weight=weight)
            case Task.MULTICLASS:
                pair = Pair(truth.label, classes[int(predicted)], weight=weight)
            case Task.BINARY:
                positive = self._profile.positive
                answer: Scalar = next(name for name in classes if (name == positive) is (predicted >= _HALF))
                pair = Pair(truth.label, answer, predicted, weight=weight)
        outcome: object | None = self._profile.scoring.interpret(pair)
        return outcome

    @property
    def _made_of(self) -> list[Any]:
        """What a state is of no use without."""
        # As text: a snapshot has no integers of more than 64 bits, and a seed may be one.
        return [self._config.model_dump_json(exclude={"sampling_rate"}), self._profile.task.value]

    def report(self) -> dict[str, Any]:
        """Return what the state document says of it, but for its figures."""
        return {
            "model": self.model,
            "restarts": self.restarts,
            "sampling_rate": self._config.sampling_rate,
            "learned": self.learned,
        }

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "of": self._made_of,
            "since": self.since,
            "inputs": {name: kind.value for name, kind in self._inputs.items()},
            "estimator": self._estimator.snapshot(),
        }

    def restore(self, snapshot: dict[str, Any] | None) -> bool:
        """Take over what `snapshot` returned; return False, and begin, if there is none or it is of another one."""
        if snapshot is None or snapshot["of"] != self._made_of:
            return False
        self.since = snapshot["since"]
        self._inputs = {name: FeatureKind(kind) for name, kind in snapshot["inputs"].items()}
        self._estimator.restore(snapshot["estimator"])
        return True


def river_challenger(profile: Profile, config: ModelConfig, *, since: int) -> RiverChallenger | None:
    """Return the challenger that is configured by its class; None if it is none of River's, or not for the task.

    A task that was inferred need not be the one that the challenger is for.
    """
    if not config.challenger.steps:
        return None
    mistakes = Mistakes()
    estimator = made(make_estimator(config.challenger.steps, "challenger.estimator", mistakes), mistakes)
    if misfit(estimator, profile.task) is not None:
        return None
    return RiverChallenger(profile, config, since=since)


def is_sampled(prediction_id: str, rate: float) -> bool:
    """Return whether a prediction is among the share that a challenger is shown: always the same ones.

    Examples
    --------
    >>> sum(is_sampled(str(n), 0.1) for n in range(10_000))
    1029

    """
    return rate >= 1.0 or int.from_bytes(blake2b(prediction_id.encode(), digest_size=8).digest()) < rate * 2.0**64


def _inputs_of(profile: Profile, config: ModelConfig) -> dict[str, FeatureKind]:
    """Return the features that it is shown: those that are configured, or all that are numbers."""
    named = config.challenger.features
    if named is not None:
        return {name: profile.kinds[name] for name in named if name in profile.kinds}
    numbers = [name for name, kind in profile.kinds.items() if kind is FeatureKind.NUMERIC]
    return dict.fromkeys(numbers[:MOST_INPUTS], FeatureKind.NUMERIC)


def _read(kind: FeatureKind, value: object) -> float | str | None:
    if kind is FeatureKind.NUMERIC:
        return finite_number(value)
    _, category = read_category(value)
    if category is not None and len(category) > _LONGEST_CATEGORY:
        return blake2b(category.encode(), digest_size=16).hexdigest()
    return category
