"""What values were like a week ago, so that what comes back each week pages nobody.

A weekend is too long for its hours to be learned apart, as those of a day are (`driftline.models.kernels.season`): that
would take a week's hours for each stream. So what values are like is kept for each quarter of a day, for a week. What
then stands apart from the reference and was as far from it at the same time of the week before, in the same way, is
for information alone; where it goes further than that, it is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.kernels import measure as measures
from driftline.models.kernels.season import DAY

if TYPE_CHECKING:
    from driftline.models.kernels.types import Doubles, Record

WEEK: Final = 7 * DAY
"""Milliseconds."""

_QUARTER: Final = DAY // 4
_KEPT: Final = WEEK // _QUARTER + 4  # quarters of a day, so that the newest values may take one
_HALF: Final = 0.5
_ALIKE: Final = 0.1  # of what is far from the reference: where that has hardly any values, an index scatters by more


class Week:
    """The tallies of a stream's values by quarter of a day, as `driftline.models.kernels.measure` sums them up.

    Examples
    --------
    >>> from driftline.models.drift.measure import ShareGrowth
    >>> week, record = Week(), ShareGrowth("error_rate", 0.1, 10_000).record
    >>> for n in range(28):
    ...     week.note(n * DAY // 4, np.array([256.0, 26.0 if n else 77.0, 0.0]))
    >>> week.was_so(record, 0.05, WEEK, WEEK + 60_000, np.array([256.0, 80.0, 0.0]))
    True
    >>> week.was_so(record, 0.05, WEEK, WEEK + 60_000, np.array([256.0, 160.0, 0.0]))
    False

    """

    def __init__(self) -> None:
        self._quarters: dict[int, Doubles] = {}
        self._by_hour = False

    def note(self, at: int, summed: Doubles, *, by_hour: bool = False) -> None:
        """Add the tally of values that came up to a time, in epoch milliseconds.

        Once these are without their hour (`by_hour`), those that were not are forgotten: they are of another kind.
        """
        if by_hour and not self._by_hour:
            self._by_hour = True
            self._quarters.clear()
        quarter = at // _QUARTER
        if quarter in self._quarters:
            self._quarters[quarter] = self._quarters[quarter] + summed
            return
        self._quarters[quarter] = summed
        while len(self._quarters) > _KEPT:
            del self._quarters[min(self._quarters)]

    def was_so(self, measure: Record, min_effect: float, since: int, until: int, summed: Doubles) -> bool:
        """Return whether values that came between two times are as they were a week before, and not all the week since.

        Parameters
        ----------
        measure
            What says how far they are from the reference.
        min_effect
            From which on that matters.
        since, until
            When the first and the last of them came.
        summed
            Their tally.

        """
        then = self._between(since - WEEK, until - WEEK, len(summed))
        if not then.any() or measures.bounds(measure, then)[0] < _HALF * min_effect:
            return False
        if not self._came_back(measure, min_effect, until - WEEK, since):
            return False
        other, moved = _relative_to(measure, then, summed)
        far, apart = measures.bounds(measure, summed)[0], measures.bounds(other, moved)[0]
        return apart < min_effect + _ALIKE * far

    def _came_back(self, measure: Record, min_effect: float, since: int, until: int) -> bool:
        """Return whether in half of the quarters between two times, or more, values were as in the reference."""
        within = [summed for quarter, summed in self._quarters.items() if since < quarter * _QUARTER < until - _QUARTER]
        usual = sum(measures.bounds(measure, summed, 0.0)[0] < _HALF * min_effect for summed in within)
        return 2 * usual >= max(len(within), 1)

    def _between(self, since: int, until: int, width: int) -> Doubles:
        """Return the tally of two quarters or more by how much of the time between is of each: all of one alone."""
        then, whole = np.zeros(width), until - since + 1
        for quarter, summed in self._quarters.items():
            begins = quarter * _QUARTER
            within = min(until + 1, begins + _QUARTER) - max(since, begins)
            if within > 0:
                then += summed * (within / whole)
        return then

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return [self._by_hour, [[quarter, summed.tolist()] for quarter, summed in self._quarters.items()]]

    def restore(self, snapshot: list[Any]) -> None:
        """Take over what `snapshot` returned."""
        self._by_hour, quarters = snapshot
        self._quarters = {quarter: np.array(summed) for quarter, summed in quarters}


def _relative_to(measure: Record, then: Doubles, summed: Doubles) -> tuple[Record, Doubles]:
    """Return a measure whose reference are other values, by their tally, and a tally as that measure would have it."""
    other = measure.copy()
    if measure["kind"] in {measures.PSI, measures.FREQUENCY}:
        other["bins"], other["reference"] = then, then.sum()
        return other, summed
    n, total, _ = then.tolist()
    other["reference"] = n
    if measure["kind"] == measures.SHARE:
        other["before"] = total / n
        return other, summed
    count, added, squares = summed.tolist()
    off = total / n
    if measure["kind"] == measures.MEAN:
        other["before"] = measure["before"] + off
    return other, np.array([count, added - count * off, squares - 2.0 * off * added + count * off * off])
