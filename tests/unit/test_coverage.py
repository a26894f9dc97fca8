"""How many predictions have their label, by when they were made and what was predicted."""

from __future__ import annotations

from random import Random
from typing import Final

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from driftline.models.kernels.coverage import COHORTS, COVERAGE, SMALLEST, paired, predicted
from tests.served import Served

CLASSES: Final = 3


@given(st.integers(0, 2**32), st.sampled_from([0, 100, 5000]), st.sampled_from([100, 8192, 30_000]))
def test_each_label_is_counted_with_its_prediction_as_long_as_that_is_kept(seed: int, delay: int, events: int) -> None:
    random, coverage = Random(seed), np.zeros(1, COVERAGE)[0]
    answers = [random.randrange(CLASSES) for _ in range(events)]
    is_labelled = [random.random() < 0.3 * answer for answer in answers]
    for now in range(events):
        predicted(coverage, answers[now], 2 * now, now, 0)
        if now >= delay and is_labelled[now - delay]:
            paired(coverage, answers[now - delay], 2 * (now - delay), 0.5)
    kept = int(coverage["count"])
    first = int(coverage["first"][0]) // 2
    assert kept <= COHORTS
    assert coverage["first"][:kept].tolist() == sorted(coverage["first"][:kept].tolist())
    assert coverage["predicted"][:kept].sum() == events - first
    assert events - first >= min(events, COHORTS // 2 * SMALLEST)
    assert 2 * coverage["losses"][:kept].sum() == coverage["labelled"][:kept].sum()
    for answer in range(CLASSES):
        there = [n for n in range(first, events - delay) if answers[n] == answer and is_labelled[n]]
        assert coverage["labelled"][:kept, answer].sum() == len(there)


def test_cohorts_are_large_only_where_labels_take_long() -> None:
    for delay, size in ((100, SMALLEST), (20_000, 4 * SMALLEST)):  # 32 of 1,024 hold as many predictions as wait
        coverage = np.zeros(1, COVERAGE)[0]
        for now in range(100_000):
            predicted(coverage, 0, now, now, 0)
            if now >= delay:
                paired(coverage, 0, now - delay, 1.0)
        assert (coverage["size"], coverage["count"]) == (size, COHORTS)


def test_cohorts_stay_small_where_some_labels_never_come() -> None:
    coverage = np.zeros(1, COVERAGE)[0]
    for now in range(100_000):
        predicted(coverage, 0, now, now, 0)
        if now >= 100 and now % 10:
            paired(coverage, 0, now - 100, 1.0)
    assert coverage["size"] == SMALLEST


def test_a_prediction_that_comes_late_makes_no_cohort_older() -> None:
    coverage = np.zeros(1, COVERAGE)[0]
    for now in range(10_000):
        predicted(coverage, 0, now, max(now - 3000 * (now % 61 == 1), 0), 0)
    kept = int(coverage["count"])
    assert (np.diff(coverage["began"][:kept]) >= 0).all()
    assert (coverage["last"][:kept] - coverage["began"][:kept] <= 2 * SMALLEST).all()


def test_labels_that_come_for_one_class_alone_are_seen_by_class() -> None:
    served = Served(task="binary", classes=["no", "yes"])
    for n in range(3000):
        answer = "yes" if n % 3 else "no"
        pending = served.predict(answer)
        if answer == "yes" or n < 1000:
            served.label(pending, answer)
    again = served.restarted()
    for report in (served.report(), again.report()):
        coverage = report["label_coverage"]
        assert coverage["by_class"]["yes"] == 1.0
        assert 0.2 < coverage["by_class"]["no"] < 0.5
        assert 0.7 < coverage["share"] < 0.9
        assert 2500 < coverage["predictions"] <= 3000


def test_before_labels_have_matured_no_prediction_counts_as_without_one() -> None:
    served = Served(task="binary", classes=[0, 1], reference={"events": 1000, "label_delay": "1s"})
    waiting = []
    for n in range(6000):
        waiting.append((served.predict(n % 2), n % 2))
        if len(waiting) > 900:
            served.label(*waiting.pop(0))
    coverage = served.report()["label_coverage"]
    assert coverage["share"] == 1.0
    assert coverage["predictions"] > 2000


def test_the_rows_of_a_batch_are_of_one_cohort() -> None:
    coverage = np.zeros(1, COVERAGE)[0]
    for n in range(1000):
        predicted(coverage, 0, n // 100, n, 0)
    for n in range(1000):
        paired(coverage, 0, n // 100, 1.0)
    kept = int(coverage["count"])
    assert coverage["labelled"][:kept, 0].tolist() == coverage["predicted"][:kept, 0].tolist() == [300, 300, 300, 100]
