"""What holds of a quantile sketch whatever the values."""

from __future__ import annotations

import json
import math
from collections import Counter
from random import Random
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from driftline.models.kernels.quantile_sketch import GAMMA, LOWEST, PAGE
from driftline.models.watch.quantiles import QuantileSketch, SketchBank
from tests.restoring import as_stored

finite = st.floats(allow_nan=False, allow_infinity=False)
streams = st.lists(finite | st.floats(min_value=0.0, max_value=1e4), max_size=60)
quantiles = st.floats(min_value=0.0, max_value=1.0)


edges = st.builds(
    lambda power, ulps: float(np.float64(GAMMA**power) + ulps * np.spacing(np.float64(GAMMA**power))),
    st.integers(-720, 1400),
    st.integers(-2, 2),
)


def original(values: list[float]) -> dict[str, Any]:
    """Return the snapshot of a sketch of some values, without a kernel."""
    buckets: Counter[int] = Counter()
    taken = [max(value, 0.0) for value in values]
    for value in taken:
        if value <= 1e-6:
            buckets[math.ceil(math.log(1e-6) * (1.0 / math.log(1.01 / 0.99)))] += 1
        else:
            buckets[math.ceil(math.log(min(value, 1e12)) * (1.0 / math.log(1.01 / 0.99)))] += 1
    return {
        "count": len(values),
        "negative": sum(value < 0.0 for value in values),
        "min": min(taken, default=None),
        "max": max(taken, default=None),
        "buckets": [[bucket, buckets[bucket]] for bucket in sorted(buckets)],
    }


def original_quantile(snapshot: dict[str, Any], q: float) -> float:
    each = [bucket for bucket, count in snapshot["buckets"] for _ in range(count)]
    bucket = each[math.floor(q * (snapshot["count"] - 1))]
    middle = 0.0 if bucket == LOWEST else 2.0 * GAMMA**bucket / (GAMMA + 1.0)
    return float(min(max(middle, snapshot["min"]), snapshot["max"]))


def sketch_of(values: list[float]) -> QuantileSketch:
    sketch = QuantileSketch()
    for value in values:
        sketch.update(value)
    return sketch


@given(st.lists(st.floats(min_value=1e-6, max_value=1e12), min_size=1, max_size=60), quantiles)
def test_the_relative_error_is_at_most_one_per_cent(values: list[float], q: float) -> None:
    exact = sorted(values)[math.floor(q * (len(values) - 1))]
    found = sketch_of(values).quantile(q)
    assert found is not None
    assert abs(found - exact) <= 0.01 * exact * (1 + 1e-9)


@given(st.lists(streams, min_size=1, max_size=4))
def test_merged_shards_are_the_whole_stream_in_any_order(shards: list[list[float]]) -> None:
    merged = QuantileSketch()
    for shard in shards:
        merged.merge(sketch_of(shard))
    assert merged.snapshot() == sketch_of([value for shard in reversed(shards) for value in shard]).snapshot()


@given(streams, streams)
def test_a_restored_sketch_goes_on_the_same_way(before: list[float], after: list[float]) -> None:
    sketch = sketch_of(before)
    restored = QuantileSketch.restore(as_stored(sketch.snapshot()))
    for value in after:
        sketch.update(value)
        restored.update(value)
    assert restored.snapshot() == sketch.snapshot()
    assert restored.report() == sketch.report()


@given(streams)
def test_a_report_is_strict_json_and_in_order(values: list[float]) -> None:
    report = sketch_of(values).report()
    json.dumps(report, allow_nan=False)
    if values:
        in_order = [report[name] for name in ("min", "p50", "p90", "p99", "max")]
        assert in_order == sorted(in_order, key=lambda value: -1.0 if value is None else value)
        assert report["negative"] == sum(value < 0 for value in values)


@given(st.lists(finite | edges | st.sampled_from([0.0, -0.0, 1e-6, 1e12, 5e-324]), max_size=60), quantiles)
def test_a_value_is_counted_in_the_bucket_that_python_computes(values: list[float], q: float) -> None:
    sketch, expected = sketch_of(values), original(values)
    assert sketch.snapshot() == expected
    assert sketch.quantile(q) == (original_quantile(expected, q) if values else None)


def test_a_hundred_thousand_values_are_counted_in_the_buckets_that_python_computes() -> None:
    random = Random(1)
    values = [math.exp(random.uniform(-20, 35)) for _ in range(100_000)]
    assert sketch_of(values).snapshot() == original(values)


def test_counts_go_on_beyond_32_bits() -> None:
    nearly = {"count": 2**32 - 1, "negative": 0, "min": 1.0, "max": 2.0, "buckets": [[0, 2**32 - 1]]}
    sketch = QuantileSketch.restore(nearly)
    for value in (1.0, 1.0, 2.0):
        sketch.update(value)
    assert sketch.snapshot() == {**nearly, "count": 2**32 + 2, "buckets": [[0, 2**32 + 1], [35, 1]]}
    assert (sketch.quantile(0.5), sketch.quantile(1.0)) == (1.0, 2.0 * GAMMA**35 / (GAMMA + 1.0))
    sketch.merge(QuantileSketch.restore(nearly))
    assert sketch.snapshot()["buckets"] == [[0, 2**33], [35, 1]]


def test_a_value_that_is_no_number_stays_within_the_buckets() -> None:
    assert sketch_of([math.nan, math.inf]).snapshot()["buckets"] == [[1382, 2]]


@given(st.lists(streams, min_size=1, max_size=5))
def test_sketches_share_a_bank_and_give_back_what_they_had(shards: list[list[float]]) -> None:
    bank = SketchBank()
    for _ in range(2):
        sketches = [QuantileSketch(bank) for _ in shards]
        for sketch, values in zip(sketches, shards, strict=True):
            for value in values:
                sketch.update(value)
        assert [sketch.snapshot() for sketch in sketches] == [original(values) for values in shards]
        pages = int(bank.arrays.allotment[0]["used"])
        for sketch in sketches:
            sketch.release()
        assert len(bank) == 0
    # The second time none but those of the first were needed.
    spread = {(n, bucket // PAGE) for n, values in enumerate(shards) for bucket in buckets_of(values)}
    assert pages == len(spread)
    assert not any(bank.arrays.pages["low"][:, 1:].ravel())


def buckets_of(values: list[float]) -> list[int]:
    return [bucket - LOWEST for bucket, _ in original(values)["buckets"]]
