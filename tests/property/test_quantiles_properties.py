"""What holds of a quantile sketch whatever the values."""

from __future__ import annotations

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from driftline.models.watch.quantiles import QuantileSketch

finite = st.floats(allow_nan=False, allow_infinity=False)
streams = st.lists(finite | st.floats(min_value=0.0, max_value=1e4), max_size=60)
quantiles = st.floats(min_value=0.0, max_value=1.0)


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
    restored = QuantileSketch.restore(json.loads(json.dumps(sketch.snapshot(), allow_nan=False)))
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
