"""Performance over a window of the last pairs."""

from __future__ import annotations

import pytest

from driftline.models.performance import BinaryScoring, ClassSet, Pair, RegressionOutcome, RegressionScoring, Rolling
from tests.restoring import as_stored

SCORING = RegressionScoring()


def outcome(error: float) -> RegressionOutcome:
    read = SCORING.interpret(Pair(0.0, error))
    assert read is not None
    return read


@pytest.mark.parametrize("panes", [1, 2, 4, 12])
def test_the_window_holds_the_last_pairs_and_no_others(panes: int) -> None:
    window = 12
    pane = window // panes
    rolling = Rolling(SCORING, window, panes)
    assert rolling.report() == SCORING.new().report()
    for seen in range(1, 100):
        rolling.update(outcome(float(seen)))
        expected = SCORING.new()
        first = max(0, -(-seen // pane) - panes) * pane  # the first pair of the oldest pane
        for error in range(first + 1, seen + 1):
            expected.update(outcome(float(error)))
        assert rolling.report() == expected.report()
        assert rolling.report()["pairs"] == seen - first <= window
        assert seen - first > window - pane or first == 0


def test_a_report_leaves_the_window_as_it_was() -> None:
    rolling = Rolling(SCORING, 4, 2)
    for error in range(3):
        rolling.update(outcome(float(error)))
    assert rolling.report() == rolling.report()
    rolling.merged().update(outcome(100.0))
    assert rolling.report()["pairs"] == 3


def test_a_restored_window_goes_on_the_same_way() -> None:
    rolling = Rolling(SCORING, 6, 3)
    for seen in range(20):
        restored = Rolling.restore(as_stored(rolling.snapshot()), SCORING)
        assert restored.report() == rolling.report()
        restored.update(outcome(float(seen)))
        rolling.update(outcome(float(seen)))
        assert restored.snapshot() == rolling.snapshot()


def test_any_task_has_a_window() -> None:
    scoring = BinaryScoring(ClassSet([0, 1]))
    rolling = Rolling(scoring, window=2, panes=2)
    for label, score in [(0, 0.9), (1, 0.8), (0, 0.1)]:
        read = scoring.interpret(Pair(label, label, score))
        assert read is not None
        rolling.update(read)
    assert rolling.report()["roc_auc"] == 1.0


@pytest.mark.parametrize(("window", "panes"), [(10, 3), (10, 0), (2, 4), (0, 1)])
def test_panes_must_divide_the_window(window: int, panes: int) -> None:
    with pytest.raises(ValueError, match=f"a window of {window} pairs cannot be cut into {panes} panes of equal size"):
        Rolling(SCORING, window, panes)
