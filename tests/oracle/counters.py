"""Models counted in Python's integers and nothing else, against which the compiled counters are held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.models.performance import BinaryScoring, MulticlassScoring, RegressionScoring
from driftline.models.performance.binary_sums import WeightedPairs
from driftline.models.performance.multiclass_sums import MulticlassSums
from driftline.models.performance.regression_sums import RegressionSums
from tests.oracle.panes import TumblingPanes

if TYPE_CHECKING:
    from driftline.models.performance import BinaryOutcome, MulticlassOutcome, RegressionOutcome


class IntegerBinary(BinaryScoring):
    """Reads pairs as its base does; its counters and windows are those that any task could have."""

    def new(self) -> Any:  # noqa: ANN401 - other counters are its purpose
        return WeightedPairs()

    def new_compact(self) -> Any:  # noqa: ANN401 - as above
        return WeightedPairs(128)

    def new_panes(self, count: int, size: int) -> TumblingPanes[BinaryOutcome]:  # type: ignore[override]  # as above
        return TumblingPanes(self, count, size)


class IntegerMulticlass(MulticlassScoring):
    """The same for several classes."""

    def new(self) -> Any:  # noqa: ANN401 - as above
        return MulticlassSums(self._classes)

    def new_compact(self) -> Any:  # noqa: ANN401 - as above
        return MulticlassSums(self._classes)

    def new_panes(self, count: int, size: int) -> TumblingPanes[MulticlassOutcome]:  # type: ignore[override]  # as above
        return TumblingPanes(self, count, size)


class IntegerRegression(RegressionScoring):
    """The same for numbers."""

    def new(self) -> Any:  # noqa: ANN401 - as above
        return RegressionSums()

    def new_compact(self) -> Any:  # noqa: ANN401 - as above
        return RegressionSums()

    def new_panes(self, count: int, size: int) -> TumblingPanes[RegressionOutcome]:  # type: ignore[override]  # as above
        return TumblingPanes(self, count, size)
