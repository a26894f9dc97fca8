"""How far the recent values of a stream are from its reference.

A measure maps each value into [0, 1] for the detector, and recent values to an `Effect`. The effect's `value` is a
lower bound (two standard errors below the estimate, that of the reference included), so that a page never rests on a
handful of events; `before` and `after` are plain estimates in the stream's own unit.

What is computed stands in `driftline.models.kernels.measure`; here is what each kind is for, and how it is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from driftline.models.drift.packed import pack_record
from driftline.models.kernels import measure as kernels
from driftline.schemas.alerts import Effect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.kernels.types import Doubles, Record

    Tally = Sequence[float] | Doubles


class Measure:
    """What a `Stream` needs to know of its values.

    Parameters
    ----------
    name
        What alerts call the effect.

    """

    kind: ClassVar[int]
    layout: ClassVar[np.dtype[np.void]]
    sums: ClassVar[int] = kernels.MOMENTS

    def __init__(self, name: str) -> None:
        self.name = name
        self.record: Record = np.zeros(1, self.layout)[0]
        self.record["kind"] = self.kind
        self.record["spread"] = 1.0

    def unit(self, value: float) -> float:
        """Map a value into [0, 1]; in an unchanged stream the mean does not move."""
        return kernels.unit(self.record, value)

    def tally(self, values: Sequence[float]) -> Doubles:
        """Sum up at least one value; the tallies of several runs of values add up, item by item."""
        summed = np.empty(self.sums)
        kernels.tally(self.record, np.array(values, float), len(values), summed)
        return summed

    def effect(self, recent: Sequence[float], tally: Tally | None = None) -> Effect:
        """Compare recent values, at least one, with the reference, or what was summed up; a median is of the recent."""
        summed = self.tally(recent) if tally is None else np.array(tally, float)
        at_least, _ = kernels.bounds(self.record, summed)
        middle = kernels.middle(self.record, np.array(recent, float), len(recent))
        after = kernels.after(self.record, middle, summed)
        return Effect(measure=self.name, value=at_least, before=float(self.record["before"]), after=after)

    def snapshot(self) -> list[Any]:
        """Return plain values; `restore_measure` reads them."""
        return [self.kind, self.name, pack_record(self.record)]


class ShareGrowth(Measure):
    """How much larger the share of ones is than in the reference; for streams of zeros and ones.

    Parameters
    ----------
    before, reference
        The share in the reference, and the values that it is of.

    Examples
    --------
    >>> effect = ShareGrowth("error_rate", before=0.1, reference=1000).effect([1.0] * 40 + [0.0] * 60)
    >>> round(effect.value, 2), effect.after
    (0.2, 0.4)

    """

    kind = kernels.SHARE
    layout = kernels.PLAIN

    def __init__(self, name: str, before: float, reference: int) -> None:
        super().__init__(name)
        self.record["before"] = before
        self.record["reference"] = reference


class Residual(Measure):
    """How far the mean of residuals in [-1, 1], 0 in the reference, has moved to either side.

    Parameters
    ----------
    reference
        How many values the reference has.

    Examples
    --------
    >>> round(Residual("calibration", reference=1000).effect([0.2] * 50 + [-0.1] * 50).value, 2)
    0.02

    """

    kind = kernels.RESIDUAL
    layout = kernels.PLAIN

    def __init__(self, name: str, reference: int) -> None:
        super().__init__(name)
        self.record["reference"] = reference


class CategoryPsi(Measure):
    """Population stability index of categories, by their numbers, against the reference.

    Parameters
    ----------
    counts
        How often each was in the reference.

    Examples
    --------
    >>> measure = CategoryPsi([500, 500])
    >>> round(measure.effect([0.0] * 450 + [1.0] * 50).value, 1)
    0.9

    """

    kind = kernels.FREQUENCY
    layout = kernels.BINNED
    sums = kernels.BINS

    def __init__(self, counts: Sequence[int] = (), name: str = "psi") -> None:
        super().__init__(name)
        self.record["bins"][: len(counts)] = counts
        self.record["reference"] = sum(counts)
