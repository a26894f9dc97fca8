"""The e-detector does what its formula says, and is silent for as long as it promises."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from driftline.models.kernels.e_sr import BETS, E_SR, reset, update

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

THRESHOLD = 50.0


class PlainESr:
    """The formula, word for word."""

    def __init__(self) -> None:
        self.evidence = [0.0] * 8

    def update(self, d: float, reach: float) -> float:
        bets = [0.1 * 19 ** (j / 7) / (2 * reach) for j in range(8)]
        self.evidence = [(1 + bet * d) * (q + 1 / 8) for bet, q in zip(bets, self.evidence, strict=True)]
        return sum(self.evidence)


@njit(error_model="numpy")
def run_lengths(values: Floats, reaches: Floats, threshold: float) -> Floats:
    """Return after how many values each row gives an alarm; infinity if it gives none."""
    records = np.zeros(1, E_SR)
    lengths = np.full(len(values), np.inf)
    for row in range(len(values)):
        reset(records[0])
        for n in range(values.shape[1]):
            if update(records[0], values[row, n], reaches[row, n], threshold):
                lengths[row] = n + 1.0
                break
    return lengths


def centred(losses: Floats) -> tuple[Floats, Floats]:
    """Return losses less their mean before them, and how far below 0 each could have been.

    The mean is that of a Beta(1, 1) prior and the losses so far, so that it is known before the loss.
    """
    before = np.cumsum(losses, axis=1) - losses
    means = (1.0 + before) / (2.0 + np.arange(losses.shape[1]))
    return losses - means, means


@given(
    st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 3)), max_size=200),
    st.sampled_from([1.0, 20.0, 1e4]),
    st.integers(0, 200),
)
def test_the_evidence_is_that_of_the_formula(drawn: list[tuple[float, float]], threshold: float, cut: int) -> None:
    record, plain = np.zeros(1, E_SR)[0], PlainESr()
    for n, (d, more) in enumerate(drawn):
        if n == cut:
            record = np.frombuffer(record.tobytes(), E_SR).copy()[0]
        reach = max(-d, 0.0) + more + 1e-3  # d is never below it
        total = plain.update(d, reach)
        is_alarm = update(record, d, reach, threshold)
        assert record["evidence"].tolist() == pytest.approx(plain.evidence, rel=1e-9)
        if not math.isclose(total, threshold, rel_tol=1e-9):
            assert is_alarm is (total >= threshold)
        if is_alarm:
            reset(record)
            plain = PlainESr()


def test_bets_are_geometric() -> None:
    assert (BETS[0], BETS[-1]) == (0.1, pytest.approx(1.9))
    assert BETS[1:] / BETS[:-1] == pytest.approx(19 ** (1 / 7))


@pytest.mark.parametrize("threshold", [20.0, THRESHOLD])
@pytest.mark.parametrize("case", ["ranks", "scales", "rare", "common", "dependent"])
def test_the_mean_run_length_is_at_least_the_threshold(case: str, threshold: float) -> None:
    random = np.random.default_rng(12)
    shape = (4000, 2000)
    reaches = np.full(shape, 0.5)
    if case == "ranks":
        values: Floats = random.random(shape) - 0.5
    elif case == "scales":
        values = np.abs(2.0 * random.random(shape) - 1.0) - 0.5
    elif case == "rare":  # losses about a mean that is known: 0.95 above, or 0.05 below
        values, reaches = (random.random(shape) < 0.05).astype(np.float64) - 0.05, np.full(shape, 0.05)
    elif case == "common":
        values, reaches = (random.random(shape) < 0.9).astype(np.float64) - 0.9, np.full(shape, 0.9)
    else:  # what is as likely above 0 as below, but how far depends on what was before
        signs = random.choice([-1.0, 1.0], shape)
        values = signs * np.where(np.roll(signs, 1, axis=1) > 0.0, 0.5, 0.05)
    lengths = run_lengths(values, reaches, threshold)
    # What gave no alarm counts for what it was watched, which is less than it would be.
    assert np.minimum(lengths, float(shape[1])).mean() >= threshold


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("direction", [1.0, -1.0], ids=["worse", "better"])
def test_with_losses_about_their_mean_so_far_the_run_length_is_nearly_kept(rate: float, direction: float) -> None:
    """Nothing promises it: that mean is off by a little, and where it is, evidence grows for a while."""
    losses = (np.random.default_rng(5).random((1000, 4000)) < rate).astype(np.float64)
    values, means = centred(losses)
    reaches = means if direction > 0.0 else 1.0 - means
    lengths = run_lengths(direction * values[:, 1000:], reaches[:, 1000:], 200.0)
    assert np.minimum(lengths, 3000.0).mean() >= 0.9 * 200.0


@pytest.mark.parametrize(("shift", "latest"), [(0.05, 900), (0.1, 300), (0.25, 60)])
def test_a_change_is_found(shift: float, latest: int) -> None:
    values = np.random.default_rng(3).random((200, 1000)) - 0.5
    after = np.minimum(values + shift, 0.5)
    lengths = run_lengths(after, np.full(after.shape, 0.5), 1e4)
    assert np.quantile(lengths, 0.9) <= latest


def test_evidence_that_nobody_resets_stays_a_number() -> None:
    record = np.zeros(1, E_SR)[0]
    for _ in range(2000):
        update(record, 0.5, 0.5, 1e4)
    assert np.isfinite(record["evidence"]).all()
    assert update(record, -0.5, 0.5, 1e4)
