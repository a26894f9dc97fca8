"""The compiled counters of binary models and those in Python's integers come to the same, bit for bit."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from driftline.models.kernels.binary import outcome_of
from driftline.models.kernels.exact_sum import from_words
from driftline.models.kernels.logit_bins import rows_of
from driftline.models.performance import (
    BinaryBank,
    BinaryOutcome,
    BinaryPerformance,
    LogitBins,
    logit_bin,
)
from driftline.models.performance.binary_sums import WeightedPairs
from driftline.models.performance.exact import to_units
from tests.restoring import as_stored

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random


near = st.integers(-40, 40).map(lambda steps: 0.3 + steps * 1e-7)  # in neighbouring bins of the finest
probabilities = (
    st.floats(0.0, 1.0)
    | near
    | st.sampled_from([0.0, -0.0, 5e-324, 1e-300, 2.0**-52, 0.5, 1.0 - 2.0**-53, 1.0])
    | st.integers(0, 20).map(lambda twentieths: twentieths / 20)
    | st.integers(1, 2**24).map(lambda steps: 1.0 - steps * 2.0**-53)  # losses with places below the last of a sum
    | st.integers(1, 2**24).map(lambda steps: steps * 1e-15)
    | st.floats(-700.0, 36.0).map(lambda logit: math.exp(logit) / (1.0 + math.exp(logit)))
)
scores = st.none() | probabilities | st.floats()
predictions = st.sampled_from([True, False, None])
outcomes = st.builds(BinaryOutcome.of, st.booleans(), predictions, scores)
weights = st.just(1.0) | st.floats(0.0, 1e100)
weighted_outcomes = st.builds(BinaryOutcome.of, st.booleans(), predictions, scores, weights.map(to_units))
many = st.lists(outcomes, max_size=60) | st.lists(weighted_outcomes, max_size=20)
bounds = st.sampled_from([1, 2, 3, 8, 17, 128, 1024])
two_bounds = st.sampled_from([2, 17])


def counted(pairs: Iterable[BinaryOutcome], bound: int, bank: BinaryBank) -> BinaryPerformance:
    performance = BinaryPerformance(bound, bank)
    for outcome in pairs:
        performance.update(outcome)
    return performance


def in_integers(pairs: Iterable[BinaryOutcome], bound: int) -> WeightedPairs:
    weighted = WeightedPairs(bound)
    for outcome in pairs:
        weighted.update(outcome)
    return weighted


def bins_of(performance: BinaryPerformance) -> dict[str, Any]:
    """Return the bins of a performance as the others would write them."""
    bins = performance.bank.arrays.records[performance.record]["bins"]
    rows = rows_of(bins, performance.bank.arrays.chunks).tolist()
    return LogitBins.counted(int(bins["most"]), int(bins["shift"]), rows).snapshot()


@given(st.integers(0, 1), st.integers(-1, 1), scores)
def test_a_pair_is_read_as_in_python(positive: int, predicted: int, score: float | None) -> None:
    cell, finest, log_loss, squared_error = outcome_of(positive, predicted, math.nan if score is None else score)
    read = (cell, None if finest < 0 else finest, from_words(log_loss), from_words(squared_error))
    expected = BinaryOutcome.of(positive == 1, None if predicted < 0 else predicted == 1, score)
    assert read == (expected.cell, expected.score_bin, expected.log_loss, expected.squared_error)


def test_scores_of_any_kind_have_the_bins_that_they_have_in_python() -> None:
    random = np.random.default_rng(1)
    logits = random.uniform(-744, 37, 100_000)
    some = np.concatenate([random.random(100_000), np.exp(logits) / (1 + np.exp(logits)), random.random(50_000) * 1e-9])
    for score in some.tolist():
        assert outcome_of(0, 0, score)[1] == logit_bin(score)


@given(st.lists(outcomes, max_size=300), bounds)
def test_the_same_bins_are_in_use_after_every_pair(pairs: list[BinaryOutcome], bound: int) -> None:
    performance, expected = BinaryPerformance(bound), WeightedPairs(bound)
    for n, outcome in enumerate(pairs):
        performance.update(outcome)
        expected.update(outcome)
        if n % 7 == 0 or n == len(pairs) - 1:
            assert bins_of(performance) == expected.bins.snapshot()
    assert performance.report() == expected.report()


@given(st.lists(st.tuples(many, bounds), max_size=5), bounds, st.randoms(use_true_random=False))
def test_merged_shards_come_to_the_same(
    shards: list[tuple[list[BinaryOutcome], int]], bound: int, random: Random
) -> None:
    banks = [BinaryBank(), BinaryBank()]
    merged, expected = BinaryPerformance(bound, banks[0]), WeightedPairs(bound)
    for pairs, of_shard in shards:
        shuffled = random.sample(pairs, len(pairs))
        merged.merge(counted(shuffled, of_shard, random.choice(banks)))
        expected.merge(in_integers(pairs, of_shard))
        assert merged.report() == expected.report()
    restored = BinaryPerformance.restore(as_stored(merged.snapshot()), banks[1])
    assert restored.snapshot() == merged.snapshot()
    assert restored.report() == expected.report()


@given(st.lists(st.tuples(st.integers(0, 4), two_bounds, many), max_size=12))
def test_counters_of_one_bank_do_not_see_each_other_nor_those_that_are_gone(
    steps: list[tuple[int, int, list[BinaryOutcome]]],
) -> None:
    bank = BinaryBank()
    held: dict[int, tuple[BinaryPerformance, WeightedPairs]] = {}
    for place, bound, pairs in steps:
        if place in held and len(pairs) % 3 == 0:
            del held[place]
        performance, expected = held.setdefault(place, (BinaryPerformance(bound, bank), WeightedPairs(bound)))
        for outcome in pairs:
            performance.update(outcome)
            expected.update(outcome)
        for compiled, integers in held.values():
            assert compiled.report() == integers.report()
    assert len(bank.arrays.records) <= 16  # at most 7 of each kind: 5 that were held, 2 that were then thrown away
