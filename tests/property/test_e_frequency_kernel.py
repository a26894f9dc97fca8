"""The e-detector of frequencies does what its formulas say, and is silent for as long as it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from driftline.models.kernels import e_frequency
from driftline.models.kernels.e_frequency import CELLS, E_FREQUENCY, QUIET
from tests.oracle.e_frequency import PlainEFrequency

if TYPE_CHECKING:
    import numpy.typing as npt

    Cells = npt.NDArray[np.uint8]

BLOCK: Final = 32
LEARNED: Final = 4096
PROMISE: Final = 2000.0
HORIZON: Final = 400_000


def drawn(random: np.random.Generator, size: int, categories: int, related: float) -> Cells:
    """Return categories of which the k-th is as frequent as 1 / k; each is the one before it, or drawn anew."""
    shares = 1.0 / np.arange(1, categories + 1)
    fresh = random.choice(categories, size, p=shares / shares.sum())
    anew = random.random(size) >= related
    anew[0] = True
    return fresh[np.maximum.accumulate(np.where(anew, np.arange(size), 0))].astype(np.uint8)


@st.composite
def categories(draw: st.DrawFn) -> Cells:
    """Make streams that change now and then, of few and of many categories, sticky ones and ones that alternate."""
    parts = []
    for kind, most, blocks, seed in draw(
        st.lists(
            st.tuples(
                st.sampled_from(["drawn", "sticky", "constant", "alternating"]),
                st.integers(1, CELLS),
                st.integers(1, 50),
                st.integers(0, 1000),
            ),
            min_size=1,
            max_size=3,
        )
    ):
        size, random = blocks * BLOCK, np.random.default_rng(seed)
        if kind == "constant":
            parts.append(np.full(size, most - 1, np.uint8))
        elif kind == "alternating":
            parts.append((np.arange(size) % most).astype(np.uint8))
        else:
            parts.append(drawn(random, size, most, 0.7 if kind == "sticky" else 0.0))
    return np.concatenate(parts)


@settings(max_examples=60)
@given(categories(), st.sampled_from([10.0, 1000.0, 1e6, np.inf]))
def test_the_evidence_is_that_of_the_formulas(values: Cells, threshold: float) -> None:
    record: Any = np.zeros(1, E_FREQUENCY)[0]
    record["threshold"] = threshold
    plain, came = PlainEFrequency(threshold), np.zeros(CELLS)
    for start in range(0, len(values), BLOCK):
        found = e_frequency.take(record, values, start, BLOCK, came)
        expected = plain.take(values[start : start + BLOCK].tolist())
        assert record["total"] == pytest.approx(plain.total, rel=1e-6)
        assert came.tolist() == np.bincount(values[start : start + BLOCK], minlength=CELLS).tolist()
        if expected == QUIET:
            assert found == QUIET
            continue
        # Of two categories one rises as the other falls: with as much evidence, but for the last digit.
        strongest = [sum(map(sum, sides)) for sides in plain.evidence]
        assert strongest[found] == pytest.approx(strongest[expected], rel=1e-6)
        e_frequency.begin_anew(record)
        plain.begin_anew()


@njit(cache=False)
def alarms(record: Any, values: Cells, knows: bool) -> int:  # noqa: ANN401, FBT001 - a kernel's
    came, found = np.zeros(CELLS), 0
    for start in range(0, len(values), BLOCK):
        if not knows:
            record.rests = 0
            record.spans = 0
        if e_frequency.take(record, values, start, BLOCK, came) != QUIET:
            e_frequency.begin_anew(record)
            found += 1
    return found


def false_alarms(most: int, related: float, seed: int, *, knows: bool = True) -> int:
    """Return how often there is a false alarm in `HORIZON` values; `knows` not: as if all were independent."""
    values = drawn(np.random.default_rng(seed), LEARNED + HORIZON, most, related)
    record: Any = np.zeros(1, E_FREQUENCY)[0]
    record["threshold"] = np.inf
    alarms(record, values[:LEARNED], knows)
    record["threshold"] = PROMISE
    return alarms(record, values[LEARNED:], knows)


@pytest.mark.parametrize("related", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("most", [2, 5, 15])
def test_it_is_silent_for_as_long_as_it_promises(most: int, related: float) -> None:
    assert sum(false_alarms(most, related, seed) for seed in range(3)) < 3 * HORIZON / PROMISE


def test_a_mutant_that_takes_all_for_independent_breaks_the_promise() -> None:
    assert false_alarms(15, 0.8, 1, knows=False) > 3 * HORIZON / PROMISE
