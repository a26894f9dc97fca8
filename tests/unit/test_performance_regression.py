"""Performance of regression models."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from driftline.models.performance import Pair, RegressionPerformance, RegressionScoring, restore_scoring

if TYPE_CHECKING:
    from collections.abc import Iterable

SCORING = RegressionScoring()
LARGEST = sys.float_info.max


def count(pairs: Iterable[Pair]) -> RegressionPerformance:
    performance = SCORING.new()
    for pair in pairs:
        outcome = SCORING.interpret(pair)
        assert outcome is not None
        performance.update(outcome)
    return performance


def test_every_metric_of_a_small_stream() -> None:
    report = count([Pair(1, 2.0), Pair(3.0, 2), Pair(5.0, 8.5)]).report()
    assert report == {
        "pairs": 3,
        "mae": 5.5 / 3,
        "rmse": pytest.approx(math.sqrt(14.25 / 3), rel=1e-15),
        "r2": 1 - 14.25 / 8,
        "bias": 3.5 / 3,
    }


@pytest.mark.parametrize(
    ("pairs", "offset", "spread"),
    [(100_000, 0.0, 1.0), (100_000, 1e6, 1e3), (1_000_000, 1e6, 1e-3), (100_000, -1e6, 1e-4)],
    ids=["plain", "large", "tiny spread, a million", "tinier spread"],
)
def test_long_streams_agree_with_scikit_learn(pairs: int, offset: float, spread: float) -> None:
    random = np.random.default_rng(1)
    labels = random.normal(offset, spread, pairs)
    predictions = labels + random.normal(spread / 10, spread / 2, pairs)
    report = count(map(Pair, labels.tolist(), predictions.tolist())).report()
    assert report["mae"] == pytest.approx(mean_absolute_error(labels, predictions), rel=1e-9)
    assert report["rmse"] == pytest.approx(math.sqrt(mean_squared_error(labels, predictions)), rel=1e-9)
    assert report["r2"] == pytest.approx(r2_score(labels, predictions), rel=1e-9)
    assert report["bias"] == pytest.approx(math.fsum(predictions - labels) / pairs, rel=1e-9)


def test_a_spread_far_below_the_offset() -> None:
    """Labels of 1e15 and 1e15 + 1/4: the sum of their squares holds no digit of the spread in float64."""
    labels = [1e15, 1e15 + 0.25] * 1000
    assert count(Pair(label, 1e15 + 0.125 * (i % 2)) for i, label in enumerate(labels)).report()["r2"] == 0.5


def test_r2_is_undefined_while_the_labels_are_equal() -> None:
    assert count([]).report() == {"pairs": 0, "mae": None, "rmse": None, "r2": None, "bias": None}
    assert count([Pair(0.1, 0.2)]).report()["r2"] is None
    assert count([Pair(0.1, 0.2)] * 3).report()["r2"] is None
    assert count([Pair(1.0, 1.0, weight=0.0), Pair(2.0, 1.0)]).report()["r2"] is None


def test_weights_enter_every_metric() -> None:
    report = count([Pair(1.0, 2.0, weight=3.0), Pair(3.0, 2.0, weight=0.5), Pair(9.0, 0.0, weight=0.0)]).report()
    assert report == {
        "pairs": 3,
        "mae": 1.0,
        "rmse": 1.0,
        "r2": pytest.approx(1 - 3.5 / (3 * (1 - 9 / 7) ** 2 + 0.5 * (3 - 9 / 7) ** 2), rel=1e-15),
        "bias": 2.5 / 3.5,
    }


@pytest.mark.parametrize("value", [True, "1.5", "abc", math.nan, math.inf, -math.inf, 10**400])
def test_what_is_not_a_number_is_not_scored(value: str | float) -> None:
    assert SCORING.interpret(Pair(value, 1.0)) is None
    assert SCORING.interpret(Pair(1.0, value)) is None


def test_a_weight_that_is_none_is_not_scored() -> None:
    assert SCORING.interpret(Pair(1.0, 1.0, weight=-1.0)) is None


def test_the_largest_values_are_counted_like_others() -> None:
    pairs = [Pair(1e300, 1.5e300), Pair(-1e300, -0.5e300), Pair(5e-324, 0.0)]
    report = count(pairs).report()
    assert report["mae"] == pytest.approx(1e300 / 3, rel=1e-15)
    assert report["rmse"] == pytest.approx(math.sqrt(1 / 6) * 1e300, rel=1e-15)
    assert report["r2"] == pytest.approx(0.75, rel=1e-15)
    assert count([Pair(0.0, 5e-324)]).report()["rmse"] == 5e-324


def test_a_metric_beyond_float64_is_none() -> None:
    beyond = count([Pair(-LARGEST, LARGEST)]).report()
    assert (beyond["mae"], beyond["rmse"], beyond["bias"]) == (None, None, None)
    assert count([Pair(1.0, LARGEST), Pair(2.0, LARGEST)]).report()["r2"] is None


def test_losses_for_the_drift_detectors() -> None:
    pairs = [Pair(1.5, 1), Pair(-LARGEST, LARGEST), Pair(1.0, 3.0, weight=5.0)]
    outcomes = [SCORING.interpret(pair) for pair in pairs]
    assert [SCORING.loss(outcome) for outcome in outcomes if outcome is not None] == [0.5, LARGEST, 2.0]


def test_a_snapshot_is_small() -> None:
    random = np.random.default_rng(1)
    values = random.normal(100.0, 30.0, (1000, 2)).tolist()
    assert len(str(count(Pair(*pair) for pair in values).snapshot())) < 400


def test_the_scoring_has_a_snapshot() -> None:
    assert isinstance(restore_scoring(SCORING.snapshot()), RegressionScoring)
    assert SCORING.new_compact().report() == SCORING.new().report()
