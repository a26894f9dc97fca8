"""Sums that never round, and the counters made of them, come to what Python's integers do."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.models.kernels import regression, wide_sum
from driftline.models.kernels.compiled import kernel
from driftline.models.performance import ClassSet, CounterBanks, MulticlassScoring, Pair, RegressionScoring
from driftline.models.performance.multiclass_sums import MulticlassSums
from driftline.models.performance.regression_sums import RegressionSums
from tests.restoring import as_stored

if TYPE_CHECKING:
    from random import Random

    from numpy.typing import NDArray

    from driftline.models.performance import MulticlassPerformance, RegressionPerformance

LARGEST = sys.float_info.max
CLASSES = ClassSet(["a", "b", "c"])

numbers = (
    st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 2.0**-1022, LARGEST, -LARGEST, 1.0, -1.0, 2.0**53])
    | st.integers(-1000, 1000).map(float)
    | st.floats(0.9999, 1.0001)
)
weights = st.just(1.0) | st.just(1.0) | st.floats(0.0, 1e100)
of_numbers = st.builds(Pair, numbers, numbers, weight=weights)
given_to = st.dictionaries(st.sampled_from("abc"), st.sampled_from([0.0, 0.25, 1.0, 1e-20]), max_size=3)
of_classes = st.builds(
    Pair, st.sampled_from("abc"), st.sampled_from("abcd"), st.none(), st.none() | given_to, weight=weights
)
Tasks = RegressionScoring | MulticlassScoring
streams = st.tuples(st.just("regression"), st.lists(of_numbers, max_size=40)) | st.tuples(
    st.just("multiclass"), st.lists(of_classes, max_size=40)
)


def scoring_of(task: str, banks: CounterBanks) -> Tasks:
    scoring: Tasks = RegressionScoring() if task == "regression" else MulticlassScoring(CLASSES)
    return scoring.within(banks)


def sums_of(task: str) -> RegressionSums | MulticlassSums:
    return RegressionSums() if task == "regression" else MulticlassSums(CLASSES)


@kernel
def add_to(total: NDArray[Any], number: float, sign: bool) -> None:  # noqa: FBT001 - as the kernel has it
    is_negative, word, shift = wide_sum.split(number)
    wide_sum.add(total, is_negative != sign, np.uint64(0), word, shift)


@given(st.lists(st.tuples(numbers, st.booleans()), max_size=50))
def test_a_sum_is_that_of_fractions(terms: list[tuple[float, bool]]) -> None:
    total = np.zeros((), wide_sum.WIDE_SUM)
    for number, is_subtracted in terms:
        add_to(total, number, is_subtracted)
    expected = sum((Fraction(-number if is_subtracted else number) for number, is_subtracted in terms), Fraction(0))
    assert Fraction(wide_sum.from_wide(total), 2**wide_sum.STEP_BITS) == expected


def test_a_carry_goes_through_all_words() -> None:
    total = np.zeros((), wide_sum.WIDE_SUM)
    for number in (-5e-324, 5e-324, LARGEST, 5e-324, -LARGEST, -5e-324, -5e-324):
        add_to(total, number, wide_sum.ADDED)
    assert wide_sum.from_wide(total) == -1
    assert (total == 2**64 - 1).all()


@given(streams)
def test_every_pair_is_counted_as_in_integers(stream: tuple[str, list[Pair]]) -> None:
    task, pairs = stream
    scoring, expected = scoring_of(task, CounterBanks.empty()), sums_of(task)
    performance = scoring.new()
    for pair in pairs:
        outcome = scoring.interpret(pair)
        assert outcome is not None
        performance.update(outcome)  # type: ignore[arg-type]  # of the same task
        expected.update(outcome)  # type: ignore[arg-type]  # as above
    assert performance.snapshot() == expected.snapshot()
    assert performance.report() == expected.report()


def test_a_mutant_that_takes_the_label_for_the_prediction_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def swapped(bank: regression.Bank, record: int, label: float, prediction: float) -> None:
        regression.count_at(bank, record, prediction, label)

    monkeypatch.setattr("driftline.models.performance.regression.count_at", swapped)
    with pytest.raises(AssertionError):
        test_every_pair_is_counted_as_in_integers.hypothesis.inner_test(("regression", [Pair(1.5, 2.0)]))  # type: ignore[attr-defined]  # Hypothesis' own


@given(st.lists(streams, max_size=6), st.randoms(use_true_random=False))
def test_merged_shards_come_to_the_same(shards: list[tuple[str, list[Pair]]], random: Random) -> None:
    banks = [CounterBanks.empty(), CounterBanks.empty()]
    for task in ("regression", "multiclass"):
        merged, expected = scoring_of(task, banks[0]).new(), sums_of(task)
        for _, pairs in (shard for shard in shards if shard[0] == task):
            scoring = scoring_of(task, random.choice(banks))
            shard = scoring.new()
            for pair in random.sample(pairs, len(pairs)):
                shard.update(scoring.interpret(pair))  # type: ignore[arg-type]  # as above
                expected.update(scoring.interpret(pair))  # type: ignore[arg-type]  # as above
            merged.merge(shard)  # type: ignore[arg-type]  # as above
        assert merged.report() == expected.report()
        restored = scoring_of(task, banks[1]).restore(as_stored(merged.snapshot()))
        assert restored.snapshot() == merged.snapshot() == expected.snapshot()


@given(st.lists(st.tuples(st.integers(0, 4), streams), max_size=12))
def test_counters_of_one_bank_do_not_see_each_other_nor_those_that_are_gone(
    steps: list[tuple[int, tuple[str, list[Pair]]]],
) -> None:
    banks = CounterBanks.empty()
    Held = tuple["RegressionPerformance | MulticlassPerformance", "RegressionSums | MulticlassSums"]  # noqa: N806 - a type
    held: dict[tuple[str, int], Held] = {}
    for place, (task, pairs) in steps:
        if (task, place) in held and len(pairs) % 3 == 0:
            del held[task, place]
        scoring = scoring_of(task, banks)
        performance, expected = held.setdefault((task, place), (scoring.new(), sums_of(task)))
        for pair in pairs:
            performance.update(scoring.interpret(pair))  # type: ignore[arg-type]  # as above
            expected.update(scoring.interpret(pair))  # type: ignore[arg-type]  # as above
        for compiled, integers in held.values():
            assert compiled.report() == integers.report()
    assert max(len(banks.regression.arrays.records), len(banks.multiclass.arrays.records)) <= 16
