"""What the features of `benchmarks.detection` are like, and how often predictions are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.signal import lfilter

from benchmarks.detection_streams import FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from benchmarks.detection_streams import Floats, Noise


def normal(noise: Noise, start: int, end: int) -> Floats:
    """Nothing but noise."""
    return noise.random.standard_normal((end - start, FEATURES))


def heavy(noise: Noise, start: int, end: int) -> Floats:
    """Student's t of three degrees of freedom."""
    return noise.random.standard_t(3, (end - start, FEATURES))


def lognormal(noise: Noise, start: int, end: int) -> Floats:
    """Values whose logarithm is normal."""
    return noise.random.lognormal(0.0, 1.0, (end - start, FEATURES))


def zero_inflated(noise: Noise, start: int, end: int) -> Floats:
    """Seven of ten values are 0."""
    values = noise.random.lognormal(0.0, 1.0, (end - start, FEATURES))
    values[noise.random.random(values.shape) < 0.7] = 0.0  # noqa: PLR2004 - seven of ten
    return values


def counts(noise: Noise, start: int, end: int) -> Floats:
    """Small whole numbers."""
    return noise.random.poisson(3.0, (end - start, FEATURES)).astype(np.float64)


def autoregressive(related: float) -> Callable[[Noise, int, int], Floats]:
    """Return what makes each value follow the one before it."""

    def make(noise: Noise, start: int, end: int) -> Floats:
        shocks = noise.random.standard_normal((end - start, FEATURES)) * np.sqrt(1.0 - related**2)
        before = noise.state.get("filter", related * noise.random.standard_normal((1, FEATURES)))
        values, noise.state["filter"] = lfilter([1.0], [1.0, -related], shocks, axis=0, zi=before)
        return np.asarray(values)

    return make


def daily(noise: Noise, start: int, end: int) -> Floats:
    """Twice the noise goes up and down with the time of day, each feature at its own hour."""
    hours = 2.0 * np.pi * (np.arange(start, end)[:, None] / noise.per_day + np.arange(FEATURES) / FEATURES)
    return np.sin(hours) + noise.random.standard_normal((end - start, FEATURES))


def correlated(noise: Noise, start: int, end: int) -> Floats:
    """All features follow one that is not seen."""
    common = noise.random.standard_normal((end - start, 1))
    return np.asarray(0.9 * common + np.sqrt(1.0 - 0.81) * noise.random.standard_normal((end - start, FEATURES)))


def categories(related: float, *, hours: float = 0.0) -> Callable[[Noise, int, int], Floats]:
    """Return what makes ten features of 2 to 15 categories, the k-th of which is as frequent as 1 / k.

    Each is the one before it, or drawn anew; what is drawn goes up and down with the time of day by a share of `hours`.
    """

    def make(noise: Noise, start: int, end: int) -> Floats:
        values = noise.random.standard_normal((end - start, FEATURES))
        angle = 2.0 * np.pi * np.arange(start, end) / noise.per_day
        for nth, most in enumerate(_MOST):
            numbers = np.arange(most)
            weights = (1.0 + hours * np.sin(angle[:, None] + 2.0 * numbers)) / (1.0 + numbers)
            shares = np.cumsum(weights / weights.sum(axis=1, keepdims=True), axis=1)
            fresh = (noise.random.random((end - start, 1)) > shares[:, :-1]).sum(axis=1).astype(np.float64)
            anew = noise.random.random(end - start) >= related
            anew[0] |= start == 0
            last = np.maximum.accumulate(np.where(anew, np.arange(end - start), -1))
            values[:, nth] = np.where(last >= 0, fresh[last], noise.state.get(nth, 0.0))
            noise.state[nth] = values[-1, nth]
        return values

    return make


_MOST: Final = (2, 3, 4, 5, 6, 8, 10, 12, 15, 15)


def independent_errors(rate: float) -> Callable[[Noise, int, int], npt.NDArray[np.bool_]]:
    """Return what makes errors, each by itself."""

    def make(noise: Noise, start: int, end: int) -> npt.NDArray[np.bool_]:
        noise.state["rate"] = rate
        return noise.random.random(end - start) < rate

    return make


def markov_errors(rate: float, related: float) -> Callable[[Noise, int, int], npt.NDArray[np.bool_]]:
    """Return what makes errors in bursts: each event is as the one before it, or drawn anew."""

    def make(noise: Noise, start: int, end: int) -> npt.NDArray[np.bool_]:
        noise.state["rate"] = rate
        drawn = noise.random.random(end - start) < rate
        anew = noise.random.random(end - start) >= related
        anew[0] |= start == 0
        last = np.maximum.accumulate(np.where(anew, np.arange(end - start), -1))
        errors = np.where(last >= 0, drawn[last], noise.state.get("error", False))
        noise.state["error"] = bool(errors[-1])
        return errors

    return make


def daily_errors(rate: float) -> Callable[[Noise, int, int], npt.NDArray[np.bool_]]:
    """Return what makes errors that come and go with the time of day, by three fifths."""

    def make(noise: Noise, start: int, end: int) -> npt.NDArray[np.bool_]:
        noise.state["rate"] = rate
        angle = 2.0 * np.pi * np.arange(start, end) / noise.per_day
        return np.asarray(noise.random.random(end - start) < rate * (1.0 + 0.6 * np.sin(angle)))

    return make
