"""How the pairs of a multiclass model are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.models.performance.exact import weight_units
from driftline.models.performance.losses import log_loss
from driftline.models.performance.multiclass import MulticlassOutcome, MulticlassPerformance
from driftline.models.performance.panes import TumblingPanes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.performance.classes import ClassSet
    from driftline.models.performance.pair import Pair
    from driftline.models.performance.protocol import Snapshot
    from driftline.schemas.fields import Scalar


class MulticlassScoring:
    """Reads the pairs of a multiclass model.

    A class without a probability had probability 0, clipped for the logarithm as scikit-learn does. A probability of
    the true class outside [0, 1] counts as no probabilities at all. They are not rescaled to add up to 1.

    Parameters
    ----------
    classes
        The classes.

    Examples
    --------
    >>> from driftline.models.performance import ClassSet, Pair
    >>> scoring = MulticlassScoring(ClassSet(["cat", "dog"]))
    >>> scoring.loss(scoring.interpret(Pair(label="cat", prediction="wolf")))
    1.0

    """

    __slots__ = ("_classes",)

    def __init__(self, classes: ClassSet) -> None:
        self._classes: Final = classes

    def interpret(self, pair: Pair) -> MulticlassOutcome | None:
        """Return the outcome; None if the label is outside the classes or the weight is none."""
        label = self._classes.index(pair.label)
        weight = weight_units(pair.weight)
        if label is None or weight is None:
            return None
        predicted = self._classes.index(pair.prediction)
        if pair.probabilities is None:
            return MulticlassOutcome(label, predicted, weight, None)
        probability = self._classes.probability(label, pair.probabilities) or 0.0
        loss = log_loss(probability, weight) if 0.0 <= probability <= 1.0 else None
        return MulticlassOutcome(label, predicted, weight, loss)

    def knows(self, prediction: Scalar) -> bool:
        """Return whether a prediction is one of the classes."""
        return self._classes.index(prediction) is not None

    def loss(self, outcome: MulticlassOutcome) -> float:
        """Return 1.0 for a wrong prediction, 0.0 for a right one."""
        return 0.0 if outcome.correct else 1.0

    def new(self) -> MulticlassPerformance:
        """Return empty counters."""
        return MulticlassPerformance(self._classes)

    def new_compact(self) -> MulticlassPerformance:
        """Return empty counters: they are compact already."""
        return MulticlassPerformance(self._classes)

    def new_panes(self, count: int, size: int) -> TumblingPanes[MulticlassOutcome]:
        """Return `count` empty panes, each for `size` pairs."""
        return TumblingPanes(self, count, size)

    def restore(self, snapshot: Mapping[str, Any]) -> MulticlassPerformance:
        """Return the counters that a snapshot describes."""
        return MulticlassPerformance.restore(snapshot, self._classes)

    def snapshot(self) -> Snapshot:
        """Return the task and its classes."""
        return {"task": "multiclass", "classes": self._classes.snapshot()}
