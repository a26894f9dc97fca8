"""How the pairs of a binary model are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

from driftline.models.kernels.binary import pane
from driftline.models.performance.bank import BinaryBank
from driftline.models.performance.binary import BinaryPerformance
from driftline.models.performance.binary_outcome import BinaryOutcome
from driftline.models.performance.exact import weight_units
from driftline.models.performance.ring import RingPanes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.models.performance.bank import CounterBanks
    from driftline.models.performance.classes import ClassSet
    from driftline.models.performance.pair import Pair
    from driftline.models.performance.protocol import Snapshot
    from driftline.schemas.fields import Scalar

_COMPACT_BINS: Final = 128


class BinaryScoring:
    """Reads the pairs of a binary model.

    The score is P(positive): the pair's `score`, or what its `probabilities` give to either class. One outside [0, 1]
    is no score.

    Parameters
    ----------
    classes
        The two classes.
    positive
        The positive one, in any spelling. By default the class 1, or, if neither is, the one whose name sorts last,
        which is scikit-learn's choice.
    bank
        Where the numbers of all counters are; by default in a bank of their own.

    Raises
    ------
    ValueError
        If there are not two classes or `positive` is not one of them.

    Examples
    --------
    >>> from driftline.models.performance import ClassSet, Pair
    >>> scoring = BinaryScoring(ClassSet(["legit", "fraud"]), positive="fraud")
    >>> outcome = scoring.interpret(Pair(label="fraud", prediction="legit", score=0.4))
    >>> scoring.loss(outcome)
    1.0
    >>> scoring.interpret(Pair(label="unknown", prediction="legit")) is None
    True

    """

    __slots__ = ("_bank", "_classes", "_positive")

    def __init__(self, classes: ClassSet, positive: Scalar | None = None, bank: BinaryBank | None = None) -> None:
        if len(classes) != 2:  # noqa: PLR2004 - what binary means
            raise ValueError(f"a binary model has two classes, not {len(classes)}: {', '.join(classes.names)}")
        if positive is None:
            positive = "1" if classes.index("1") is not None else max(classes.names)
        index = classes.index(positive)
        if index is None:
            raise ValueError(f"the positive label {positive!r} is not one of the classes {', '.join(classes.names)}")
        self._classes: Final = classes
        self._positive: Final = index
        self._bank: Final = BinaryBank() if bank is None else bank

    def within(self, banks: CounterBanks) -> Self:
        """Return the same scoring with its numbers in another bank."""
        return type(self)(self._classes, self.positive, banks.binary)

    def places(self, names: Sequence[str]) -> list[int | None]:
        """Return where among names under which probabilities are given each class is, by its number."""
        return [self._classes.place(index, names) for index in (1 - self._positive, self._positive)]

    def number(self, value: Scalar) -> int | None:
        """Return 1 for the positive class, 0 for the other; None for neither."""
        index = self._classes.index(value)
        return None if index is None else int(index == self._positive)

    def cell(self, label: Scalar, prediction: Scalar) -> int | None:
        """Return the cell of a pair, as `BinaryOutcome` has it; None if the label is neither class."""
        truth, answer = self.number(label), self.number(prediction)
        return None if truth is None else 3 * truth + (2 if answer is None else answer)

    @property
    def positive(self) -> str:
        """The name of the positive class."""
        return self._classes.names[self._positive]

    def interpret(self, pair: Pair) -> BinaryOutcome | None:
        """Return the outcome; None if the label is neither class or the weight is none."""
        label = self._classes.index(pair.label)
        weight = weight_units(pair.weight)
        if label is None or weight is None:
            return None
        predicted = self._classes.index(pair.prediction)
        score = self.score(pair.score, pair.probabilities)
        positive = self._positive
        return BinaryOutcome.of(label == positive, None if predicted is None else predicted == positive, score, weight)

    def score(self, given: float | None, probabilities: Mapping[str, float] | None) -> float | None:
        """Return P(positive): the score that was given, or what the probabilities give to either class."""
        if given is not None or probabilities is None:
            return given
        score = self._classes.probability(self._positive, probabilities)
        if score is None:
            other = self._classes.probability(1 - self._positive, probabilities)
            score = None if other is None else 1.0 - other
        return score

    def knows(self, prediction: Scalar) -> bool:
        """Return whether a prediction is one of the classes."""
        return self._classes.index(prediction) is not None

    def loss(self, outcome: BinaryOutcome) -> float:
        """Return 1.0 for a wrong prediction, 0.0 for a right one."""
        return 0.0 if outcome.correct else 1.0

    def new(self) -> BinaryPerformance:
        """Return empty counters."""
        return BinaryPerformance(bank=self._bank)

    def new_compact(self) -> BinaryPerformance:
        """Return empty counters with an eighth of the bins."""
        return BinaryPerformance(_COMPACT_BINS, self._bank)

    def new_panes(self, count: int, size: int) -> RingPanes[BinaryOutcome]:
        """Return `count` empty panes, each for `size` pairs, with compact counters."""
        return RingPanes(self, self._bank, pane, count, size)

    def restore(self, snapshot: Mapping[str, Any]) -> BinaryPerformance:
        """Return the counters that a snapshot describes."""
        return BinaryPerformance.restore(snapshot, self._bank)

    def snapshot(self) -> Snapshot:
        """Return the task, its classes and the positive one."""
        return {"task": "binary", "classes": self._classes.snapshot(), "positive": self.positive}
