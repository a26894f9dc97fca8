"""Performance of binary models."""

from __future__ import annotations

import math

import pytest

from driftline.models.performance import BinaryPerformance, BinaryScoring, ClassSet, Pair, restore_scoring

SCORING = BinaryScoring(ClassSet(["legit", "fraud"]), positive="fraud")


def count(*pairs: Pair) -> BinaryPerformance:
    performance = SCORING.new()
    for pair in pairs:
        outcome = SCORING.interpret(pair)
        assert outcome is not None
        performance.update(outcome)
    return performance


def test_every_metric_of_a_small_stream() -> None:
    report = count(
        Pair("fraud", "fraud", 0.75),
        Pair("fraud", "legit", 0.25),
        Pair("legit", "fraud", 0.5),
        Pair("legit", "legit", 0.125),
        Pair("legit", "legit"),
    ).report()
    assert report == {
        "pairs": 5,
        "scored": 4,
        "outside": 0,
        "base_rate": 0.4,
        "accuracy": 0.6,
        "precision": 0.5,
        "recall": 0.5,
        "f1": 0.5,
        "log_loss": pytest.approx((math.log(4 / 3) + math.log(4) + math.log(2) + math.log(8 / 7)) / 4, rel=1e-15),
        "brier": (0.0625 + 0.5625 + 0.25 + 0.015625) / 4,
        "roc_auc": 0.75,
    }


def test_metrics_are_none_where_they_are_undefined() -> None:
    empty = SCORING.new().report()
    assert {name for name, value in empty.items() if value is not None} == {"pairs", "scored", "outside"}
    negatives = count(Pair("legit", "legit", 0.1)).report()
    undefined = {name for name, value in negatives.items() if value is None}
    assert undefined == {"precision", "recall", "f1", "roc_auc"}
    assert count(Pair("fraud", "legit")).report()["f1"] == 0.0


def test_a_prediction_outside_the_classes_is_an_error_but_no_positive() -> None:
    report = count(
        Pair("fraud", "fraud"), Pair("fraud", "review"), Pair("legit", "review"), Pair("legit", "legit")
    ).report()
    assert report["outside"] == 2
    assert report["accuracy"] == 0.5
    assert report["precision"] == 1.0
    assert report["recall"] == 0.5
    assert report["f1"] == 2 / 3
    assert report["base_rate"] == 0.5


def test_its_score_counts_all_the_same() -> None:
    assert count(Pair("fraud", "review", 0.5)).report()["brier"] == 0.25


def test_a_pair_without_a_label_among_the_classes_is_not_scored() -> None:
    assert SCORING.interpret(Pair("unknown", "fraud", 0.5)) is None


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_a_pair_whose_weight_is_none_is_not_scored(weight: float) -> None:
    assert SCORING.interpret(Pair("fraud", "fraud", 0.5, weight=weight)) is None


@pytest.mark.parametrize("score", [-0.1, 1.1, math.nan, math.inf])
def test_a_score_that_is_no_probability_is_no_score(score: float) -> None:
    report = count(Pair("fraud", "fraud", score)).report()
    assert (report["pairs"], report["scored"], report["log_loss"]) == (1, 0, None)


@pytest.mark.parametrize(("label", "score"), [("fraud", 0.0), ("legit", 1.0)])
def test_a_certain_error_has_the_log_loss_of_the_smallest_step(label: str, score: float) -> None:
    assert count(Pair(label, label, score)).report()["log_loss"] == pytest.approx(52 * math.log(2), rel=1e-15)


@pytest.mark.parametrize(
    ("probabilities", "brier"),
    [({"fraud": 0.25, "legit": 0.75}, 0.5625), ({"legit": 0.5}, 0.25), ({"review": 1.0}, None), ({}, None)],
)
def test_probabilities_stand_in_for_a_score(probabilities: dict[str, float], brier: float | None) -> None:
    assert count(Pair("fraud", "fraud", None, probabilities)).report()["brier"] == brier


def test_a_score_comes_before_probabilities() -> None:
    assert count(Pair("fraud", "fraud", 0.5, {"fraud": 1.0})).report()["brier"] == 0.25


def test_weights_enter_every_metric() -> None:
    weighted = count(
        Pair("fraud", "fraud", 0.75, weight=3.0),
        Pair("fraud", "legit", 0.25),
        Pair("legit", "fraud", 0.5, weight=0.5),
        Pair("legit", "legit", 0.5, weight=0.0),
    ).report()
    assert weighted["base_rate"] == 4 / 4.5
    assert weighted["accuracy"] == 3 / 4.5
    assert weighted["precision"] == 3 / 3.5
    assert weighted["recall"] == 3 / 4
    assert weighted["brier"] == (3 * 0.0625 + 0.5625 + 0.5 * 0.25) / 4.5
    assert weighted["roc_auc"] == 3 / 4
    assert weighted["pairs"] == 4


def test_losses_for_the_drift_detectors() -> None:
    pairs = [Pair("fraud", "fraud"), Pair("legit", "legit"), Pair("legit", "fraud"), Pair("legit", "review")]
    outcomes = [SCORING.interpret(pair) for pair in pairs]
    assert [SCORING.loss(outcome) for outcome in outcomes if outcome is not None] == [0.0, 0.0, 1.0, 1.0]
    assert [outcome.positive for outcome in outcomes if outcome is not None] == [True, False, False, False]


@pytest.mark.parametrize(
    ("classes", "positive"),
    [([0, 1], "1"), ([1, 0], "1"), (["True", "False"], "True"), (["yes", "no"], "yes"), (["no", "yes"], "yes")],
)
def test_the_positive_class_if_none_is_configured(classes: list[str | int], positive: str) -> None:
    assert BinaryScoring(ClassSet(classes)).positive == positive


def test_the_positive_class_may_be_spelled_otherwise() -> None:
    assert BinaryScoring(ClassSet([0, 1]), positive="false").positive == "0"


def test_a_positive_label_outside_the_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="the positive label 'Fraud' is not one of the classes legit, fraud"):
        BinaryScoring(ClassSet(["legit", "fraud"]), positive="Fraud")


def test_two_classes_are_needed() -> None:
    with pytest.raises(ValueError, match="a binary model has two classes, not 3: a, b, c"):
        BinaryScoring(ClassSet(["a", "b", "c"]))


def test_the_scoring_has_a_snapshot() -> None:
    restored = restore_scoring(SCORING.snapshot())
    assert restored.snapshot() == SCORING.snapshot()
    assert restored.interpret(Pair("fraud", "legit", 0.5)) == SCORING.interpret(Pair("fraud", "legit", 0.5))


def test_compact_counters_merge_with_the_others() -> None:
    outcome = SCORING.interpret(Pair("fraud", "legit", 0.5))
    assert outcome is not None
    total, compact = SCORING.new(), SCORING.new_compact()
    compact.update(outcome)
    total.merge(compact)
    assert total.report() == count(Pair("fraud", "legit", 0.5)).report()
