"""How far recent values are from a reference, and that nothing is made of nothing."""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.models.drift.change import locate
from driftline.models.drift.measure import Measure, Residual, ShareGrowth
from driftline.models.drift.rank import MeanGrowth, RankPsi, Ranks, RankShift, restore_measure
from driftline.models.drift.thinned import Thinned, pack, unpack
from driftline.models.drift.trail import Mark, around, marks
from driftline.models.kernels.measure import bounds
from driftline.models.kernels.trail import TRAIL, note
from driftline.models.watch.calibration import Calibration
from tests.restoring import as_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from driftline.schemas.alerts import Effect

LARGEST: Final = 1e100
values = st.lists(st.floats(-LARGEST, LARGEST), min_size=1, max_size=300)
FAMILIES: Final[dict[str, Callable[[Random], float]]] = {
    "normal": lambda random: random.gauss(0, 1),
    "lognormal": lambda random: random.lognormvariate(3, 2),
    "rare ones": lambda random: float(random.random() < 0.1),
    "many zeros": lambda random: 0.0 if random.random() < 0.7 else random.lognormvariate(0, 1),
    "six values": lambda random: float(random.randrange(6)),
    "one value": lambda random: 3.0,  # noqa: ARG005 - as the others
}


def measures(reference: list[float]) -> list[Measure]:
    return [
        RankPsi.of(reference),
        RankShift.of("residual_rank", reference),
        MeanGrowth.of("relative_mae", [abs(value) for value in reference]),
        ShareGrowth("error_rate", 0.3, 10_000),
        Residual("calibration", 10_000),
    ]


@given(values, values)
def test_every_effect_is_finite_and_never_negative(reference: list[float], recent: list[float]) -> None:
    for measure in measures(reference)[:3]:
        assert is_sound(measure.effect([abs(v) for v in recent] if isinstance(measure, MeanGrowth) else recent))
        assert all(0.0 <= measure.unit(value) <= 1.0 for value in recent)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1), st.lists(st.floats(-1, 1), min_size=1))
def test_every_effect_of_shares_and_residuals_is_finite(zeros_and_ones: list[float], residuals: list[float]) -> None:
    assert is_sound(ShareGrowth("error_rate", 0.3, 10_000).effect(zeros_and_ones))
    assert is_sound(Residual("calibration", 10_000).effect(residuals))
    assert all(0.0 <= Residual("calibration", 10_000).unit(value) <= 1.0 for value in residuals)


def is_sound(effect: Effect) -> bool:
    json.dumps(effect.model_dump(), allow_nan=False)
    return effect.value >= 0.0


@given(values, values)
def test_a_restored_measure_is_the_same(reference: list[float], recent: list[float]) -> None:
    for measure in measures(reference):
        again = restore_measure(as_stored(measure.snapshot()))
        assert again.snapshot() == measure.snapshot()
        if not isinstance(measure, ShareGrowth | Residual):
            assert [again.unit(value) for value in recent] == [measure.unit(value) for value in recent]
            assert again.effect([abs(v) for v in recent]) == measure.effect([abs(v) for v in recent])


@pytest.mark.parametrize("reference_size", [100, 4096])
@pytest.mark.parametrize("family", FAMILIES)
def test_values_like_the_reference_seldom_have_an_effect(family: str, reference_size: int) -> None:
    random, draw = Random(7), FAMILIES[family]
    effects = []
    for _ in range(10):
        measure = RankPsi.of([draw(random) for _ in range(reference_size)])
        for size in (16, 32, 64, 128, 512):
            effects += [measure.effect([draw(random) for _ in range(size)]).value for _ in range(10)]
    assert sum(1 for value in effects if value >= 0.1) <= 0.03 * len(effects)


@pytest.mark.parametrize(
    ("family", "change"),
    [
        ("normal", lambda value: value + 1),
        ("normal", lambda value: value * 100),
        ("normal", lambda value: value / 100),
        ("lognormal", lambda value: value * 100),
        ("many zeros", lambda value: value or 1.0),
        ("many zeros", lambda value: value * 100),
        ("six values", lambda value: value + 6),
        ("six values", lambda value: value - 6),
        ("one value", lambda value: value + 1),
        ("one value", lambda value: value - 1),
        ("rare ones", lambda value: value * 2),
        ("rare ones", lambda value: 1 - value),
    ],
    ids=map(str, range(12)),  # a function has no name that two test processes would agree on
)
def test_values_unlike_the_reference_have_an_effect(family: str, change: Callable[[float], float]) -> None:
    random, draw = Random(7), FAMILIES[family]
    measure = RankPsi.of([draw(random) for _ in range(2000)])
    assert measure.effect([change(draw(random)) for _ in range(400)]).value >= 0.1


def test_without_a_reference_there_is_no_effect() -> None:
    measure = RankPsi.of([1.0, 2.0])
    measure.record["bins"] = 0
    assert measure.effect([5.0] * 100).value == 0.0


