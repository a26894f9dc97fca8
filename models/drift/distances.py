"""How far two distributions are apart, as people know it, from how often values fall into the bins of a reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.measure import BINS
from driftline.schemas.alerts import Distances

if TYPE_CHECKING:
    from driftline.models.drift.measure import Tally

_OF_RANKS: Final = BINS - 1  # bins that share out the reference; beyond its maximum there is one more


def distances(before: Tally, after: Tally, *, ordered: bool) -> Distances | None:
    """Compare counts by bin, of a reference and after it; None if one of them is of nothing.

    Only bins in an `ordered` row have a Kolmogorov-Smirnov and a Wasserstein distance. What is within a bin is not
    told apart, so that these two may be larger by as much as a bin holds.

    Examples
    --------
    >>> distances([10, 10], [20, 0], ordered=False)
    Distances(jensen_shannon=0.558, hellinger=0.541, kolmogorov_smirnov=None, wasserstein=None)

    """
    counts = np.array([before, after], float)
    totals = counts.sum(axis=1, keepdims=True)
    if not totals.all():
        return None
    shares = counts / totals
    mean = shares.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        divergence = float(np.nansum(shares * np.log2(shares / mean)) / 2.0)
    hellinger = float(np.linalg.norm(np.diff(np.sqrt(shares), axis=0))) / np.sqrt(2.0)
    apart = np.abs(np.diff(np.cumsum(shares, axis=1), axis=0))[0] if ordered else None
    return Distances(
        jensen_shannon=_rounded(np.sqrt(max(divergence, 0.0))),
        hellinger=_rounded(hellinger),
        kolmogorov_smirnov=None if apart is None else _rounded(apart.max()),
        wasserstein=None if apart is None else _rounded(apart[:_OF_RANKS].mean()),
    )


def _rounded(distance: float) -> float:
    return round(float(distance), 3)
