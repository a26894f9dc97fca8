"""A scoreboard whose pairs kernels count comes to what one in Python's integers does, for each task."""

from __future__ import annotations

from itertools import accumulate
from math import nan
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftline.models.kernels import binary, multiclass, regression
from driftline.models.kernels.compiled import kernel
from driftline.models.performance import (
    BinaryScoring,
    ClassSet,
    CounterBanks,
    MulticlassScoring,
    Pair,
    RegressionScoring,
)
from driftline.models.watch.scoreboard import Scoreboard
from tests.oracle.counters import IntegerBinary, IntegerMulticlass, IntegerRegression
from tests.restoring import as_stored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from driftline.models.performance import Scoring

BINARY: Final = ClassSet([0, 1])
KINDS: Final = ClassSet(["cat", "dog", "bird"])
WINDOW: Final = 1509


class Case(NamedTuple):
    """A task: how its pairs are read, how they would be without kernels, what they are, and how a kernel counts."""

    scoring: Scoring[Any]
    expected: Scoring[Any]
    draw: Callable[[Random, float], Pair]
    score: Callable[[CounterBanks, Scoreboard, Sequence[int], int, Pair], None]


def draw_binary(random: Random, weight: float) -> Pair:
    score = random.choice([random.random(), random.gauss(0.4, 1e-6), None])
    answers: list[int | str] = [0, 1, "neither"]
    return Pair(random.randrange(2), random.choice(answers), score, weight=weight)


def score_binary(banks: CounterBanks, board: Scoreboard, parts: Sequence[int], cell: int, pair: Pair) -> None:
    predicted = cell % 3 if cell % 3 < 2 else -1
    outcome = binary.outcome_of(cell // 3, predicted, nan if pair.score is None else pair.score)
    binary.score_pair(banks.binary.arrays, board.total, board.window, np.array(parts, np.int32), outcome)


def draw_kinds(random: Random, weight: float) -> Pair:
    label, prediction = random.choice(KINDS.names), random.choice([*KINDS.names, "wolf"])
    told = random.choice([None, {"cat": random.random(), "dog": 0.25}, {}, {"dog": random.choice([0.0, 1.0, 2.0])}])
    return Pair(label, prediction, probabilities=told, weight=weight)


def score_kinds(banks: CounterBanks, board: Scoreboard, parts: Sequence[int], cell: int, pair: Pair) -> None:
    told = MulticlassScoring(KINDS)
    probability = nan if pair.probabilities is None else told.probability(cell, pair.probabilities)
    outcome = multiclass.outcome_of(*divmod(cell, len(KINDS) + 1), probability)
    multiclass.score_pair(banks.multiclass.arrays, board.total, board.window, np.array(parts, np.int32), outcome)


def draw_numbers(random: Random, weight: float) -> Pair:
    label = random.choice([random.gauss(0, 1), random.gauss(0, 1) * 10.0 ** random.randrange(-300, 300), 7.0, -0.0])
    return Pair(label, random.choice([label, label + random.gauss(0, 1), random.gauss(0, 1e-5)]), weight=weight)


def score_numbers(banks: CounterBanks, board: Scoreboard, parts: Sequence[int], _: int, pair: Pair) -> None:
    numbers = float(pair.label), float(pair.prediction)
    score_number(banks.regression.arrays, board.total, board.window, np.array(parts, np.int32), *numbers)


@kernel
def score_number(  # noqa: PLR0913, PLR0917 - as the kernel has it
    bank: regression.Bank, total: int, window: int, parts: NDArray[np.int32], label: float, prediction: float
) -> None:
    """Count a pair: Python would hand over a word as another integer."""
    regression.score_pair(bank, total, window, parts, regression.outcome_of(label, prediction))


CASES: Final = {
    "binary": Case(BinaryScoring(BINARY), IntegerBinary(BINARY), draw_binary, score_binary),
    "multiclass": Case(MulticlassScoring(KINDS), IntegerMulticlass(KINDS), draw_kinds, score_kinds),
    "regression": Case(RegressionScoring(), IntegerRegression(), draw_numbers, score_numbers),
}

segments = st.fixed_dictionaries({}, optional={"region": st.sampled_from(["eu", "us", "other"]), "tier": st.text()})
# With 21 versions at first, a 22nd may take the place of the first after 980 of one other, and not after 979.
lengths = st.sampled_from([1, 100, 250, 979, 980, 981])
runs = st.lists(st.tuples(st.sampled_from([0, 1, 2, 20, 21, 22]), lengths, segments), min_size=1, max_size=6)


@pytest.mark.parametrize("task", CASES)
@settings(max_examples=20)
@given(runs, st.lists(st.integers(1, 1500), max_size=8), st.sampled_from([0.0, 0.01, 0.2]), st.integers(0, 2**32))
@example([(1, 979, {}), (22, 1, {})], [], 0.0, 1)
@example([(1, 980, {}), (22, 1, {})], [], 0.0, 1)
def test_a_scoreboard_comes_to_the_same_however_its_pairs_are_batched(
    task: str, runs: list[tuple[int, int, dict[str, str]]], sizes: list[int], share: float, seed: int
) -> None:
    """A version goes on for a while; all that there are come one after another at first."""
    random = Random(seed)
    case, banks = CASES[task], CounterBanks.empty()
    scoring = case.scoring.within(banks)
    board = Scoreboard(scoring, ["region", "tier"], WINDOW)
    expected = Scoreboard(case.expected, ["region", "tier"], WINDOW)
    waiting: list[tuple[list[int], int, Pair]] = []

    def flush() -> None:
        for parts, cell, pair in waiting:
            case.score(banks, board, parts, cell, pair)
        waiting.clear()

    ends = set(accumulate(sizes))
    pairs: list[tuple[str, dict[str, str]]] = [(f"v{n}", {}) for n in range(21)] + [
        (f"v{n}", of) for n, length, of in runs for _ in range(length)
    ]
    for n, (version, of) in enumerate(pairs):
        pair = case.draw(random, 0.3 if random.random() < share else 1.0)
        outcome = scoring.interpret(pair)
        expected.update(outcome, version, of)
        if pair.weight != 1.0:
            flush()
            board.update(outcome, version, of)
            continue
        parts = board.claim(version, of)
        if parts is None:
            flush()
            board.make_room(version)
            parts = board.claim(version, of)
            assert parts is not None
        cell = scoring.cell(pair.label, pair.prediction)
        assert cell is not None
        waiting.append((parts, cell, pair))
        if n in ends:
            flush()
    flush()
    assert board.report() == expected.report()
    again = Scoreboard(scoring, ["region", "tier"], WINDOW)
    again.restore(as_stored(board.snapshot()))
    assert again.report() == expected.report()
