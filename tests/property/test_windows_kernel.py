"""Windows that take 32 whole numbers at a time decide as ADWIN does, and hold the same sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from driftline.models.kernels import adwin, windows
from driftline.models.kernels.windows import BITS, CLOCK, MOST, NUMBERS, ROWS, SHAPE

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNITS = pytest.mark.parametrize(("unit", "of_type"), [(512.0, NUMBERS), (1.0, BITS)], ids=["ranks", "bits"])


@njit
def drive(window: Any, shape: Any, values: Any, unit: float, delta: float, widths: Any) -> int:  # noqa: ANN401, PLR0913, PLR0917
    """Take values until there is a cut; note the width after each 32, and return how many were taken."""
    held = np.empty(CLOCK, np.int64)
    for first in range(0, len(values), CLOCK):
        n = windows.step(shape)
        for start in range(first, first + CLOCK, n):
            windows.weigh(window, shape, values, start, n, unit)
            if shape.width == MOST:
                windows.forget(window, shape, shape.width + 1, unit)
                windows.shrink(shape)
            for place in range(n):
                held[place] = values[start + place] if unit == 1.0 else windows.packed(values[start + place])
            windows.insert(window.sums, shape.counts, held, 0, n)
            windows.grow(shape, n)
        odds = windows.log_odds(float(shape.width), delta)
        if windows.is_cut(window, shape, odds, unit):
            widths[first // CLOCK] = windows.cut(window, shape, delta, unit)
            return first + CLOCK
        widths[first // CLOCK] = shape.width
    return len(values)


@njit
def drive_adwin(record: Any, values: Any, unit: float, delta: float, widths: Any) -> int:  # noqa: ANN401
    for n in range(len(values)):
        is_cut = adwin.update(record, values[n] / unit, delta)
        if (n + 1) % CLOCK == 0:
            widths[n // CLOCK] = record.width
        if is_cut:
            return n + 1
    return len(values)


def assert_alike(values: NDArray[np.int64], unit: float, of_type: np.dtype[np.void], delta: float) -> int:
    """Hold both to the same, up to the first cut and what is left after it; return how many values that took."""
    window, shape, record = np.zeros(1, of_type)[0], np.zeros(1, SHAPE)[0], np.zeros(1, adwin.ADWIN)[0]
    blocks = len(values) // CLOCK
    widths, expected = np.zeros(blocks), np.zeros(blocks)
    taken: int = drive(window, shape, values, unit, delta, widths)
    assert taken == drive_adwin(record, values, unit, delta, expected)
    assert widths.tolist() == expected.tolist()
    assert shape["width"] == record["width"]
    assert window["total"] / unit == record["total"]
    assert window["variance"] == record["variance"]
    assert shape["counts"].tolist() == record["counts"][:ROWS].tolist()
    assert shape["used"] == record["used"]
    totals = (window["sums"] & (2**27 - 1)) / unit
    assert totals.tolist() == record["rows"]["totals"][:ROWS].tolist()
    if unit != 1.0:
        squares = (window["sums"] >> 27) / unit**2
        variances = squares - totals**2 / 2.0 ** np.arange(ROWS)[:, None]
        assert variances.tolist() == record["rows"]["variances"][:ROWS].tolist()
    return taken


def drawn(unit: float, seed: int, levels: list[float], spread: float, blocks: int) -> NDArray[np.int64]:
    random = np.random.default_rng(seed)
    level = np.repeat(levels, blocks * CLOCK)
    if unit == 1.0:
        return (random.random(level.size) < level).astype(np.int64)
    return np.rint(random.normal(level, spread, level.size).clip(0.0, 1.0) * unit).astype(np.int64)


@UNITS
@given(
    st.integers(0, 1000),
    st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=5),
    st.sampled_from([0.0, 0.01, 0.3, 3.0]),
    st.integers(1, 60),
    st.sampled_from([1e-6, 0.002, 0.5, 0.999]),
)
def test_windows_decide_as_adwin_does(  # noqa: PLR0913, PLR0917 - what is drawn
    unit: float, of_type: np.dtype[np.void], seed: int, levels: list[float], spread: float, blocks: int, delta: float
) -> None:
    assert_alike(drawn(unit, seed, levels, spread, blocks), unit, of_type, delta)


@UNITS
@pytest.mark.parametrize("size", [300_000, 1_500_000])
def test_windows_decide_as_adwin_does_after_a_long_time(unit: float, of_type: np.dtype[np.void], size: int) -> None:
    n = size // CLOCK // 2
    values = np.concatenate([drawn(unit, 1, [0.3], 0.2, 2 * n), drawn(unit, 2, [0.33], 0.2, n)])
    if size < MOST:
        assert size < assert_alike(values, unit, of_type, 1e-6) < len(values)
        return
    window, shape, widths = np.zeros(1, of_type)[0], np.zeros(1, SHAPE)[0], np.zeros(len(values) // CLOCK)
    assert size < drive(window, shape, values, unit, 1e-6, widths) < len(values)
    most = widths[: size // CLOCK]
    assert MOST - 2 ** (ROWS - 1) <= most[-1] <= most.max() <= MOST
    assert most.max() > MOST - CLOCK
