"""How far two distributions are apart, as people know it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance

from driftline.models.drift.distances import distances
from driftline.models.drift.rank import RankPsi
from driftline.models.kernels.measure import BINS

COUNTS = st.lists(st.integers(0, 1000), min_size=BINS, max_size=BINS).filter(any)
REFERENCE = [float(n) for n in range(1600)]


@given(COUNTS, COUNTS)
def test_they_are_those_that_scipy_has(before: list[int], after: list[int]) -> None:
    found = distances(before, after, ordered=True)
    assert found is not None
    shares = [[count / sum(counts) for count in counts] for counts in (before, after)]
    expected = jensenshannon(*shares, base=2)
    assert found.jensen_shannon == pytest.approx(0.0 if math.isnan(expected) else expected, abs=0.002)
    hellinger = math.sqrt(max(1.0 - sum(math.sqrt(p * q) for p, q in zip(*shares, strict=True)), 0.0))
    assert found.hellinger == pytest.approx(hellinger, abs=0.002)


@given(COUNTS)
def test_what_is_alike_is_not_apart(counts: list[int]) -> None:
    found = distances(counts, counts, ordered=True)
    assert found is not None
    assert set(found.model_dump().values()) == {0.0}


@pytest.mark.parametrize("shift", [0.0, 100.0, 400.0, 1600.0, -800.0, -5000.0])
def test_of_numbers_they_are_those_of_the_values_up_to_a_bin(shift: float) -> None:
    measure, values = RankPsi.of(REFERENCE), [value + shift for value in REFERENCE[::4]]
    found = distances(measure.record["bins"], measure.tally(values), ordered=True)
    assert found is not None
    ranks = [[measure.unit(value) for value in each] for each in (REFERENCE, values)]
    assert found.wasserstein == pytest.approx(wasserstein_distance(*ranks), abs=1 / BINS + 0.001)
    assert found.kolmogorov_smirnov == pytest.approx(ks_2samp(REFERENCE, values).statistic, abs=1 / BINS + 0.001)


def test_of_categories_there_are_two_and_of_nothing_none() -> None:
    found = distances([3, 1], [1, 3], ordered=False)
    assert found is not None
    assert (found.kolmogorov_smirnov, found.wasserstein) == (None, None)
    assert distances([0, 0], [1, 3], ordered=False) is None
    assert distances([1, 3], [0, 0], ordered=False) is None
