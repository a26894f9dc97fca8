"""Intervals of 95 % for what is counted."""

from __future__ import annotations

from typing import Final

from scipy.stats import beta, chi2

_SURE: Final = 0.95


def interval(count: int, events: int) -> tuple[float, float]:
    """Return the exact interval of a rate for a million events (Garwood, 1936)."""
    tail = (1.0 - _SURE) / 2.0
    low = float(chi2.ppf(tail, 2 * count)) / 2.0 if count else 0.0
    return low / events * 1e6, float(chi2.ppf(1.0 - tail, 2 * count + 2)) / 2.0 / events * 1e6


def share_interval(hits: int, n: int) -> tuple[float, float]:
    """Return the exact interval of a share (Clopper and Pearson, 1934)."""
    tail = (1.0 - _SURE) / 2.0
    low = float(beta.ppf(tail, hits, n - hits + 1)) if hits else 0.0
    return low, float(beta.ppf(1.0 - tail, hits + 1, n - hits)) if hits < n else 1.0