def test_ranks_of_many_equal_values_are_in_their_middle() -> None:
    ranks = Ranks.of([0.0] * 700 + [1.0] * 300)
    assert ranks.unit(0.0) == pytest.approx(0.35, abs=0.01)
    assert ranks.unit(1.0) == pytest.approx(0.85, abs=0.01)
    assert ranks.unit(0.5) == pytest.approx(0.7, abs=0.01)
    assert (ranks.unit(-1.0), ranks.unit(2.0)) == (0.0, 1.0)


def test_effects_are_lower_bounds() -> None:
    assert ShareGrowth("error_rate", before=0.1, reference=10_000).effect([1.0, 0.0]).value == 0.0
    assert ShareGrowth("error_rate", before=0.1, reference=10_000).effect([1.0] * 10).value > 0.5
    assert ShareGrowth("error_rate", before=0.5, reference=10_000).effect([0.0] * 500).value == 0.0
    assert Residual("calibration", 10_000).effect([1.0, -0.5]).value == 0.0
    assert Residual("calibration", 10_000).effect([-0.4, -0.6] * 100).value == pytest.approx(0.5, abs=0.02)
    assert MeanGrowth.of("relative_mae", [1.0] * 100).effect([0.0, 30.0] + [0.0] * 10).value == 0.0


def test_the_reference_is_an_estimate_too() -> None:
    numbers, losses = [10.0 * n for n in range(100)], [0.5, 1.5] * 50
    for few, many, recent in (
        (RankShift.of("shift", numbers), RankShift.of("shift", numbers * 100), [400.0, 900.0] * 2000),
        (MeanGrowth.of("growth", losses), MeanGrowth.of("growth", losses * 100), [1.0, 3.0] * 2000),
        (ShareGrowth("error_rate", 0.1, 100), ShareGrowth("error_rate", 0.1, 10_000), [0.0, 0.0, 1.0] * 1000),
        (Residual("calibration", 100), Residual("calibration", 10_000), [0.5, -0.3] * 2000),
    ):
        assert few.effect(recent).value < 0.9 * many.effect(recent).value


@given(values, values, values)
def test_tallies_add_up(reference: list[float], first: list[float], second: list[float]) -> None:
    for measure in measures(reference)[:3]:
        once, twice, both = (measure.tally([abs(v) for v in some]) for some in (first, second, first + second))
        summed = [math.fsum(pair) for pair in zip(once, twice, strict=True)]
        assert summed == pytest.approx(both)
        effect = measure.effect([abs(v) for v in first + second])
        assert measure.effect([abs(v) for v in first + second], summed).value == pytest.approx(effect.value)


@given(values, values)
def test_an_effect_is_the_lower_of_two_bounds(reference: list[float], recent: list[float]) -> None:
    for measure in measures(reference)[:3]:
        at_least, at_most = bounds(measure.record, measure.tally([abs(v) for v in recent]))
        assert at_least == measure.effect([abs(v) for v in recent]).value
        assert 0.0 <= at_least <= at_most


@pytest.mark.parametrize(("reference", "value"), [(0.0, 2.0), (1e-320, LARGEST), (1.0, 1.0), (LARGEST, 0.0)])
def test_growth_of_a_loss_is_finite_where_the_reference_had_next_to_none(reference: float, value: float) -> None:
    effect = MeanGrowth.of("relative_mae", [reference] * 100).effect([2.0 if reference != LARGEST else 1.0] * 100)
    assert effect.value == pytest.approx(value)


def test_calibration_follows_the_score_beyond_what_the_reference_has_seen() -> None:
    random = Random(3)
    scores = [random.uniform(0.0, 0.3) for _ in range(2000)]
    calibration = Calibration.of_probabilities(scores, [float(random.random() < score) for score in scores])
    for score in (0.0, 0.15, 0.3, 0.6, 0.9):
        assert calibration.expected(score) == pytest.approx(score, abs=0.1)


def test_calibration_learns_that_scores_are_too_sure() -> None:
    random = Random(3)
    truth = [random.uniform(0.3, 0.7) for _ in range(4000)]
    scores = [0.5 + 2 * (p - 0.5) for p in truth]
    calibration = Calibration.of_probabilities(scores, [float(random.random() < p) for p in truth])
    for score, expected in ((0.2, 0.35), (0.5, 0.5), (0.8, 0.65)):
        assert calibration.expected(score) == pytest.approx(expected, abs=0.07)


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0.0, 1.0])), min_size=1, max_size=300), st.floats(0, 1))
def test_an_expected_probability_is_one(pairs: list[tuple[float, float]], score: float) -> None:
    calibration = Calibration.of_probabilities([s for s, _ in pairs], [o for _, o in pairs])
    assert 0.0 <= calibration.expected(score) <= 1.0
    assert Calibration.restore(as_stored(calibration.snapshot())).expected(score) == calibration.expected(score)


