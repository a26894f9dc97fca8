"""The seam between the monitor and the three tasks.

A `Scoring` reads a pair *once* and gives an outcome in which everything dear is already computed: class indices, log
loss, the bin of the score. Any number of `Performance` counters (in all, per version, per segment, over a window) then
take that outcome at the price of a few integer additions each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.models.performance.bank import CounterBanks
    from driftline.models.performance.pair import Pair
    from driftline.schemas.fields import Scalar

Snapshot: TypeAlias = dict[str, Any]
"""Dicts, lists, strings, integers, finite floats and None: plain JSON. The same state gives the same snapshot."""

Metric: TypeAlias = float | int | None
"""None where the metric is undefined; never NaN or infinite."""

Report: TypeAlias = dict[str, "Metric | dict[str, dict[str, Metric]]"]
"""Metrics by name; multiclass adds ``per_class``: metrics by name by class."""

OutcomeT = TypeVar("OutcomeT")
_OutcomeT_contra = TypeVar("_OutcomeT_contra", contravariant=True)


class Performance(Protocol[_OutcomeT_contra]):
    """Mergeable counters of how good predictions were."""

    def update(self, outcome: _OutcomeT_contra, /) -> None:
        """Count one pair."""

    def merge(self, other: Self, /) -> None:
        """Add what `other` has counted; exactly as if its pairs had been counted here."""

    def snapshot(self) -> Snapshot:
        """Return the whole state; `Scoring.restore` continues from it identically."""

    def report(self) -> Report:
        """Return the metrics of what was counted so far."""


class Panes(Protocol[_OutcomeT_contra]):
    """The last panes of pairs, all of one size."""

    def update(self, outcome: _OutcomeT_contra, /) -> None:
        """Count one pair, and forget the oldest pane when a new one begins."""

    def __iter__(self) -> Iterator[Performance[_OutcomeT_contra]]:
        """Iterate over the counters of the panes."""

    def snapshot(self) -> Snapshot:
        """Return the whole state."""

    def restore(self, snapshot: Mapping[str, Any], /) -> None:
        """Take over what `snapshot` returned; these panes must be empty."""


class Scoring(Protocol[OutcomeT]):
    """How the pairs of one task are read, and the counters that go with it."""

    def interpret(self, pair: Pair, /) -> OutcomeT | None:
        """Return the outcome; None for a pair that cannot be scored, which the caller counts.

        That is a label outside the classes (for regression a label or prediction that is not a number), or a
        weight that is negative or not finite.
        """

    def within(self, banks: CounterBanks, /) -> Self:
        """Return the same scoring with the numbers of its counters in other banks."""

    def cell(self, label: Scalar, prediction: Scalar, /) -> int | None:
        """Return by which number kernels count a pair of weight 1; None for one that cannot be scored."""

    def knows(self, prediction: Scalar, /) -> bool:
        """Return whether a prediction is one of the classes, or for regression a finite number."""

    def loss(self, outcome: OutcomeT, /) -> float:
        """Return the loss that drift detectors watch: 0 or 1 for classes, the absolute error for numbers."""

    def new(self) -> Performance[OutcomeT]:
        """Return empty counters."""

    def new_compact(self) -> Performance[OutcomeT]:
        """Return empty counters that take less memory where there are many of them, such as the panes of a window.

        They merge with, and report the same metrics as, those of `new`.
        """

    def new_panes(self, count: int, size: int, /) -> Panes[OutcomeT]:
        """Return `count` empty panes, each for `size` pairs, with compact counters."""

    def restore(self, snapshot: Mapping[str, Any], /) -> Performance[OutcomeT]:
        """Return the counters that a `Performance.snapshot` describes."""

    def snapshot(self) -> Snapshot:
        """Return the scoring itself; `restore_scoring` reads it."""
