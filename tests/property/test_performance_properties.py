"""What holds of the performance counters of every task, whatever the pairs."""

from __future__ import annotations

import json
import math
import warnings
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.msgpack import encode
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    log_loss,
    mean_absolute_error,
    mean_squared_error,
    precision_recall_fscore_support,
    r2_score,
    roc_auc_score,
)

from driftline.models.performance import (
    BinaryScoring,
    ClassSet,
    MulticlassScoring,
    Pair,
    Performance,
    RegressionScoring,
    Rolling,
    Scoring,
    restore_scoring,
)
from tests.restoring import as_stored

CLASSES = ["a", "b", "c", "d"]
BINARY = BinaryScoring(ClassSet([0, 1]))
MULTICLASS = MulticlassScoring(ClassSet(CLASSES))
REGRESSION = RegressionScoring()

finite = st.floats(allow_nan=False, allow_infinity=False)
scalars = (
    st.sampled_from([0, 1, True, "0", "true", 1.0, *CLASSES, "other"]) | finite | st.integers() | st.text(max_size=5)
)
weights = st.just(1.0) | st.floats(min_value=0.0, allow_nan=False, allow_infinity=False)
probabilities = st.dictionaries(st.sampled_from([*CLASSES, "0", "True", "x"]), finite | st.floats(0.0, 1.0), max_size=5)
any_pair = st.builds(
    Pair,
    label=scalars,
    prediction=scalars,
    score=st.none() | finite | st.floats(0.0, 1.0),
    probabilities=st.none() | probabilities,
    weight=weights,
)
streams = st.lists(any_pair, max_size=30)
scorings = st.sampled_from([BINARY, MULTICLASS, REGRESSION])


def read(scoring: Scoring[Any], pairs: list[Pair]) -> list[Any]:
    return [outcome for outcome in map(scoring.interpret, pairs) if outcome is not None]


def count(scoring: Scoring[Any], pairs: list[Pair]) -> Performance[Any]:
    performance = scoring.new()
    for outcome in read(scoring, pairs):
        performance.update(outcome)
    return performance


def same(left: Any, right: Any) -> bool:  # noqa: ANN401 - snapshots are plain JSON of any shape
    return encode(left) == encode(right)


@given(scorings, st.lists(streams, max_size=4))
def test_merged_shards_are_the_whole_stream_in_any_order(scoring: Scoring[Any], shards: list[list[Pair]]) -> None:
    merged = scoring.new()
    for shard in shards:
        merged.merge(count(scoring, shard))
    backwards = [pair for shard in reversed(shards) for pair in reversed(shard)]
    assert same(merged.snapshot(), count(scoring, backwards).snapshot())
    assert same(merged.report(), count(scoring, backwards).report())


@given(scorings, streams, streams)
def test_restored_counters_go_on_the_same_way(scoring: Scoring[Any], before: list[Pair], after: list[Pair]) -> None:
    performance = count(scoring, before)
    scoring_again = restore_scoring(as_stored(scoring.snapshot()))
    restored = scoring_again.restore(as_stored(performance.snapshot()))
    assert same(restored.snapshot(), performance.snapshot())
    for outcome in read(scoring, after):
        performance.update(outcome)
    for outcome in read(scoring_again, after):
        restored.update(outcome)
    assert same(restored.snapshot(), performance.snapshot())
    assert same(restored.report(), performance.report())


@given(scorings, streams)
def test_reports_and_losses_are_finite(scoring: Scoring[Any], pairs: list[Pair]) -> None:
    json.dumps(count(scoring, pairs).report(), allow_nan=False)
    for outcome in read(scoring, pairs):
        loss = scoring.loss(outcome)
        assert math.isfinite(loss)
        assert loss >= 0.0
        assert scoring is REGRESSION or loss in {0.0, 1.0}


@given(scorings, streams, streams)
def test_a_restored_window_goes_on_the_same_way(scoring: Scoring[Any], before: list[Pair], after: list[Pair]) -> None:
    rolling = Rolling(scoring, window=12, panes=4)
    for outcome in read(scoring, before):
        rolling.update(outcome)
    restored = Rolling.restore(as_stored(rolling.snapshot()), scoring)
    for outcome in read(scoring, after):
        rolling.update(outcome)
        restored.update(outcome)
    assert same(restored.snapshot(), rolling.snapshot())
    assert same(restored.report(), rolling.report())


usual_weights = st.just(1.0) | st.floats(min_value=1e-3, max_value=1e3)
grid_scores = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000) | st.sampled_from([1e-9, 1 - 1e-9])
spelled = st.sampled_from([(0, [0, False, "0", 0.0, "False"]), (1, [1, True, "1", 1.0, "true"])]).flatmap(
    lambda of_class: st.sampled_from(of_class[1]).map(lambda value: (of_class[0], value))
)


def or_nan(value: Any) -> float:  # noqa: ANN401 - a metric or, for multiclass, a table of them
    return math.nan if value is None else float(value)


