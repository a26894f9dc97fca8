"""Compiled detectors decide as River's do, at every value of every stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from river import drift, stats

from driftline.models.kernels import adwin, moments
from tests.detectors import DETECTORS, Detector

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

    from tests.detectors import Floats

MILLION = 1_000_000

each_detector = pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.name)


def segment(kind: str, level: float, size: int, seed: int) -> Floats:
    """Return values in [0, 1] that do not change."""
    random = np.random.default_rng(seed)
    if kind == "bernoulli":
        return (random.random(size) < level).astype(np.float64)
    if kind == "uniform":
        return level * random.random(size)
    if kind == "normal":
        near: Floats = random.normal(level, 0.1, size).clip(0.0, 1.0)
        return near
    if kind == "periodic":
        return np.resize(np.eye(1, round(1 + 20 * level))[0], size)
    return np.full(size, level)


@st.composite
def streams(draw: DrawFn, *, bits: bool) -> Floats:
    """Make values in [0, 1] that change now and then."""
    kinds = ["bernoulli", "periodic"] + ([] if bits else ["uniform", "normal", "constant"])
    levels = st.sampled_from([0.0, 1.0, 0.5]) | st.floats(0, 1)
    segments = draw(
        st.lists(
            st.tuples(st.sampled_from(kinds), levels, st.integers(1, 400), st.integers(0, 1000)),
            min_size=1,
            max_size=6,
        )
    )
    odd = draw(st.lists(st.sampled_from([0.0, 1.0]) if bits else st.floats(0, 1), max_size=40))
    return np.concatenate([*(segment(*drawn) for drawn in segments), np.array(odd, np.float64)])


def long_stream(seed: int, *, bits: bool) -> Floats:
    """Return a million values that change 39 times."""
    random = np.random.default_rng(seed)
    levels = np.repeat(random.uniform(0.02, 0.6, 40), MILLION // 40)
    if bits:
        return (random.random(MILLION) < levels).astype(np.float64)
    return np.clip(random.normal(levels, 0.15), 0.0, 1.0)


@each_detector
@given(st.data())
def test_a_detector_decides_as_rivers_does(detector: Detector, data: st.DataObject) -> None:
    parameters = data.draw(st.sampled_from([detector.parameters, *detector.others]))
    values = data.draw(streams(bits=detector.needs_bits))
    cut = data.draw(st.integers(0, values.size))
    expected = detector.decide_as_river(values, parameters)
    whole = np.zeros(1, detector.dtype)[0]
    assert np.array_equal(detector.decide(whole, values, parameters), expected)

    record = np.zeros(1, detector.dtype)[0]
    before = detector.decide(record, values[:cut], parameters)
    restored = np.frombuffer(record.tobytes(), detector.dtype).copy()[0]
    after = detector.decide(restored, values[cut:], parameters)
    assert np.array_equal(np.concatenate([before, after]), expected)
    assert restored.tobytes() == whole.tobytes()


@each_detector
def test_a_detector_decides_as_rivers_does_for_a_million_values(detector: Detector) -> None:
    values = long_stream(7, bits=detector.needs_bits)
    expected = detector.decide_as_river(values, detector.parameters)
    found = detector.decide(np.zeros(1, detector.dtype)[0], values, detector.parameters)
    assert np.flatnonzero(found).tolist() == np.flatnonzero(expected).tolist()
    assert found.sum() >= 5


@each_detector
def test_a_detector_that_was_reset_is_a_new_one(detector: Detector) -> None:
    record = np.zeros(1, detector.dtype)[0]
    detector.decide(record, long_stream(3, bits=detector.needs_bits)[:30_000], detector.parameters)
    assert record.tobytes() != bytes(detector.dtype.itemsize)
    detector.reset(record)
    assert record.tobytes() == bytes(detector.dtype.itemsize)


@given(streams(bits=False), st.sampled_from([1e-6, 0.002, 0.5, 20.0]), st.sampled_from([1.0, -1e6, 1e-300, 1e100]))
def test_adwin_has_the_sums_of_rivers_and_goes_on_without_a_reset(values: Floats, delta: float, unit: float) -> None:
    window, rivers = np.zeros(1, adwin.ADWIN), drift.ADWIN(delta=delta)._helper  # type: ignore[no-untyped-call]  # noqa: SLF001 - its sums
    for value in (values * unit).tolist():
        assert adwin.update(window[0], value, delta) is rivers.update(value)
        assert window["width"][0] == rivers.get_width()
        assert window["total"][0] == rivers.get_total()
        assert window["variance"][0] == rivers.get_variance()


def zeros_and_ones(size: int) -> Floats:
    return np.tile([0.0, 1.0], size // 2 + 1)[:size]


def test_adwins_window_is_bounded() -> None:
    (detector,) = (detector for detector in DETECTORS if detector.name == "ADWIN")
    window = np.zeros(1, adwin.ADWIN)
    most = 5 * (2**20 - 1)
    detector.decide(window[0], zeros_and_ones(most), (1e-9,))
    assert window["width"][0] == most
    detector.decide(window[0], np.zeros(1), (1e-9,))
    assert window["width"][0] == most + 1 - 2**19
    assert not detector.decide(window[0], zeros_and_ones(2 * most), (1e-9,)).any()
    assert most - 2**19 <= window["width"][0] <= most
    counts, row = window["counts"][0], window["rows"][0]
    assert (counts * 2 ** np.arange(adwin.ROWS)).sum() == window["width"][0]
    assert row["totals"].sum() == window["total"][0]
    assert window["variance"][0] / window["width"][0] == pytest.approx(0.25, rel=1e-9)


@given(st.lists(st.floats(-1e100, 1e100), max_size=60), st.sampled_from([0, 1, 2]))
def test_moments_are_rivers_to_the_last_bit(values: list[float], ddof: int) -> None:
    record: Any = np.zeros(1, moments.MOMENTS)[0]
    mean, variance = stats.Mean(), stats.Var(ddof)
    for value in values:
        moments.update(record, value)
        mean.update(value)
        variance.update(value)
        assert record["mean"] == mean.get()
        assert moments.variance(record, ddof) == variance.get()
    moments.reset(record)
    assert record.tobytes() == bytes(moments.MOMENTS.itemsize)
