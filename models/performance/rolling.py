"""Performance over the last pairs of a stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Self

from driftline.models.performance.protocol import OutcomeT, Performance, Report, Scoring, Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping


class Rolling(Generic[OutcomeT]):
    """The last pairs, in tumbling panes of equal size that are merged when a report is asked for.

    Nothing is ever subtracted, so nothing drifts. Panes fill pair by pair: how records are batched changes nothing.

    Parameters
    ----------
    scoring
        Makes the counters of a pane.
    window
        Pairs in the window. A report covers more than ``window * (panes - 1) / panes`` and at most `window` of them,
        once that many have come.
    panes
        Panes in the window; must divide it. More panes follow more smoothly and take more memory.

    Attributes
    ----------
    panes
        The panes.

    Raises
    ------
    ValueError
        If `panes` does not divide `window`.

    Examples
    --------
    >>> from driftline.models.performance import Pair, RegressionScoring
    >>> scoring = RegressionScoring()
    >>> rolling = Rolling(scoring, window=4, panes=2)
    >>> for error in (100.0, 100.0, 1.0, 1.0, 3.0):
    ...     rolling.update(scoring.interpret(Pair(label=0.0, prediction=error)))
    >>> rolling.report()["pairs"], rolling.report()["bias"]
    (3, 1.6666666666666667)

    """

    __slots__ = ("_count", "_scoring", "_window", "panes")

    def __init__(self, scoring: Scoring[OutcomeT], window: int = 10_000, panes: int = 10) -> None:
        if panes < 1 or window < panes or window % panes:
            raise ValueError(f"a window of {window} pairs cannot be cut into {panes} panes of equal size")
        self._scoring: Final = scoring
        self._window: Final = window
        self._count: Final = panes
        self.panes: Final = scoring.new_panes(panes, window // panes)

    def update(self, outcome: OutcomeT) -> None:
        """Count one pair, and forget the oldest pane when a new one begins."""
        self.panes.update(outcome)

    def merged(self) -> Performance[OutcomeT]:
        """Return the counters of the window; they are the caller's."""
        total = self._scoring.new()
        for pane in self.panes:
            total.merge(pane)
        return total

    def report(self) -> Report:
        """Return the metrics over the window."""
        return self.merged().report()

    def snapshot(self) -> Snapshot:
        """Return the whole state."""
        return {"window": self._window, "panes": self._count, **self.panes.snapshot()}

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any], scoring: Scoring[OutcomeT]) -> Self:
        """Return the window that a snapshot describes, with the scoring it was made with."""
        rolling = cls(scoring, snapshot["window"], snapshot["panes"])
        rolling.panes.restore(snapshot)
        return rolling