def quietly(metric: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any function of scikit-learn
    """Leave out its warnings of metrics that are undefined: that they are is compared too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return metric(*args, **kwargs)


@given(
    st.lists(st.tuples(spelled, spelled | st.just((2, "other")), grid_scores, usual_weights), min_size=1, max_size=50)
)
def test_binary_metrics_are_those_of_scikit_learn(
    rows: list[tuple[tuple[int, Any], tuple[int, Any], float, float]],
) -> None:
    pairs = [Pair(label, prediction, score, weight=weight) for (_, label), (_, prediction), score, weight in rows]
    report = count(BINARY, pairs).report()
    y_true = [label for (label, _), _, _, _ in rows]
    y_pred = [prediction for _, (prediction, _), _, _ in rows]
    scores = [score for _, _, score, _ in rows]
    sample_weight = [weight for _, _, _, weight in rows]
    (precision,), (recall,), (f1,), _ = quietly(
        precision_recall_fscore_support, y_true, y_pred, labels=[1], sample_weight=sample_weight, zero_division=np.nan
    )
    expected = {
        "base_rate": np.average(y_true, weights=sample_weight),
        "accuracy": accuracy_score(y_true, y_pred, sample_weight=sample_weight),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "log_loss": log_loss(y_true, scores, labels=[0, 1], sample_weight=sample_weight),
        "brier": brier_score_loss(y_true, scores, pos_label=1, sample_weight=sample_weight),
        "roc_auc": quietly(roc_auc_score, y_true, scores, sample_weight=sample_weight),
    }
    found = {name: or_nan(report[name]) for name in expected}
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)
    assert (report["pairs"], report["outside"]) == (len(rows), y_pred.count(2))


members = st.sampled_from(CLASSES)
shares = st.lists(st.floats(0.0, 1.0), min_size=4, max_size=4)


@given(st.lists(st.tuples(members, members, shares, usual_weights), min_size=1, max_size=50))
def test_multiclass_metrics_are_those_of_scikit_learn(rows: list[tuple[str, str, list[float], float]]) -> None:
    pairs = [
        Pair(label, prediction, None, dict(zip(CLASSES, share, strict=True)), weight)
        for label, prediction, share, weight in rows
    ]
    report = count(MULTICLASS, pairs).report()
    y_true, y_pred, share, sample_weight = map(list, zip(*rows, strict=True))
    occurred = sorted({*y_true, *y_pred})
    macro = precision_recall_fscore_support(
        y_true, y_pred, labels=occurred, average="macro", sample_weight=sample_weight, zero_division=0
    )
    expected = {
        "accuracy": accuracy_score(y_true, y_pred, sample_weight=sample_weight),
        "precision": macro[0],
        "recall": macro[1],
        "f1": macro[2],
        "log_loss": quietly(log_loss, y_true, share, labels=CLASSES, sample_weight=sample_weight),
    }
    found = {name: or_nan(report[name]) for name in expected}
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)

    columns = quietly(
        precision_recall_fscore_support,
        y_true,
        y_pred,
        labels=occurred,
        sample_weight=sample_weight,
        zero_division=np.nan,
    )
    per_class = report["per_class"]
    assert isinstance(per_class, dict)
    assert list(per_class) == occurred
    for name, column in zip(("precision", "recall", "f1", "support"), columns, strict=True):
        found_column = [or_nan(metrics[name]) for metrics in per_class.values()]
        assert found_column == pytest.approx(column.tolist(), rel=1e-9, abs=1e-12, nan_ok=True)


usual_numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 3))


@given(st.lists(st.tuples(usual_numbers, usual_numbers, usual_weights), min_size=2, max_size=50))
def test_regression_metrics_are_those_of_scikit_learn(rows: list[tuple[float, float, float]]) -> None:
    labels, predictions, sample_weight = map(list, zip(*rows, strict=True))
    assume(len(set(labels)) > 1)  # else scikit-learn says 0 or 1
    report = count(REGRESSION, [Pair(*row[:2], weight=row[2]) for row in rows]).report()
    errors = np.subtract(predictions, labels)
    expected = {
        "mae": mean_absolute_error(labels, predictions, sample_weight=sample_weight),
        "rmse": math.sqrt(mean_squared_error(labels, predictions, sample_weight=sample_weight)),
        "r2": r2_score(labels, predictions, sample_weight=sample_weight),
    }
    assert {name: report[name] for name in expected} == pytest.approx(expected, rel=1e-9, abs=1e-9)
    scale = float(np.abs(errors).max())
    assert report["bias"] == pytest.approx(np.average(errors, weights=sample_weight), rel=1e-9, abs=1e-12 * scale)


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=20))
def test_regression_metrics_of_any_finite_numbers_are_correctly_rounded(rows: list[tuple[float, float]]) -> None:
    report = count(REGRESSION, [Pair(*row) for row in rows]).report()
    labels = [Fraction(label) for label, _ in rows]
    errors = [Fraction(prediction) - Fraction(label) for label, prediction in rows]
    mean = sum(labels, Fraction()) / len(rows)
    spread = sum(((label - mean) ** 2 for label in labels), Fraction())
    squares = sum((error**2 for error in errors), Fraction())

    assert report["mae"] == _rounded(sum(map(abs, errors), Fraction()) / len(rows))
    assert report["bias"] == _rounded(sum(errors, Fraction()) / len(rows))
    assert report["r2"] == (_rounded(1 - squares / spread) if spread else None)
    rmse = report["rmse"]
    if isinstance(rmse, float) and rmse > 1e-300:
        step = Fraction(math.ulp(rmse))
        assert (Fraction(rmse) - step) ** 2 <= squares / len(rows) <= (Fraction(rmse) + step) ** 2


def _rounded(exact: Fraction) -> float | None:
    try:
        return float(exact)
    except OverflowError:
        return None
