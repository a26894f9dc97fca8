"""How the pairs of a multiclass model are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from driftline.models.kernels.multiclass import pane
from driftline.models.performance.bank import MulticlassBank
from driftline.models.performance.exact import weight_units
from driftline.models.performance.losses import log_loss
from driftline.models.performance.multiclass import MulticlassPerformance
from driftline.models.performance.multiclass_sums import MulticlassOutcome
from driftline.models.performance.ring import RingPanes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.models.performance.bank import CounterBanks
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
    bank
        Where the numbers of all counters are; by default in a bank of their own.

    Examples
    --------
    >>> from driftline.models.performance import ClassSet, Pair
    >>> scoring = MulticlassScoring(ClassSet(["cat", "dog"]))
    >>> scoring.loss(scoring.interpret(Pair(label="cat", prediction="wolf")))
    1.0

    """

    __slots__ = ("_bank", "_classes")

    def __init__(self, classes: ClassSet, bank: MulticlassBank | None = None) -> None:
        self._classes: Final = classes
        self._bank: Final = MulticlassBank() if bank is None else bank

    def within(self, banks: CounterBanks) -> Self:
        """Return the same scoring with its numbers in another bank."""
        return type(self)(self._classes, banks.multiclass)

    def places(self, names: Sequence[str]) -> list[int | None]:
        """Return where among names under which probabilities are given each class is, by its number."""
        return [self._classes.place(index, names) for index in range(len(self._classes))]

    def number(self, value: Scalar) -> int | None:
        """Return the number of a class; None for a value that is none of them."""
        return self._classes.index(value)

    def cell(self, label: Scalar, prediction: Scalar) -> int | None:
        """Return the number of the label times that of classes and one more, plus that of the prediction.

        None if the label is outside the classes; a prediction that is has the number of classes.
        """
        truth, answer = self._classes.index(label), self._classes.index(prediction)
        if truth is None:
            return None
        classes = len(self._classes)
        return (classes + 1) * truth + (classes if answer is None else answer)

    def is_right(self, cell: int) -> bool:
        """Return whether the prediction of a pair in this cell is its label."""
        truth, answer = divmod(cell, len(self._classes) + 1)
        return truth == answer

    def probability(self, cell: int, probabilities: Mapping[str, float]) -> float:
        """Return the probability that was given to the label of a pair in this cell."""
        return self._classes.probability(cell // (len(self._classes) + 1), probabilities) or 0.0

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
        return MulticlassPerformance(self._classes, self._bank)

    def new_compact(self) -> MulticlassPerformance:
        """Return empty counters: they are compact already."""
        return MulticlassPerformance(self._classes, self._bank)

    def new_panes(self, count: int, size: int) -> RingPanes[MulticlassOutcome]:
        """Return `count` empty panes, each for `size` pairs."""
        return RingPanes(self, self._bank, pane, count, size)

    def restore(self, snapshot: Mapping[str, Any]) -> MulticlassPerformance:
        """Return the counters that a snapshot describes."""
        return MulticlassPerformance.restore(snapshot, self._classes, self._bank)

    def snapshot(self) -> Snapshot:
        """Return the task and its classes."""
        return {"task": "multiclass", "classes": self._classes.snapshot()}
