"""Binary models counted in Python's integers and nothing else, against which the compiled counters are held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.models.performance import BinaryScoring
from driftline.models.performance.panes import TumblingPanes
from driftline.models.performance.weighted import WeightedPairs

if TYPE_CHECKING:
    from driftline.models.performance import BinaryOutcome


class IntegerScoring(BinaryScoring):
    """Reads pairs as its base does; its counters and windows are those that any task could have."""

    def new(self) -> WeightedPairs:  # type: ignore[override]  # other counters are its purpose
        return WeightedPairs()

    def new_compact(self) -> WeightedPairs:  # type: ignore[override]  # as above
        return WeightedPairs(128)

    def new_panes(self, count: int, size: int) -> TumblingPanes[BinaryOutcome]:  # type: ignore[override]  # as above
        return TumblingPanes(self, count, size)
