"""The e-detector does what its formulas say, and is silent for as long as it promises."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from driftline.models.kernels import e_sr
from driftline.models.kernels.centre import SPAN
from driftline.models.kernels.e_sr import E_SR, FALLEN, QUIET, RISEN
from tests.oracle.e_sr import PlainESr

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

CHUNK: Final = 32  # values at a time, as streams of numbers have them
LEARNED: Final = 2048  # values before any evidence is gathered
FEW: Final = 6 * SPAN  # of which as many spans as these do not tell yet how variable sums are
PROMISE: Final = 500.0
HORIZON: Final = 4096


@st.composite
def values_in_unit(draw: st.DrawFn) -> list[float]:
    """Make streams that change now and then, of numbers, of zeros and ones, of what depends on the one before."""
    values: list[float] = []
    for kind, level, size, seed in draw(
        st.lists(
            st.tuples(
                st.sampled_from(["uniform", "bits", "sticky", "constant"]),
                st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1),
                st.integers(1, 2500),
                st.integers(0, 1000),
            ),
            min_size=1,
            max_size=3,
        )
    ):
        random = np.random.default_rng(seed)
        if kind == "constant":
            values += [level] * size
        elif kind == "bits":
            values += (random.random(size) < level).astype(float).tolist()
        else:
            drawn = level * random.random(size)
            repeats = random.random(size) < (0.7 if kind == "sticky" else 0.0)
            repeats[0] = False
            values += drawn[np.maximum.accumulate(np.where(repeats, 0, np.arange(size)))].tolist()
    return values + draw(st.lists(st.floats(0, 1), max_size=40))


@given(
    values_in_unit(),
    st.randoms(use_true_random=False),
    st.sampled_from([10.0, 1000.0, 1e6, math.inf]),
    st.booleans(),
    st.sampled_from([0.0, 1.0, 4.0]),
)
def test_the_evidence_is_that_of_the_formulas(
    values: list[float],
    random: Any,  # noqa: ANN401 - of Hypothesis
    threshold: float,
    rises_only: bool,  # noqa: FBT001 - drawn
    inflation: float,
) -> None:
    record: Any = np.zeros(1, E_SR)[0]
    record["threshold"], record["rises_only"], record["inflation"] = threshold, rises_only, inflation
    plain = PlainESr(threshold, rises_only=rises_only, inflation=inflation)
    place = 0
    while place < len(values):
        chunk = values[place : place + random.randint(1, CHUNK)]
        place += len(chunk)
        if random.random() < 0.1:
            record = np.frombuffer(record.tobytes(), E_SR).copy()[0]
        found = e_sr.take(record, np.array(chunk), len(chunk))
        expected = plain.take(chunk)
        if any(math.isclose(total, threshold, rel_tol=1e-9) for total in plain.totals):
            return  # which of them exceeds it is a matter of rounding
        assert found == expected
        assert record["rise"].tolist() == pytest.approx(plain.rise, rel=1e-9, abs=1e-300)
        assert record["fall"].tolist() == pytest.approx(plain.fall, rel=1e-9, abs=1e-300)
        if plain.totals:
            assert record["total"] == pytest.approx(plain.totals[-1], rel=1e-9, abs=1e-300)
        if found != QUIET:
            e_sr.begin_anew(record)
            plain.begin_anew()


# -- how long it is silent ---------------------------------------------------------------------------------------------

WHOLE, NOT_WHITENED, NOT_PAID, NEITHER = range(4)


@njit(error_model="numpy")
def drive(  # noqa: PLR0913, PLR0917 - compiled
    rows: Floats,
    learned: int,
    chunk: int,
    threshold: float,
    rises_only: bool,  # noqa: FBT001 - as above
    mutant: int,
) -> Floats:
    """Return after how many values beyond those to learn from each row gives an alarm, infinity if none; and which."""
    records = np.zeros(1, E_SR)
    found = np.zeros((2, len(rows)))
    found[0] = np.inf
    for row in range(len(rows)):
        records[:] = np.zeros(1, E_SR)
        record = records[0]
        record.rises_only = rises_only
        record.threshold = np.inf
        for first in range(0, rows.shape[1], chunk):
            if first >= learned:
                record.threshold = threshold
            if mutant in (NOT_WHITENED, NEITHER):
                record.centre.lagged = 0.0
            if mutant in (NOT_PAID, NEITHER):
                record.centre.spans = 0
            values = rows[row, first : first + chunk]
            seen = e_sr.take(record, values, len(values))
            if seen != QUIET:
                found[0, row] = first + len(values) - learned
                found[1, row] = seen
                break
    return found


def ranks_of_normal(values: Floats) -> Floats:
    ranks: Floats = np.frompyfunc(lambda value: math.erfc(-value / math.sqrt(2.0)) / 2.0, 1, 1)(values).astype(float)
    return ranks


def autoregressive(random: np.random.Generator, shape: tuple[int, int], related: float) -> Floats:
    """Return normal numbers each of which depends on the one before."""
    noise = random.normal(size=shape)
    values = np.empty(shape)
    values[:, 0] = noise[:, 0]
    for n in range(1, shape[1]):
        values[:, n] = related * values[:, n - 1] + math.sqrt(1.0 - related**2) * noise[:, n]
    return values


def unchanged(case: str, shape: tuple[int, int], seed: int = 12) -> Floats:
    """Return rows that do not change."""
    random = np.random.default_rng(seed)
    if case == "ranks":
        return random.random(shape)
    if case == "spreads":
        return np.abs(2.0 * random.random(shape) - 1.0)
    if case == "sticky":  # bits, each as the one before it with chance one half
        bits = (random.random(shape) < 0.1).astype(float)
        repeats = random.random(shape) < 0.5
        repeats[:, 0] = False
        kept = np.maximum.accumulate(np.where(repeats, 0, np.arange(shape[1])), axis=1)
        return np.take_along_axis(bits, kept, axis=1)
    if case == "dependent":
        return ranks_of_normal(autoregressive(random, shape, 0.9))
    if case == "long":  # of which an autoregression of first order explains a part
        slow = math.sqrt(0.2) * autoregressive(random, shape, 0.95)
        return ranks_of_normal(slow + math.sqrt(0.8) * random.normal(size=shape))
    return (random.random(shape) < float(case)).astype(float)


def chunk_of(case: str) -> int:
    """Return how many values of such a stream are taken at a time: of bits it is fewer."""
    return 32 if case in {"ranks", "spreads", "dependent", "long"} else 8


def mean_run_length(case: str, *, rises_only: bool = False, mutant: int = WHOLE, learned: int = LEARNED) -> float:
    """Return how long it is silent on average; two sides have a threshold each that is twice what is promised."""
    threshold = PROMISE if rises_only else 2.0 * PROMISE
    rows = unchanged(case, (400, learned + HORIZON))
    # What gave no alarm counts for what it was watched, which is less than it would be.
    return float(np.minimum(drive(rows, learned, chunk_of(case), threshold, rises_only, mutant)[0], HORIZON).mean())


@pytest.mark.parametrize("rises_only", [False, True], ids=["two sides", "one side"])
@pytest.mark.parametrize("case", ["ranks", "spreads", "0.02", "0.1", "0.5", "sticky", "dependent"])
def test_it_is_silent_for_nearly_as_long_as_it_promises(case: str, rises_only: bool) -> None:  # noqa: FBT001 - both
    """Nearly: what is normal is only estimated, from 2,048 values at first."""
    assert mean_run_length(case, rises_only=rises_only) >= 0.9 * PROMISE


def test_it_is_silent_as_long_though_dependence_goes_far_once_enough_spans_have_told_of_it() -> None:
    assert mean_run_length("long", learned=64 * SPAN) >= 0.9 * PROMISE


@pytest.mark.parametrize("case", ["sticky", "dependent"])
def test_a_mutant_that_does_not_ask_what_the_value_before_explains_breaks_the_promise(case: str) -> None:
    """Until spans tell that sums are more variable; from then on paying for that does instead, if it is done."""
    assert mean_run_length(case, learned=FEW) >= 0.9 * PROMISE
    assert mean_run_length(case, mutant=NOT_WHITENED, learned=FEW) < 0.5 * PROMISE
    assert mean_run_length(case, mutant=NEITHER) < 0.5 * PROMISE


def test_a_mutant_that_does_not_pay_for_dependence_that_goes_far_breaks_the_promise() -> None:
    assert mean_run_length("long", mutant=NOT_PAID, learned=64 * SPAN) < 0.5 * PROMISE


# -- what it finds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "latest"),
    [
        ("ranks", 0.2, 160),
        ("ranks", -0.2, 160),
        ("0.02", "0.2", 120),
        ("0.1", "0.2", 640),
        ("0.1", "0.03", 700),
        ("0.5", "0.7", 300),
        ("0.5", "0.3", 300),
    ],
)
def test_a_change_is_found_and_which_way_it_goes(before: str, after: str | float, latest: int) -> None:
    """Nine of ten within so many values, at a threshold of a million."""
    rows = unchanged(before, (200, LEARNED + 2 * latest))
    if isinstance(after, str):
        rows[:, LEARNED:] = unchanged(after, (200, 2 * latest), seed=9)
        rises = float(after) > float(before)
    else:
        rows[:, LEARNED:] = (rows[:, LEARNED:] + after).clip(0.0, 1.0)
        rises = after > 0.0
    lengths, sides = drive(rows, LEARNED, chunk_of(before), 1e6, False, WHOLE)  # noqa: FBT003 - compiled
    assert (lengths <= latest).mean() >= 0.9
    assert set(sides[lengths < np.inf].tolist()) == {RISEN if rises else FALLEN}


def test_one_that_is_to_tell_of_rises_alone_tells_of_no_fall() -> None:
    rows = unchanged("ranks", (50, LEARNED + 1024))
    rows[:, LEARNED:] *= 0.5
    assert np.isinf(drive(rows, LEARNED, CHUNK, 1e6, True, WHOLE)[0]).all()  # noqa: FBT003 - compiled
    assert np.isfinite(drive(rows, LEARNED, CHUNK, 1e6, False, WHOLE)[0]).all()  # noqa: FBT003 - compiled


@pytest.mark.parametrize("chunk", [8, CHUNK])
@pytest.mark.parametrize("learned", [0, LEARNED])
def test_what_never_varies_gives_no_alarm(learned: int, chunk: int) -> None:
    rows = np.repeat(np.array([0.0, 0.5, 1.0, 1 / 3, 0.999])[:, None], learned + 100_000, axis=1)
    assert np.isinf(drive(rows, learned, chunk, 1e6, False, WHOLE)[0]).all()  # noqa: FBT003 - compiled


@pytest.mark.parametrize("chunk", [1, 8, CHUNK])
@pytest.mark.parametrize(("before", "then"), [("0.02", 1.0), ("0.5", 0.0), ("ranks", 1.0)])
def test_evidence_that_nobody_resets_stays_a_number(before: str, then: float, chunk: int) -> None:
    record: Any = np.zeros(1, E_SR)[0]
    record["threshold"] = 1e6
    learned, changed = unchanged(before, (1, LEARNED))[0], np.full(10_000, then)
    for values in (learned, changed):
        for first in range(0, len(values), chunk):
            part = values[first : first + chunk]
            found = e_sr.take(record, part, len(part))
    assert found != QUIET
    assert np.isfinite([record["total"], *record["rise"], *record["fall"]]).all()


def test_evidence_begins_anew_and_the_new_mean_is_learned_first() -> None:
    record: Any = np.zeros(1, E_SR)[0]
    record["threshold"] = 1e6
    values = np.concatenate([unchanged("0.1", (1, LEARNED))[0], unchanged("0.5", (1, 3000), seed=3)[0]])
    found = []
    for first in range(0, len(values) - 7, 8):
        if e_sr.take(record, values[first : first + 8], 8) != QUIET:
            found.append(first + 8)
            e_sr.begin_anew(record)
            assert (record["total"], record["rise"].sum(), record["fall"].sum()) == (0.0, 0.0, 0.0)
    assert len(found) == 1
    assert LEARNED < found[0] <= LEARNED + 120
    assert record["centre"]["total"] / record["centre"]["count"] == pytest.approx(0.5, abs=0.05)
