"""How far the recent values of a stream are from its reference.

A measure maps each value into [0, 1] for the detector, and recent values to an `Effect`. The effect's `value` is a
lower bound (two standard errors below the estimate), so that a page never rests on a handful of events; `before` and
`after` are plain estimates in the stream's own unit.
"""

from __future__ import annotations

import math
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final, Protocol

from driftline.schemas.alerts import Effect

if TYPE_CHECKING:
    from collections.abc import Sequence

STANDARD_ERRORS: Final = 2.0


class Measure(Protocol):
    """What a `Stream` needs to know of its values."""

    def unit(self, value: float) -> float:
        """Map a value into [0, 1]; in an unchanged stream the mean does not move."""

    def effect(self, recent: Sequence[float]) -> Effect:
        """Compare recent values, at least one, with the reference."""

    def snapshot(self) -> list[Any]:
        """Return plain values whose first is the measure's name in `restore_measure`."""


def standard_error(values: Sequence[float], mean: float) -> float:
    """Return the standard error of the mean of at least one value."""
    return math.sqrt(fmean((value - mean) ** 2 for value in values) / len(values))


class ShareGrowth:
    """How much larger the share of ones is than in the reference; for streams of zeros and ones.

    Examples
    --------
    >>> effect = ShareGrowth("error_rate", before=0.1).effect([1.0] * 40 + [0.0] * 60)
    >>> round(effect.value, 2), effect.after
    (0.2, 0.4)

    """

    __slots__ = ("_before", "name")

    def __init__(self, name: str, before: float) -> None:
        self.name = name
        self._before = before

    def unit(self, value: float) -> float:
        """Return the value: it is 0 or 1."""
        return value

    def effect(self, recent: Sequence[float]) -> Effect:
        """Return the growth of the share."""
        after = fmean(recent)
        # One more of each kind (Agresti and Coull) keeps the error of 0 out of 10 from being nothing.
        n = len(recent) + 2
        guess = (after * len(recent) + 1) / n
        error = math.sqrt(guess * (1 - guess) / n)
        value = max(after - self._before - STANDARD_ERRORS * error, 0.0)
        return Effect(measure=self.name, value=value, before=self._before, after=after)

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return ["share", self.name, self._before]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> ShareGrowth:
        """Rebuild what `snapshot` returned."""
        return cls(snapshot[1], snapshot[2])


class Residual:
    """How far the mean of residuals in [-1, 1], 0 in the reference, has moved to either side.

    Examples
    --------
    >>> round(Residual("calibration").effect([0.2] * 50 + [-0.1] * 50).value, 2)
    0.02

    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def unit(self, value: float) -> float:
        """Map [-1, 1] to [0, 1]."""
        return (value + 1) / 2

    def effect(self, recent: Sequence[float]) -> Effect:
        """Return the absolute mean."""
        after = fmean(recent)
        error = standard_error(recent, after)
        value = max(abs(after) - STANDARD_ERRORS * error, 0.0)
        return Effect(measure=self.name, value=value, before=0.0, after=after)

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return ["residual", self.name]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Residual:
        """Rebuild what `snapshot` returned."""
        return cls(snapshot[1])
