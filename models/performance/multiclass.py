"""Performance of a model that tells several classes apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from driftline.models.performance.exact import ONE, divide, dump, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.performance.classes import ClassSet
    from driftline.models.performance.protocol import Metric, Report, Snapshot


class MulticlassOutcome(NamedTuple):
    """One pair, read: what `MulticlassPerformance` adds up. Weights and losses are in units of ``2**-100``.

    Attributes
    ----------
    label
        The number of the true class.
    predicted
        The number of the predicted class; None for a prediction outside the classes.
    weight
        The weight of the pair.
    log_loss
        The weighted log loss; None if there were no probabilities.

    """

    label: int
    predicted: int | None
    weight: int
    log_loss: int | None

    @property
    def correct(self) -> bool:
        """Whether the prediction is the label."""
        return self.predicted == self.label


class MulticlassPerformance:
    """Accuracy, log loss, and precision, recall and F1 of each class and as macro averages, from exact sums.

    The macro averages run over the classes that occurred as label or prediction, and one that is undefined for a class
    enters as 0: scikit-learn's ``average="macro", zero_division=0``. A prediction outside the classes is an error of
    the true class and adds no class of its own.

    Memory is three sums a class, not the square of the classes: no metric here needs the whole confusion matrix.

    Parameters
    ----------
    classes
        The classes that the numbers in outcomes stand for.

    Examples
    --------
    >>> from driftline.models.performance import ClassSet, MulticlassScoring, Pair
    >>> scoring = MulticlassScoring(ClassSet(["cat", "dog", "bird"]))
    >>> performance = scoring.new()
    >>> for label, prediction in [("cat", "cat"), ("cat", "dog"), ("dog", "dog")]:
    ...     performance.update(scoring.interpret(Pair(label, prediction)))
    >>> report = performance.report()
    >>> report["recall"], report["per_class"]["dog"]["precision"]
    (0.75, 0.5)

    """

    __slots__ = (
        "_classes",
        "_correct",
        "_labelled",
        "_log_loss",
        "_outside",
        "_pairs",
        "_predicted",
        "_scored",
        "_scored_weight",
    )

    def __init__(self, classes: ClassSet) -> None:
        self._classes: Final = classes
        self._pairs = self._outside = self._scored = 0
        self._scored_weight = self._log_loss = 0
        # Weights by class; a class that occurred has a key, be its weight 0.
        self._labelled: dict[int, int] = {}
        self._predicted: dict[int, int] = {}
        self._correct: dict[int, int] = {}

    def update(self, outcome: MulticlassOutcome) -> None:
        """Count one pair."""
        label, predicted, weight, loss = outcome
        self._pairs += 1
        self._labelled[label] = self._labelled.get(label, 0) + weight
        if predicted is None:
            self._outside += 1
        else:
            self._predicted[predicted] = self._predicted.get(predicted, 0) + weight
            if predicted == label:
                self._correct[label] = self._correct.get(label, 0) + weight
        if loss is not None:
            self._scored += 1
            self._scored_weight += weight
            self._log_loss += loss

    def merge(self, other: MulticlassPerformance) -> None:
        """Add what `other` has counted.

        Raises
        ------
        ValueError
            If the classes differ: their numbers would mean different things.

        """
        if self._classes != other._classes:
            raise ValueError("performance over different classes cannot be merged")
        self._pairs += other._pairs
        self._outside += other._outside
        self._scored += other._scored
        self._scored_weight += other._scored_weight
        self._log_loss += other._log_loss
        for mine, theirs in zip(self._by_class(), other._by_class(), strict=True):
            for index, weight in theirs.items():
                mine[index] = mine.get(index, 0) + weight

    def _by_class(self) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
        return self._labelled, self._predicted, self._correct

    def report(self) -> Report:
        """Return the metrics, the counts `pairs`, `scored` (with probabilities) and `outside` (prediction outside the
        classes), and under `per_class` each class that occurred, with the weight of its labels as `support`.
        """  # noqa: D205 - the summary needs its second line
        occurred = sorted(self._labelled.keys() | self._predicted.keys())
        per_class = {self._classes.names[index]: self._report_class(index) for index in occurred}
        return {
            "pairs": self._pairs,
            "scored": self._scored,
            "outside": self._outside,
            "accuracy": divide(sum(self._correct.values()), sum(self._labelled.values())),
            "precision": _macro("precision", per_class),
            "recall": _macro("recall", per_class),
            "f1": _macro("f1", per_class),
            "log_loss": divide(self._log_loss, self._scored_weight),
            "per_class": per_class,
        }

    def _report_class(self, index: int) -> dict[str, Metric]:
        labelled, predicted, correct = (weights.get(index, 0) for weights in self._by_class())
        return {
            "support": divide(labelled, ONE),
            "precision": divide(correct, predicted),
            "recall": divide(correct, labelled),
            "f1": divide(2 * correct, labelled + predicted),
        }

    def snapshot(self) -> Snapshot:
        """Return the whole state but the classes, which the scoring's snapshot has."""
        labelled, predicted, correct = map(_dump_weights, self._by_class())
        return {
            "pairs": self._pairs,
            "outside": self._outside,
            "scored": self._scored,
            "scored_weight": dump(self._scored_weight),
            "log_loss": dump(self._log_loss),
            "labelled": labelled,
            "predicted": predicted,
            "correct": correct,
        }

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any], classes: ClassSet) -> Self:
        """Return the counters that a snapshot describes, over the classes it was made with."""
        performance = cls(classes)
        performance._pairs = snapshot["pairs"]
        performance._outside = snapshot["outside"]
        performance._scored = snapshot["scored"]
        performance._scored_weight = load(snapshot["scored_weight"])
        performance._log_loss = load(snapshot["log_loss"])
        performance._labelled = _load_weights(snapshot["labelled"])
        performance._predicted = _load_weights(snapshot["predicted"])
        performance._correct = _load_weights(snapshot["correct"])
        return performance


def _macro(metric: str, per_class: Mapping[str, Mapping[str, Metric]]) -> float | None:
    return sum(of_class[metric] or 0.0 for of_class in per_class.values()) / len(per_class) if per_class else None


def _dump_weights(weights: dict[int, int]) -> list[list[int | str]]:
    return [[index, dump(weights[index])] for index in sorted(weights)]


def _load_weights(dumped: list[list[Any]]) -> dict[int, int]:
    return {index: load(weight) for index, weight in dumped}
