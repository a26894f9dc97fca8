"""The compiled counters of binary models and those in Python's integers come to the same, bit for bit."""

from __future__ import annotations

import math
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftline.models.kernels.binary import outcome_of, score_pair
from driftline.models.kernels.exact_sum import from_words
from driftline.models.kernels.logit_bins import rows_of
from driftline.models.performance import (
    BinaryBank,
    BinaryOutcome,
    BinaryPerformance,
    BinaryScoring,
    ClassSet,
    LogitBins,
    Pair,
    logit_bin,
)
from driftline.models.performance.exact import to_units
from driftline.models.performance.weighted import WeightedPairs
from driftline.models.watch.binary_scoreboard import BinaryScoreboard
from driftline.models.watch.scoreboard import Scoreboard
from tests.oracle.counters import IntegerScoring
from tests.restoring import as_stored

if TYPE_CHECKING:
    from collections.abc import Iterable

CLASSES: Final = ClassSet([0, 1])
WINDOW: Final = 1509

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


segments = st.fixed_dictionaries({}, optional={"region": st.sampled_from(["eu", "us", "other"]), "tier": st.text()})
# With 21 versions at first, a 22nd may take the place of the first after 980 of one other, and not after 979.
lengths = st.sampled_from([1, 100, 250, 979, 980, 981])
runs = st.lists(st.tuples(st.sampled_from([0, 1, 2, 20, 21, 22]), lengths, segments), min_size=1, max_size=6)


@settings(max_examples=20)
@given(runs, st.lists(st.integers(1, 1500), max_size=8), st.sampled_from([0.0, 0.01, 0.2]), st.integers(0, 2**32))
@example([(1, 979, {}), (22, 1, {})], [], 0.0, 1)
@example([(1, 980, {}), (22, 1, {})], [], 0.0, 1)
def test_a_scoreboard_comes_to_the_same_however_its_pairs_are_batched(
    runs: list[tuple[int, int, dict[str, str]]], sizes: list[int], share: float, seed: int
) -> None:
    """A version goes on for a while; all that there are come one after another at first."""
    random = Random(seed)
    bank = BinaryBank()
    scoring = BinaryScoring(CLASSES, bank=bank)
    board = BinaryScoreboard(scoring, ["region", "tier"], WINDOW)
    expected = Scoreboard(IntegerScoring(CLASSES), ["region", "tier"], WINDOW)
    waiting: list[tuple[list[int], tuple[int, int, float]]] = []

    def flush() -> None:
        for parts, (label, predicted, score) in waiting:
            outcome = outcome_of(label, predicted, score)
            score_pair(bank.arrays, board.total, board.window, np.array(parts, np.int32), outcome)
        waiting.clear()

    ends = set(accumulate(sizes))
    pairs: list[tuple[str, dict[str, str]]] = [(f"v{n}", {}) for n in range(21)] + [
        (f"v{n}", of) for n, length, of in runs for _ in range(length)
    ]
    for n, (version, of) in enumerate(pairs):
        label, predicted = random.randrange(2), random.randrange(-1, 2)
        score = random.choice([random.random(), random.gauss(0.4, 1e-6), math.nan])
        weight = 0.3 if random.random() < share else 1.0
        prediction = "neither" if predicted < 0 else predicted
        outcome = scoring.interpret(Pair(label, prediction, None if math.isnan(score) else score, weight=weight))
        expected.update(outcome, version, of)
        if weight != 1.0:
            flush()
            board.update(outcome, version, of)
            continue
        parts = board.claim(version, of)
        if parts is None:
            flush()
            board.make_room(version)
            parts = board.claim(version, of)
            assert parts is not None
        waiting.append((parts, (label, predicted, score)))
        if n in ends:
            flush()
    flush()
    assert board.report() == expected.report()
    again = BinaryScoreboard(scoring, ["region", "tier"], WINDOW)
    again.restore(as_stored(board.snapshot()))
    assert again.report() == expected.report()
