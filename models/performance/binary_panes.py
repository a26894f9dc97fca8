"""The panes of a window over the last pairs of a binary model: a ring of records that a kernel goes round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.models.kernels.binary import pane
from driftline.models.performance.binary import BinaryPerformance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.models.performance.bank import BinaryBank
    from driftline.models.performance.binary_outcome import BinaryOutcome
    from driftline.models.performance.protocol import Snapshot


class BinaryPanes:
    """The last `count` panes of `size` pairs.

    Attributes
    ----------
    window
        The index of the window in the bank, for kernels that count pairs.

    """

    __slots__ = ("_bank", "_ring", "window")

    def __init__(self, bank: BinaryBank, count: int, size: int, max_bins: int) -> None:
        self._bank: Final = bank
        self._ring: list[BinaryPerformance] = [BinaryPerformance(max_bins, bank) for _ in range(count)]
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

    def update(self, outcome: BinaryOutcome) -> None:
        """Count one pair, and forget the oldest pane when a new one begins."""
        record = pane(self._bank.arrays, self.window)
        next(performance for performance in self._ring if performance.record == record).update(outcome)

    def __iter__(self) -> Iterator[BinaryPerformance]:
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
        used = [BinaryPerformance.restore(of_pane, self._bank) for of_pane in snapshot["used"]]
        self._ring = [*self._ring[len(used) :], *used]
        self._close_ring()
