"""Performance of a model that tells several classes apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from driftline.models.kernels.exact_sum import from_words, to_words
from driftline.models.kernels.multiclass import count, merge
from driftline.models.performance.bank import MulticlassBank
from driftline.models.performance.counters import Counters
from driftline.models.performance.exact import ONE
from driftline.models.performance.multiclass_sums import MulticlassOutcome, MulticlassSums

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.performance.classes import ClassSet
    from driftline.models.performance.protocol import Report, Snapshot


class MulticlassPerformance(Counters[MulticlassOutcome]):
    """Accuracy, log loss, and precision, recall and F1 of each class and as macro averages, from exact sums.

    The macro averages run over the classes that occurred as label or prediction, and one that is undefined for a class
    enters as 0: scikit-learn's ``average="macro", zero_division=0``. A prediction outside the classes is an error of
    the true class and adds no class of its own.

    Memory is three counts a class, not the square of the classes: no metric here needs the whole confusion matrix.

    Parameters
    ----------
    classes
        The classes that the numbers in outcomes stand for.
    bank
        Where the numbers are; by default in a bank of its own.

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

    __slots__ = ("_classes",)

    def __init__(self, classes: ClassSet, bank: MulticlassBank | None = None) -> None:
        super().__init__(MulticlassBank() if bank is None else bank, len(classes))
        self._classes = classes

    def _new_rest(self) -> MulticlassSums:
        return MulticlassSums(self._classes)

    def update(self, outcome: MulticlassOutcome) -> None:
        """Count one pair."""
        label, predicted, weight, loss = outcome
        if weight == ONE:
            number = len(self._classes) if predicted is None else predicted
            count(self.bank.arrays, self.record, (label, number, loss is not None, to_words(loss or 0)))
        else:
            self.weigh(outcome)

    def merge(self, other: MulticlassPerformance) -> None:
        """Add what `other` has counted.

        Raises
        ------
        ValueError
            If the classes differ: their numbers would mean different things.

        """
        if self._classes != other._classes:
            raise ValueError("performance over different classes cannot be merged")
        if other.rest is not None:
            self._rest_here().merge(other.rest)
        merge(self.bank.arrays, self.record, other.bank.arrays, other.record)

    @property
    def _sums(self) -> MulticlassSums:
        row, classes = self._row, len(self._classes)
        start = int(row["start"])
        counts = self.bank.arrays.counts[start : start + 3 * classes].reshape(3, classes).tolist()
        sums = MulticlassSums.counted(
            self._classes,
            pairs=int(row["pairs"] - row["rest"]),
            outside=int(row["outside"]),
            scored=int(row["scored"]),
            log_loss=from_words(row["log_loss"]),
            by_class=counts,
        )
        if self.rest is not None:
            sums.merge(self.rest)
        return sums

    def report(self) -> Report:
        """Return the metrics, the counts `pairs`, `scored` (with probabilities) and `outside` (prediction outside the
        classes), and under `per_class` each class that occurred, with the weight of its labels as `support`.
        """  # noqa: D205 - the summary needs its second line
        return self._sums.report()

    def snapshot(self) -> Snapshot:
        """Return the whole state but the classes, which the scoring's snapshot has."""
        return self._sums.snapshot()

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any], classes: ClassSet, bank: MulticlassBank | None = None) -> Self:
        """Return the counters that a snapshot describes, over the classes it was made with."""
        performance, rest = cls(classes, bank), MulticlassSums.restore(snapshot, classes)
        performance._take_over(rest, rest.pairs)
        return performance
