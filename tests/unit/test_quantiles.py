"""Quantiles from buckets, against the sorted values."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from driftline.models.watch.quantiles import QuantileSketch


def sketch_of(values: list[float]) -> QuantileSketch:
    sketch = QuantileSketch()
    for value in values:
        sketch.update(value)
    return sketch


@pytest.mark.parametrize("seed", range(3))
def test_quantiles_of_latencies_are_within_one_per_cent(seed: int) -> None:
    values = np.random.default_rng(seed).lognormal(3.0, 2.0, 20_000)
    sketch = sketch_of(values.tolist())
    for q in (0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0):
        assert sketch.quantile(q) == pytest.approx(np.quantile(values, q, method="lower"), rel=0.0101)


def test_an_empty_sketch_has_no_quantiles() -> None:
    assert sketch_of([]).report() == {
        "count": 0,
        "negative": 0,
        "min": None,
        "max": None,
        "p50": None,
        "p90": None,
        "p99": None,
    }


def test_the_extremes_are_exact() -> None:
    report = sketch_of([3.0, 0.7, 12.3]).report()
    assert (report["min"], report["max"], report["count"]) == (0.7, 12.3, 3)
    assert sketch_of([0.123]).report()["p50"] == 0.123


def test_negative_values_are_zero_and_counted() -> None:
    report = sketch_of([-5.0, -0.001, 2.0]).report()
    assert (report["negative"], report["count"], report["min"], report["p50"]) == (2, 3, 0.0, 0.0)


def test_an_absurd_value_costs_the_others_nothing() -> None:
    sketch = sketch_of([0.001, 0.002, 1e300])
    assert sketch.quantile(0.5) == pytest.approx(0.002, rel=0.0101)
    assert sketch.report()["max"] == 1e300


def test_buckets_are_bounded() -> None:
    sketch = sketch_of([10.0**exponent for exponent in np.linspace(-300, 300, 60_001)])
    assert len(sketch.snapshot()["buckets"]) < 2100
    for value in sketch.report().values():
        assert value is not None
        assert math.isfinite(value)


@pytest.mark.parametrize("q", [-0.1, 1.1, math.nan])
def test_a_quantile_outside_zero_to_one_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="a quantile lies between 0 and 1"):
        sketch_of([1.0]).quantile(q)


def test_merging_an_empty_sketch_changes_nothing() -> None:
    sketch = sketch_of([1.0, 2.0])
    before = sketch.snapshot()
    sketch.merge(QuantileSketch())
    assert sketch.snapshot() == before
    empty = QuantileSketch()
    empty.merge(sketch)
    assert empty.snapshot() == before


def test_a_snapshot_is_small() -> None:
    values = np.random.default_rng(1).lognormal(3.0, 1.0, 20_000)
    assert len(json.dumps(sketch_of(values.tolist()).snapshot(), separators=(",", ":"))) < 4_000