@given(st.lists(st.tuples(*[st.floats(-LARGEST, LARGEST)] * 2), min_size=1, max_size=300), st.floats(-LARGEST, LARGEST))
def test_an_expected_number_is_finite(pairs: list[tuple[float, float]], score: float) -> None:
    assert math.isfinite(Calibration.of_numbers([s for s, _ in pairs], [o for _, o in pairs]).expected(score))


@pytest.mark.parametrize("center", [0.0, 100.0, -500_000.0, 1e9, -1e95])
def test_calibration_of_numbers_follows_them_to_both_sides(center: float) -> None:
    random, scale = Random(3), max(abs(center) / 10, 1.0)
    scores = [random.gauss(center, scale) for _ in range(2500)]
    calibration = Calibration.of_numbers(scores, [score + random.gauss(scale / 2, scale / 5) for score in scores])
    for distance in (-100.0, -10.0, -2.5, 0.0, 2.5, 10.0, 100.0):
        score = center + distance * scale
        assert calibration.expected(score) - score == pytest.approx(scale / 2, abs=scale / 5)


def test_calibration_of_numbers_ends_where_numbers_end() -> None:
    calibration = Calibration.of_numbers([0.0] * 10, [5e99] * 10)
    assert [calibration.expected(score) for score in (-LARGEST, 0.0, LARGEST)] == [-5e99, 5e99, LARGEST]


@given(st.integers(0, 40_000))
@settings(max_examples=30)
def test_a_sample_is_bounded_and_has_one_value_of_each_block(size: int) -> None:
    sample = sampled(float(n) for n in range(size))
    kept = sample.values.tolist()
    stride = 1
    while size > 4096 * stride:
        stride *= 2
    strides = (stride, 2 * stride)  # the last value of the last block to find room may have come early or late in it
    assert any([value // wide for value in kept] == list(range(len(kept))) for wide in strides)
    assert size // strides[1] <= len(kept) <= min(size, 4096)
    again = Thinned.restore(as_stored(sample.snapshot()))
    for each in (again, sample):
        for n in range(5000):
            each.update(1e9 + n)
    assert again.snapshot() == sample.snapshot()


@pytest.mark.parametrize("items", [2, 3, 4, 7, 8, 16])
def test_a_sample_is_fair_to_the_items_of_a_fixed_rotation(items: int) -> None:
    kept = Counter(sampled(float(n % items) for n in range(100_000)).values)
    assert len(kept) == items
    for times in kept.values():
        assert times * items / kept.total() == pytest.approx(1.0, abs=0.25)


def test_a_sample_stays_fair_however_often_it_was_halved() -> None:
    stride = 64
    kept = sampled(float(n) for n in range(4096 * stride - 1)).values
    thirds = Counter(int(value % stride * 3 // stride) for value in kept)
    assert [thirds[third] / len(kept) for third in range(3)] == pytest.approx([1 / 3] * 3, abs=0.03)
    halves = [int(value % stride >= stride / 2) for value in kept]
    assert sum(a == b for a, b in pairwise(halves)) / len(halves) == pytest.approx(0.5, abs=0.05)


def sampled(values: Iterable[float]) -> Thinned:
    sample = Thinned()
    for value in values:
        sample.update(value)
    return sample


@given(st.lists(st.floats(0, 16), min_size=2, max_size=128))
def test_a_located_change_lies_within_the_blocks(sums: list[float]) -> None:
    change = locate(sums, size=16)
    assert 1 <= change.earliest <= change.best <= change.latest <= len(sums) - 1
    assert abs(change.difference) <= 1.0


def test_a_trail_is_bounded_and_tells_where_values_lay_between() -> None:
    trail = np.zeros(1, TRAIL)[0]
    for n in range(1, 200_001):
        late = 1000 if n % 16 == 0 else 0  # every other mark is of a pair whose label took its time
        note(trail, n, n - late, n - late, n)
    now = Mark(200_000, 200_000, 200_000, 200_000)
    start, end = around(trail, 199_900, 199_901, now=now)
    assert (start.nth, end.nth) == (199_896, 199_904)
    assert (start.at, end.at) == (198_904, 199_896)
    assert around(trail, 3, 200_000, now=now) == (Mark(1, 1, 1, 1), Mark(200_000, 199_992, 199_992, 200_000))
    assert around(trail, 0, 10**9, now=now)[1] == now
    assert len(marks(trail)) <= 1 + 64 + 4 * 16 + 16


@given(st.lists(st.floats(), max_size=40), st.integers(1, 20))
def test_packed_numbers_are_the_same_to_the_last_bit(numbers: list[float], times: int) -> None:
    values = array("d", numbers * times)
    assert unpack(pack(values)).tobytes() == values.tobytes()


def test_numbers_that_repeat_are_packed_in_little_space() -> None:
    assert len(pack(array("d", [0.0, 1.0] * 256))) < 100
    assert len(pack(array("d", [-0.0] * 512))) < 100
