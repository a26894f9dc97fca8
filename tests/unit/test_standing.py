"""How long a stream is to stand apart before that is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from driftline.models.drift.measure import CategoryPsi
from driftline.models.kernels import standing
from driftline.models.kernels.measure import BINS

if TYPE_CHECKING:
    from collections.abc import Sequence

PANE: Final = 512
MIN_EFFECT: Final = 0.1


def panes_until_told(counts: Sequence[int], spread: float, panes: int = 40) -> int | None:
    """Return after how many panes, all with these counts, it is told that they stand apart from a half of each."""
    measure = CategoryPsi([50_000, 50_000])
    record = np.zeros(1, standing.layout(BINS, "u2"))[0]
    record["spread"] = spread
    standing.restart(record, 0, 0)
    summed = np.array([*counts, *[0] * (BINS - len(counts))], float)
    for nth in range(1, panes + 1):
        standing.update(record, measure.record, MIN_EFFECT, 0.0, PANE, summed, nth * PANE)
        if record["lasting"]["found"]:
            return nth
    return None


@pytest.mark.parametrize(("spread", "panes"), [(1.0, 2), (4.0, 2), (4.1, 4), (8.0, 4), (8.1, 16), (32.0, 16)])
def test_windows_are_as_long_as_they_are_worth_128_independent_values(spread: float, panes: int) -> None:
    assert panes_until_told([460, 52], spread) == panes


def test_of_values_that_hardly_change_no_window_is_long_enough() -> None:
    assert panes_until_told([460, 52], spread=32.1) is None


def test_what_stands_where_it_stood_is_not_told() -> None:
    assert panes_until_told([256, 256], spread=1.0) is None
