"""The compiled line of a calibration against the one in Python."""

from __future__ import annotations

import math
from array import array
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.models.bank import Bank
from driftline.models.kernels.calibration import CALIBRATION, MOST_CORNERS, expected, expected_at
from driftline.models.watch.calibration import Calibration

LARGEST = 1e100  # as of every number in an event

numbers = st.floats(-LARGEST, LARGEST) | st.floats(-2, 2) | st.integers(-3, 3).map(float)
lines = st.integers(1, MOST_CORNERS).flatmap(
    lambda corners: st.tuples(*[st.lists(numbers, min_size=corners, max_size=corners)] * 2)
)


@given(lines, st.lists(numbers, max_size=20))
def test_an_expectation_is_the_same_to_the_last_bit(line: tuple[list[float], list[float]], scores: list[float]) -> None:
    calibration = Calibration(array("d", sorted(line[0])), array("d", line[1]))
    bank = Bank(CALIBRATION)
    index = bank.allocate()
    calibration.fill(bank.rows[index])
    for score in (*scores, *line[0], *(math.nextafter(corner, math.inf) for corner in line[0])):
        assert expected_at(bank.rows, index, score) == calibration.expected(score)


@pytest.mark.parametrize("task", ["probabilities", "numbers"])
def test_a_line_learned_from_a_reference_is_the_same_in_a_record(task: str) -> None:
    random = Random(3)
    scores = [random.uniform(0.1, 0.9) for _ in range(4000)]
    outcomes = [float(random.random() < score) for score in scores]
    of = Calibration.of_probabilities if task == "probabilities" else Calibration.of_numbers
    calibration, bank = of(scores, outcomes), Bank(CALIBRATION)
    record = bank.rows[bank.allocate()]
    calibration.fill(record)
    assert record["corners"] == (22 if task == "probabilities" else 20)
    again = np.frombuffer(record.tobytes(), CALIBRATION)
    for _ in range(20_000):
        score = random.uniform(-0.5, 1.5)
        assert expected_at(again, 0, score) == calibration.expected(score)
    assert expected(record, 0.5) == calibration.expected(0.5)


def test_a_shorter_line_leaves_nothing_of_the_longer_one_it_takes_the_place_of() -> None:
    rows = np.zeros(1, CALIBRATION)
    Calibration(array("d", range(22)), array("d", range(22))).fill(rows[0])
    short = Calibration(array("d", [0.0, 1.0]), array("d", [5.0, 6.0]))
    short.fill(rows[0])
    for score in (-1.0, 0.5, 1.0, 10.0):
        assert expected_at(rows, 0, score) == short.expected(score)


def test_without_corners_the_score_itself_is_expected() -> None:
    assert expected_at(np.zeros(1, CALIBRATION), 0, 0.25) == 0.25


@pytest.mark.parametrize("outcome", [-LARGEST, -5e99, 5e99, LARGEST])
def test_expectations_end_where_numbers_end(outcome: float) -> None:
    rows = np.zeros(1, CALIBRATION)
    calibration = Calibration(array("d", [0.0]), array("d", [outcome]))
    calibration.fill(rows[0])
    for score in (-LARGEST, -5e99, 0.0, 5e99, LARGEST):
        assert expected_at(rows, 0, score) == calibration.expected(score)
        assert abs(expected_at(rows, 0, score)) <= LARGEST
