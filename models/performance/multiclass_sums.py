"""Sums of pairs of any weight of a model that tells several classes apart, in Python's integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from driftline.models.performance.exact import ONE, divide, dump, load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.performance.classes import ClassSet
    from driftline.models.performance.protocol import Metric, Report, Snapshot


class MulticlassOutcome(NamedTuple):
    """One pair, read: what `MulticlassSums` adds up. Weights and losses are in units of ``2**-100``.

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


class MulticlassSums:
    """What all metrics follow from; `MulticlassPerformance` says which they are.

    Parameters
    ----------
    classes
        The classes that the numbers in outcomes stand for.

    """

    __slots__ = (
        "_classes",
        "_correct",
        "_labelled",
        "_log_loss",
        "_outside",
        "_predicted",
        "_scored",
        "_scored_weight",
        "pairs",
    )

    def __init__(self, classes: ClassSet) -> None:
        self._classes: Final = classes
        self.pairs = self._outside = self._scored = 0
        self._scored_weight = self._log_loss = 0
        # Weights by class; a class that occurred has a key, be its weight 0.
        self._labelled: dict[int, int] = {}
        self._predicted: dict[int, int] = {}
        self._correct: dict[int, int] = {}

    @classmethod
    def counted(  # noqa: PLR0913 - the counts
        cls, classes: ClassSet, *, pairs: int, outside: int, scored: int, log_loss: int, by_class: list[list[int]]
    ) -> Self:
        """Return the sums of pairs of weight 1; `by_class` has the counts of labels, predictions and of both alike."""
        sums = cls(classes)
        sums.pairs, sums._outside, sums._scored = pairs, outside, scored
        sums._scored_weight, sums._log_loss = scored * ONE, log_loss
        sums._labelled, sums._predicted, sums._correct = (
            {index: count * ONE for index, count in enumerate(counts) if count} for counts in by_class
        )
        return sums

    def update(self, outcome: MulticlassOutcome) -> None:
        """Count one pair."""
        label, predicted, weight, loss = outcome
        self.pairs += 1
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

    def merge(self, other: MulticlassSums) -> None:
        """Add what `other` has counted, over the same classes."""
        self.pairs += other.pairs
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
        """Return the metrics."""
        occurred = sorted(self._labelled.keys() | self._predicted.keys())
        per_class = {self._classes.names[index]: self._report_class(index) for index in occurred}
        return {
            "pairs": self.pairs,
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
            "pairs": self.pairs,
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
        sums = cls(classes)
        sums.pairs = snapshot["pairs"]
        sums._outside = snapshot["outside"]
        sums._scored = snapshot["scored"]
        sums._scored_weight = load(snapshot["scored_weight"])
        sums._log_loss = load(snapshot["log_loss"])
        sums._labelled = _load_weights(snapshot["labelled"])
        sums._predicted = _load_weights(snapshot["predicted"])
        sums._correct = _load_weights(snapshot["correct"])
        return sums


def _macro(metric: str, per_class: Mapping[str, Mapping[str, Metric]]) -> float | None:
    return sum(of_class[metric] or 0.0 for of_class in per_class.values()) / len(per_class) if per_class else None


def _dump_weights(weights: dict[int, int]) -> list[list[int | str]]:
    return [[index, dump(weights[index])] for index in sorted(weights)]


def _load_weights(dumped: list[list[Any]]) -> dict[int, int]:
    return {index: load(weight) for index, weight in dumped}
