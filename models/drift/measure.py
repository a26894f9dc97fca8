"""How far the recent values of a stream are from its reference.

A measure maps each value into [0, 1] for the detector, and recent values to an `Effect`. The effect's `value` is a
lower bound (two standard errors below the estimate, that of the reference included), so that a page never rests on a
handful of events; `before` and `after` are plain estimates in the stream's own unit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Protocol

from driftline.schemas.alerts import Effect

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Tally = Sequence[float]

STANDARD_ERRORS: Final = 2.0


class Measure(Protocol):
    """What a `Stream` needs to know of its values."""

    def unit(self, value: float) -> float:
        """Map a value into [0, 1]; in an unchanged stream the mean does not move."""

    def tally(self, values: Sequence[float]) -> Tally:
        """Sum up at least one value; the tallies of several runs of values add up, item by item."""

    def bounds(self, tally: Tally) -> tuple[float, float]:
        """Return how far what was summed up is from the reference, at least and at most, from 0 up."""

    def effect(self, recent: Sequence[float], tally: Tally | None = None) -> Effect:
        """Compare recent values, at least one, with the reference, or what was summed up; a median is of the recent."""

    def snapshot(self) -> list[Any]:
        """Return plain values whose first is the measure's name in `restore_measure`."""


def moments(values: Iterable[float]) -> Tally:
    """Return how many values there are, their sum, and the sum of their squares."""
    listed = list(values)
    return [len(listed), math.fsum(listed), math.fsum(value * value for value in listed)]


def mean_and_error(tally: Tally, reference: int) -> tuple[float, float]:
    """Return the mean of what `moments` gave, and the standard error of its distance from that of so many values."""
    n, total, squares = tally
    mean = total / n
    return mean, math.sqrt(max(squares / n - mean * mean, 0.0) * (1 / n + 1 / reference))


def around(estimate: float, error: float) -> tuple[float, float]:
    """Return the bounds that are two standard errors below and above an estimate, from 0 up."""
    return max(estimate - STANDARD_ERRORS * error, 0.0), max(estimate + STANDARD_ERRORS * error, 0.0)


class ShareGrowth:
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

    __slots__ = ("_before", "_reference", "name")

    def __init__(self, name: str, before: float, reference: int) -> None:
        self.name = name
        self._before = before
        self._reference = reference

    def unit(self, value: float) -> float:
        """Return the value: it is 0 or 1."""
        return value

    def tally(self, values: Sequence[float]) -> Tally:
        """Count the values and the ones."""
        return [len(values), math.fsum(values)]

    def bounds(self, tally: Tally) -> tuple[float, float]:
        """Return the growth of the share, at least and at most."""
        n, ones = tally
        # One more of each kind (Agresti and Coull) keeps the error of 0 out of 10 from being nothing.
        guess = (ones + 1) / (n + 2)
        error = math.sqrt(guess * (1 - guess) * (1 / (n + 2) + 1 / self._reference))
        return around(ones / n - self._before, error)

    def effect(self, recent: Sequence[float], tally: Tally | None = None) -> Effect:
        """Return the growth of the share."""
        tally = tally or self.tally(recent)
        value, _ = self.bounds(tally)
        return Effect(measure=self.name, value=value, before=self._before, after=tally[1] / tally[0])

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return ["share", self.name, self._before, self._reference]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> ShareGrowth:
        """Rebuild what `snapshot` returned."""
        return cls(*snapshot[1:])


class Residual:
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

    __slots__ = ("_reference", "name")

    def __init__(self, name: str, reference: int) -> None:
        self.name = name
        self._reference = reference

    def unit(self, value: float) -> float:
        """Map [-1, 1] to [0, 1]."""
        return (value + 1) / 2

    def tally(self, values: Sequence[float]) -> Tally:
        """Sum up the residuals."""
        return moments(values)

    def bounds(self, tally: Tally) -> tuple[float, float]:
        """Return the absolute mean, at least and at most."""
        mean, error = mean_and_error(tally, self._reference)
        return around(abs(mean), error)

    def effect(self, recent: Sequence[float], tally: Tally | None = None) -> Effect:
        """Return the absolute mean."""
        tally = tally or self.tally(recent)
        value, _ = self.bounds(tally)
        return Effect(measure=self.name, value=value, before=0.0, after=tally[1] / tally[0])

    def snapshot(self) -> list[Any]:
        """Return plain values."""
        return ["residual", self.name, self._reference]

    @classmethod
    def restore(cls, snapshot: list[Any]) -> Residual:
        """Rebuild what `snapshot` returned."""
        return cls(*snapshot[1:])
