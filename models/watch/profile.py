"""What a model is: its task, its classes and the kinds of its features, as configured or inferred from first events."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from driftline.models.kernels.version import MOST_FEATURES
from driftline.models.performance import (
    BinaryScoring,
    ClassSet,
    MulticlassScoring,
    RegressionScoring,
    restore_scoring,
)
from driftline.models.watch.quality import finite_number
from driftline.schemas.classes import class_token
from driftline.schemas.config import FeatureKind, ModelConfig, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from driftline.models.join.entry import Pending
    from driftline.models.performance import Scoring
    from driftline.models.wire import WirePrediction
    from driftline.schemas.events import Prediction
    from driftline.schemas.fields import Scalar

WARMUP: Final = 200
"""Predictions after which a model is known, unless they leave it open which classes it has."""

_PATIENCE: Final = 5000  # predictions after which a model is taken for what it seems to be
_MOST_INTEGER_CLASSES: Final = 20


@dataclass(frozen=True, slots=True)
class Profile:
    """The task with its scoring, and the kind of each feature."""

    task: Task
    scoring: Scoring[Any]
    kinds: dict[str, FeatureKind]

    def score(self, prediction: Prediction | WirePrediction | Pending) -> float | None:
        """Return P(positive) of a binary model, also where a prediction gives it as the probability of a class.

        Of a regression it is the number that is predicted.
        """
        if isinstance(self.scoring, RegressionScoring):
            return finite_number(prediction.prediction)
        if not isinstance(self.scoring, BinaryScoring):
            return prediction.score
        return self.scoring.score(prediction.score, prediction.probabilities)

    def answer(self, prediction: Prediction | WirePrediction) -> int | None:
        """Return the number of the class that is predicted, that of classes for one which is none; None of numbers."""
        if not isinstance(self.scoring, BinaryScoring | MulticlassScoring):
            return None
        number = self.scoring.number(prediction.prediction)
        return len(self.classes or ()) if number is None else number

    @property
    def classes(self) -> list[str] | None:
        """The names of the classes; None for a regression."""
        names: list[str] | None = self.scoring.snapshot().get("classes", {}).get("names")
        return names

    @property
    def answers(self) -> list[str]:
        """The names of the classes in the order of their numbers; none of a regression."""
        if isinstance(self.scoring, BinaryScoring):
            return sorted(self.classes or (), key=lambda name: name == self.positive)
        return self.classes or []

    @property
    def positive(self) -> str | None:
        """The name of the positive class; None where there is none."""
        return self.scoring.positive if isinstance(self.scoring, BinaryScoring) else None

    def fits(self, config: ModelConfig) -> bool:
        """Return whether this is what the configuration says, as far as it says anything."""
        if config.task not in {None, self.task}:
            return False
        if config.classes is not None and _tokens(config.classes) != _tokens(self.classes or ()):
            return False
        if config.positive_label is None:
            return True
        return self.positive is not None and class_token(self.positive) == class_token(config.positive_label)

    def snapshot(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "task": self.task.value,
            "scoring": self.scoring.snapshot(),
            "kinds": {name: kind.value for name, kind in self.kinds.items()},
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Profile:
        """Rebuild what `snapshot` returned."""
        return cls(
            Task(snapshot["task"]),
            restore_scoring(snapshot["scoring"]),
            {name: FeatureKind(kind) for name, kind in snapshot["kinds"].items()},
        )


@dataclass(frozen=True, slots=True)
class Mistaken:
    """What a model was taken for in error: the names of its classes, and predictions that are none of them."""

    classes: Sequence[str] = ()
    misfits: Sequence[Scalar] = ()


NOT_MISTAKEN: Final = Mistaken()


def is_known(config: ModelConfig, predictions: Sequence[Prediction], labels: Sequence[Scalar]) -> bool:
    """Return whether enough has been seen to tell what the model is.

    One class alone leaves open what the other one is called, and a class that was predicted just once says that others
    are still to come.
    """
    if len(predictions) < WARMUP:
        return False
    if config.classes is not None or config.task is Task.REGRESSION or len(predictions) >= _PATIENCE:
        return True
    predicted = Counter(class_token(p.prediction) for p in predictions)
    tokens = predicted.keys() | _tokens(labels)
    if tokens <= {"0", "1"}:
        return True
    task = config.task or _infer_task(config, predictions)
    return task is Task.REGRESSION or (len(tokens) > 1 and (task is Task.BINARY or min(predicted.values()) > 1))


def infer(
    config: ModelConfig,
    predictions: Sequence[Prediction],
    labels: Sequence[Scalar],
    mistaken: Mistaken = NOT_MISTAKEN,
) -> Profile:
    """Tell what a model is; what the configuration says stands, and classes that were known remain.

    Examples
    --------
    >>> from driftline.schemas.events import Prediction
    >>> first = [Prediction(model_id="m", model_version="1", prediction_id=str(n), timestamp=n, prediction="ham",
    ...                     score=0.1, features={"length": n, "sender": "a"}) for n in range(3)]
    >>> profile = infer(ModelConfig(model_id="m", positive_label="spam"), first, ["ham"])
    >>> profile.task.value, profile.kinds["length"].value, profile.kinds["sender"].value
    ('binary', 'numeric', 'categorical')

    """
    task = config.task or _infer_task(config, predictions, mistaken)
    seen = [*mistaken.classes, *(p.prediction for p in predictions), *mistaken.misfits, *labels]
    return Profile(task, _scoring(task, config, predictions, seen), _infer_kinds(config, predictions))


def configured_kinds(config: ModelConfig) -> dict[str, FeatureKind]:
    """Return the kinds of features that the configuration says."""
    return {name: feature.kind for name, feature in config.features.items() if feature.kind is not None}


def _infer_kinds(config: ModelConfig, predictions: Sequence[Prediction]) -> dict[str, FeatureKind]:
    kinds = configured_kinds(config)
    values: dict[str, list[object]] = {}
    for p in predictions:
        for name, value in p.features.items():
            # A feature that was null all along is left for its first value to tell.
            if value is not None and name not in kinds and (name in values or len(values) < MOST_FEATURES):
                values.setdefault(name, []).append(value)
    return kinds | {name: infer_kind(seen) for name, seen in values.items()}


def infer_kind(values: Sequence[object]) -> FeatureKind:
    """Return numeric where most of the values that are there are numbers."""
    return kind_of(sum(map(leaning, values)))


def leaning(value: object) -> int:
    """Return 1 for a number, -1 for a category, 0 for what is neither and says nothing of a feature's kind."""
    if isinstance(value, bool | str):
        return -1
    return 1 if isinstance(value, int | float) else 0


