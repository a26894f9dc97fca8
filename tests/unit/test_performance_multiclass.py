"""Performance of multiclass models."""

from __future__ import annotations

import math

import pytest

from driftline.models.performance import ClassSet, MulticlassPerformance, MulticlassScoring, Pair, restore_scoring

SCORING = MulticlassScoring(ClassSet(["cat", "dog", "bird", "fish"]))


def count(*pairs: Pair) -> MulticlassPerformance:
    performance = SCORING.new()
    for pair in pairs:
        outcome = SCORING.interpret(pair)
        assert outcome is not None
        performance.update(outcome)
    return performance


def test_every_metric_of_a_small_stream() -> None:
    report = count(
        Pair("cat", "cat", probabilities={"cat": 0.5, "dog": 0.5}),
        Pair("cat", "dog", probabilities={"cat": 0.25, "dog": 0.75}),
        Pair("dog", "dog"),
        Pair("dog", "bird"),
    ).report()
    assert report == {
        "pairs": 4,
        "scored": 2,
        "outside": 0,
        "accuracy": 0.5,
        "precision": 0.5,  # (1 + 1/2 + 0) / 3: the fish did not occur
        "recall": pytest.approx(
            1 / 3, rel=1e-15
        ),  # (1/2 + 1/2 + 0) / 3: no label was a bird, so 0 as scikit-learn has it
        "f1": pytest.approx((2 / 3 + 1 / 2) / 3, rel=1e-15),
        "log_loss": pytest.approx(1.5 * math.log(2), rel=1e-15),
        "per_class": {
            "cat": {"support": 2.0, "precision": 1.0, "recall": 0.5, "f1": 2 / 3},
            "dog": {"support": 2.0, "precision": 0.5, "recall": 0.5, "f1": 0.5},
            "bird": {"support": 0.0, "precision": 0.0, "recall": None, "f1": 0.0},
        },
    }


def test_metrics_are_none_where_they_are_undefined() -> None:
    report = SCORING.new().report()
    assert report.pop("per_class") == {}
    assert {name for name, value in report.items() if value is not None} == {"pairs", "scored", "outside"}


def test_a_prediction_outside_the_classes_is_an_error_and_no_class() -> None:
    report = count(Pair("cat", "cat"), Pair("cat", "wolf")).report()
    assert report["outside"] == 1
    assert report["accuracy"] == 0.5
    assert report["precision"] == 1.0
    assert report["recall"] == 0.5
    assert report["per_class"] == {"cat": {"support": 2.0, "precision": 1.0, "recall": 0.5, "f1": 2 / 3}}


def test_what_cannot_be_scored() -> None:
    assert SCORING.interpret(Pair("wolf", "cat")) is None
    assert SCORING.interpret(Pair("cat", "cat", weight=-1.0)) is None


@pytest.mark.parametrize("probabilities", [{}, {"dog": 1.0}, {"cat": 0.0}])
def test_a_class_without_a_probability_had_none(probabilities: dict[str, float]) -> None:
    report = count(Pair("cat", "cat", probabilities=probabilities)).report()
    assert report["log_loss"] == pytest.approx(52 * math.log(2), rel=1e-15)


@pytest.mark.parametrize("probability", [-0.5, 1.5, math.nan, math.inf])
def test_a_probability_out_of_range_is_none(probability: float) -> None:
    report = count(Pair("cat", "cat", probabilities={"cat": probability})).report()
    assert (report["pairs"], report["scored"], report["log_loss"]) == (1, 0, None)


def test_weights_enter_every_metric() -> None:
    report = count(
        Pair("cat", "cat", probabilities={"cat": 0.5}, weight=3.0),
        Pair("cat", "dog", probabilities={"cat": 0.25}, weight=0.5),
    ).report()
    assert report["accuracy"] == 3 / 3.5
    assert report["log_loss"] == pytest.approx((3 * math.log(2) + 0.5 * math.log(4)) / 3.5, rel=1e-15)
    assert report["per_class"] == {
        "cat": {"support": 3.5, "precision": 1.0, "recall": 3 / 3.5, "f1": 6 / 6.5},
        "dog": {"support": 0.0, "precision": 0.0, "recall": None, "f1": 0.0},
    }


def test_losses_for_the_drift_detectors() -> None:
    outcomes = [SCORING.interpret(Pair("cat", prediction)) for prediction in ("cat", "dog", "wolf")]
    assert [SCORING.loss(outcome) for outcome in outcomes if outcome is not None] == [0.0, 1.0, 1.0]


def test_counters_over_different_classes_do_not_merge() -> None:
    other = MulticlassScoring(ClassSet(["dog", "cat"])).new()
    with pytest.raises(ValueError, match="performance over different classes cannot be merged"):
        SCORING.new().merge(other)


def test_memory_grows_with_the_classes_and_not_with_their_square() -> None:
    scoring = MulticlassScoring(ClassSet(range(1000)))
    performance = scoring.new_compact()
    for label in range(1000):
        for step in (1, 10, 100):
            outcome = scoring.interpret(Pair(label, (label + step) % 1000))
            assert outcome is not None
            performance.update(outcome)
    snapshot = performance.snapshot()
    assert [len(snapshot[part]) for part in ("labelled", "predicted", "correct")] == [1000, 1000, 0]


def test_the_scoring_has_a_snapshot() -> None:
    restored = restore_scoring(SCORING.snapshot())
    assert restored.snapshot() == SCORING.snapshot()
    assert restored.interpret(Pair("dog", "fish")) == SCORING.interpret(Pair("dog", "fish"))


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown task 'ranking' in a snapshot"):
        restore_scoring({"task": "ranking"})
