"""Whether a change may be that of the hour, before the reference has seen a day."""

from __future__ import annotations

from typing import Final

import numpy as np

from driftline.models.drift.place import Blocks, may_be_of_the_hour

SIZE: Final = 16
AFTER: Final = 8  # blocks
BEFORE: Final = 4 * AFTER
SECOND: Final = 1000


def told(rate: float, later: float, seed: int, *, is_bounded: bool = False) -> bool:
    """Return whether what lies beyond the reference is told: the worst of 200 windows, as detectors choose them."""
    random = np.random.default_rng(seed)
    before = random.binomial(SIZE, rate, (200, BEFORE))
    after = random.binomial(SIZE, later, (200, AFTER))
    worst = int(after.sum(axis=1).argmax())
    sums = np.concatenate([before[worst], after[worst]]).astype(float).tolist()
    blocks = Blocks(sums, SIZE, len(sums) * SIZE, bits=True)
    return not may_be_of_the_hour(blocks, (AFTER, BEFORE), rate * (1.0 - rate), SECOND, is_bounded=is_bounded)


def test_few_values_beyond_the_reference_may_be_of_the_hour() -> None:
    assert sum(told(0.001, 0.001, seed) for seed in range(300)) <= 3


def test_many_are_not() -> None:
    assert all(told(0.001, 0.2, seed) for seed in range(20))


def test_mutant_that_takes_rare_values_to_scatter_as_before_is_found() -> None:
    """In a second no mean moves by itself, bounded or not, so that nothing else differs."""
    assert sum(told(0.001, 0.001, seed, is_bounded=True) for seed in range(300)) > 30
