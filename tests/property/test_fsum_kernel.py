"""The compiled sum is Python's `math.fsum`."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from driftline.models.kernels.fsum import fsum

LARGEST = 1e100
floats = st.floats(-LARGEST, LARGEST) | st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.1, 2.0**-53, 2.0**53, 1e16, -1e16])


@given(st.lists(floats, max_size=300))
@example([1.0, 2.0**-53])
@example([1.0, 2.0**-53, 2.0**-120])
@example([1.0, 2.0**-53, -(2.0**-120)])
@example([1e100, 1.0, 1e-50, -1e100, -1.0, 1e-90])
def test_a_sum_is_rounded_once(values: list[float]) -> None:
    assert fsum(np.array(values, float), len(values)) == math.fsum(values)


@given(st.integers(0, 10_000), st.sampled_from([1.0, 1e-9, 1e9]))
def test_a_sum_of_many_is_rounded_once(seed: int, unit: float) -> None:
    values = np.random.default_rng(seed).normal(size=512) * unit
    assert fsum(values, 512) == math.fsum(values)
