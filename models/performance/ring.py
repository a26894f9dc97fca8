"""The panes of a window over the last pairs of a model: a ring of records that a kernel goes round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic

from driftline.models.performance.protocol import OutcomeT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from driftline.models.performance.bank import CounterBank
    from driftline.models.performance.protocol import Scoring, Snapshot


class RingPanes(Generic[OutcomeT]):
    """The last `count` panes of `size` pairs.

    Parameters
    ----------
    scoring
        Makes the counters of a pane.
    bank
        Where their records are.
    pane
        The kernel that returns the record which the next pair of a window goes to.

    Attributes
    ----------
    window
        The index of the window in the bank, for kernels that count pairs.

    """

    __slots__ = ("_bank", "_pane", "_ring", "_scoring", "window")

    def __init__(
        self, scoring: Scoring[OutcomeT], bank: CounterBank, pane: Callable[[Any, int], int], count: int, size: int
    ) -> None:
        self._scoring: Final = scoring
        self._bank: Final = bank
        self._pane: Final = pane
        self._ring: list[Any] = [scoring.new_compact() for _ in range(count)]
        self.window: Final = bank.take_window(size, self._ring[-1].record)
        self._close_ring()

    def __del__(self) -> None:
        """Note that the window is of no more use."""
        if hasattr(self, "window"):
            self._bank.drop_window(self.window)

    def _close_ring(self) -> None:
        """Let the last pane of the ring be the one that is being filled."""
        records = [performance.record for performance in self._ring]
        for record, after in zip(records, [*records[1:], records[0]], strict=True):
            self._bank.arrays.records[record]["next"] = after
        self._bank.arrays.windows[self.window]["pane"] = records[-1]

    def update(self, outcome: OutcomeT) -> None:
        """Count one pair, and forget the oldest pane when a new one begins."""
        record = self._pane(self._bank.arrays, self.window)
        next(performance for performance in self._ring if performance.record == record).update(outcome)

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the counters of the panes, from the oldest on."""
        records = [performance.record for performance in self._ring]
        oldest = records.index(int(self._bank.arrays.windows[self.window]["pane"])) + 1
        yield from self._ring[oldest:]
        yield from self._ring[:oldest]

    def snapshot(self) -> Snapshot:
        """Return the whole state."""
        snapshots = (performance.snapshot() for performance in self)
        return {"used": [snapshot for snapshot in snapshots if snapshot["pairs"]]}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take over what `snapshot` returned."""
        used = [self._scoring.restore(of_pane) for of_pane in snapshot["used"]]
        self._ring = [*self._ring[len(used) :], *used]
        self._close_ring()
