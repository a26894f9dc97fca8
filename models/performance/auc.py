"""ROC-AUC of a stream in bounded memory: positives and negatives in bins of the score's logit."""

from __future__ import annotations

import math
from functools import reduce
from itertools import accumulate
from operator import or_
from typing import TYPE_CHECKING, Any, Final, Self

from driftline.models.kernels.logit_bins import BINS_PER_LOGIT, HIGHEST, ORIGIN
from driftline.models.performance.exact import ONE, divide, dump, load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from driftline.models.performance.protocol import Snapshot

MAX_BINS: Final = 1024

# Why the logit, why bins that adapt, and why they know where in them the scores lie: largest |AUC - roc_auc_score| of
# scikit-learn over 2 streams of 1,000,000 pairs. Fixed bins count half for each pair in one bin.
#
#                                        1024 on [0, 1]   1024 on logit [-16, 16]   these, 1024   these, 128
#     calibrated, base rate .3                  5e-7                1e-5                4e-8          8e-8
#     calibrated, base rate .001                3e-2                1e-4                1e-6          6e-6
#     separated 3 sd, base rate .001            1e-3                5e-5                2e-7          5e-7
#     all about equal: logits' sd .01           2e-2                9e-2                5e-8          2e-7
#     sure of itself, 1 in 20 at 0 or 1         6e-2                1e-2                3e-8          4e-8
#     rounded to 4 decimals                     7e-7                2e-5                2e-8          3e-8
#     30 % at one score, base rate .001         2e-2                1e-3                2e-4          7e-4
#     half with sd .001, half with sd 3         4e-2                2e-2                2e-2          2e-2
#
# The last two rows are their limit. Where positives are few and one score is very common, those that share a bin with
# it are misplaced by up to half its share; and a wide half of the scores leaves a narrow one few bins.
#
# Fixed bins must choose between range and width. These are 2**-20 wide at first, a millionth of a logit, and double
# their width only when more than 1024 are in use. Up to 1024 scores that are further apart give the exact result;
# with more, mostly 512 to 1024 bins lie where the scores do. The width depends on which scores came and not on their
# order, so merging is exact. Range costs nothing: it is all of float64's, from the smallest score above 0 (logit
# -744.4) to the largest below 1 (36.7).
#
# Within a bin a positive beats a negative with probability 1/2 + (mean positive - mean negative) / width: right for a
# pair drawn uniformly and for ties at one score, whereas counting half for all costs a positive its place in the
# bin, which is most of the error where positives are few. The mean comes from an exact sum of positions.


def logit_bin(score: float) -> int:
    """Return the finest bin of a score, counted from 0; scores of 0 and 1 and beyond go to the edges.

    Examples
    --------
    >>> logit_bin(0.0), (logit_bin(0.75) - logit_bin(0.5)) / 2**20  # log 3 = 1.0986123
    (0, 1.098611831665039)

    """
    if score <= 0.0:
        return 0
    if score >= 1.0:
        return HIGHEST
    return ORIGIN + math.floor(math.log(score / (1.0 - score)) * BINS_PER_LOGIT)


def area_under(cells: Iterable[Sequence[int]], width: int) -> float | None:
    """Return the area under the ROC curve; None without weight in both classes.

    Parameters
    ----------
    cells
        By bin, in order: weight and sum of weight * position of the negatives, then of the positives. Positions in a
        bin may be counted from anywhere, and weights in any unit.
    width
        Of a bin, in units of a position.

    """
    area = below = above = 0  # area in units of half a width
    for negatives, negative_positions, positives, positive_positions in cells:
        both = width * positives * negatives
        lead = 2 * (positive_positions * negatives - negative_positions * positives)
        area += 2 * width * positives * below + min(max(both + lead, 0), 2 * both)
        below += negatives
        above += positives
    return divide(area, 2 * width * above * below)