def kind_of(leanings: int) -> FeatureKind:
    """Return the kind of a feature whose values lean so, in sum."""
    return FeatureKind.NUMERIC if leanings >= 0 else FeatureKind.CATEGORICAL


def _tokens(values: Iterable[Scalar]) -> set[str]:
    return {class_token(value) for value in values}


def _infer_task(config: ModelConfig, predictions: Sequence[Prediction], mistaken: Mistaken = NOT_MISTAKEN) -> Task:
    if config.classes is not None and len(config.classes) > 2:  # noqa: PLR2004 - what binary means
        return Task.MULTICLASS  # whatever its events call a score
    if config.positive_label is not None or any(p.score is not None for p in predictions):
        return Task.BINARY
    if any(p.probabilities for p in predictions):
        return Task.MULTICLASS
    values = [*mistaken.misfits, *(p.prediction for p in predictions)]
    tokens = _tokens([*values, *mistaken.classes, *(config.classes or ())])
    numeric = not any(isinstance(value, str | bool) for value in values)
    if config.classes is None and numeric:
        fractional = any(isinstance(value, float) and not value.is_integer() for value in values)
        if fractional or len(tokens) > _MOST_INTEGER_CLASSES:
            return Task.REGRESSION
    return Task.BINARY if len(tokens) <= 2 else Task.MULTICLASS  # noqa: PLR2004 - what binary means


def _scoring(task: Task, config: ModelConfig, predictions: Sequence[Prediction], seen: list[Scalar]) -> Scoring[Any]:
    if task is Task.REGRESSION:
        return RegressionScoring()
    if task is Task.MULTICLASS:
        names = [name for p in predictions for name in p.probabilities or ()]
        return MulticlassScoring(ClassSet(config.classes) if config.classes else ClassSet.infer([*seen, *names]))
    return _binary_scoring(config, predictions, seen)


def _binary_scoring(config: ModelConfig, predictions: Sequence[Prediction], seen: list[Scalar]) -> BinaryScoring:
    if config.classes is not None:
        classes = ClassSet(config.classes)
    else:
        given = [] if config.positive_label is None else [config.positive_label]
        spelled = {class_token(value): value for value in reversed([*given, *seen])}
        kept = {class_token(value): None for value in given}
        for token, _ in Counter(class_token(value) for value in seen).most_common():
            if len(kept) < 2:  # noqa: PLR2004 - what binary means
                kept[token] = None
        classes = ClassSet.infer([spelled[token] for token in kept])
        if len(classes) < 2:  # noqa: PLR2004 - what binary means
            # One class in 5,000 predictions: the other is given a name, and its labels are counted as outside.
            classes = ClassSet([*classes.names, f"not {classes.names[0]}"])
    positive = config.positive_label
    if positive is None and classes.index(1) is None:
        positive = _class_of_high_scores(classes, predictions)
    return BinaryScoring(classes, positive)


def _class_of_high_scores(classes: ClassSet, predictions: Sequence[Prediction]) -> Scalar | None:
    """Return the class that is predicted where the score, which is P(positive), is high."""
    scores: dict[int, list[float]] = {0: [], 1: []}
    for p in predictions:
        index = classes.index(p.prediction)
        if index is not None and p.score is not None:
            scores[index].append(p.score)
    if not any(scores.values()):
        return None
    means = {index: sum(s) / len(s) if s else 0.5 for index, s in scores.items()}
    return classes.names[max(means, key=means.__getitem__)]