class LogitBins:
    """Weights and positions of positives and negatives in at most `max_bins` bins of the logit.

    Parameters
    ----------
    max_bins
        Bins in use, at least 1. Memory is about 250 bytes for each.

    Examples
    --------
    >>> bins = LogitBins()
    >>> for score, positive in [(0.9, True), (0.8, True), (0.8, False), (0.1, False)]:
    ...     bins.update(logit_bin(score), positive)
    >>> bins.roc_auc()
    0.875

    """

    __slots__ = ("_cells", "_max_bins", "_shift")

    def __init__(self, max_bins: int = MAX_BINS) -> None:
        self._max_bins: Final = max_bins
        self._shift = 0  # a bin here is 2**shift of the finest
        # By bin: weight and sum of weight * finest bin of the negatives, then of the positives.
        self._cells: dict[int, list[int]] = {}

    def update(self, finest_bin: int, positive: bool, weight: int = ONE) -> None:  # noqa: FBT001 - it is what is counted
        """Count a pair whose score is in `finest_bin`, with its weight in units."""
        key = finest_bin >> self._shift
        cell = self._cells.get(key)
        if cell is None:
            cell = self._cells[key] = [0, 0, 0, 0]
        of_class = 2 if positive else 0
        cell[of_class] += weight
        cell[of_class + 1] += weight * finest_bin
        if len(self._cells) > self._max_bins:
            self._widen()

    @property
    def shift(self) -> int:
        """How wide the bins are: ``2**shift`` times the finest."""
        return self._shift

    def widen_to(self, shift: int) -> None:
        """Make the bins at least ``2**shift`` times the finest."""
        self._fold(max(0, shift - self._shift))

    def _widen(self) -> None:
        """Double the width until the bins in use are not too many."""
        shift = 0
        while len({key >> shift for key in self._cells}) > self._max_bins:
            shift += 1
        self._fold(shift)

    def _fold(self, shift: int) -> None:
        """Make the bins ``2**shift`` times as wide."""
        if shift:
            cells, self._cells = self._cells, {}
            self._add(cells, shift)
            self._shift += shift

    def _add(self, cells: Mapping[int, list[int]], shift: int) -> None:
        """Add the contents of `cells` to the bins that are ``2**shift`` times as wide."""
        for key, cell in cells.items():
            mine = self._cells.get(key >> shift)
            self._cells[key >> shift] = cell if mine is None else [a + b for a, b in zip(mine, cell, strict=True)]

    def merge(self, other: LogitBins) -> None:
        """Add what `other` has counted; the bound on bins stays this one's."""
        self.widen_to(other._shift)
        self._add({key: list(cell) for key, cell in other._cells.items()}, self._shift - other._shift)
        self._widen()

    def roc_auc(self) -> float | None:
        """Return the area under the ROC curve; None without weight in both classes."""
        return area_under(map(self._cells.__getitem__, sorted(self._cells)), 1 << self._shift)

    @classmethod
    def counted(cls, max_bins: int, shift: int, rows: Iterable[Sequence[int]]) -> Self:
        """Return the bins of pairs of weight 1.

        Each row has a bin's key, then count and sum of offsets from its edge of its negatives, then of its positives.
        """
        bins = cls(max_bins)
        bins._shift = shift
        for key, negatives, negative_offsets, positives, positive_offsets in rows:
            edge = key << shift
            positions = (negative_offsets + edge * negatives, positive_offsets + edge * positives)
            bins._cells[key] = [negatives * ONE, positions[0] * ONE, positives * ONE, positions[1] * ONE]
        return bins

    def snapshot(self) -> Snapshot:
        """Return the bins in use: the distance from each to the next, and what is in it, by column."""
        keys = sorted(self._cells)
        # Distances, and positions from the lower edge of the bin, are small numbers.
        steps = [key - before for before, key in zip([0, *keys], keys, strict=False)]
        cells = [self._cells[key] for key in keys]
        edges = [key << self._shift for key in keys]
        columns = [
            [cell[0] for cell in cells],
            [cell[1] - edge * cell[0] for cell, edge in zip(cells, edges, strict=True)],
            [cell[2] for cell in cells],
            [cell[3] - edge * cell[2] for cell, edge in zip(cells, edges, strict=True)],
        ]
        packed = [_without_zeros(column) for column in columns]
        return {"max_bins": self._max_bins, "shift": self._shift, "steps": steps, "columns": packed}

    @classmethod
    def restore(cls, snapshot: Mapping[str, Any]) -> Self:
        """Return the bins that a snapshot describes."""
        bins = cls(snapshot["max_bins"])
        shift = bins._shift = snapshot["shift"]
        columns = [[load(value, 0) << zeros for value in values] for zeros, values in snapshot["columns"]]
        for key, negatives, negative_offsets, positives, positive_offsets in zip(
            accumulate(snapshot["steps"]), *columns, strict=True
        ):
            edge = key << shift
            bins._cells[key] = [
                negatives,
                negative_offsets + edge * negatives,
                positives,
                positive_offsets + edge * positives,
            ]
        return bins


def _without_zeros(column: list[int]) -> tuple[int, list[int | str]]:
    """Return how many binary zeros all numbers end in, and the numbers without: short ones where weights are simple."""
    bits = reduce(or_, column, 0)
    zeros = max((bits & -bits).bit_length() - 1, 0)
    return zeros, [dump(value >> zeros, 0) for value in column]
