"""Metrics over time: which rows there are, and what stands in them."""

from __future__ import annotations

import math
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.schemas.errors import ConfigurationError, SnapshotError
from driftline.schemas.series import MOST_METRICS, RESOLUTIONS, Row, metrics_of, resolution
from driftline.schemas.state import Counts, ModelState
from driftline.streams.columns import Columns

START: Final = 1_795_406_400_000


def a_state(at: int | None = START, **fields: object) -> ModelState:
    counts = dict.fromkeys(Counts.model_fields, 0)
    empty: dict[str, object] = {
        "challenger": None,
        "label_delay": {},
        "serving_latency": {},
        "features": {},
        "detectors": {},
    }
    return ModelState.model_validate(
        {
            "model_id": "fraud",
            "partition": 2,
            "task": "binary",
            "task_inferred": True,
            "classes": ["0", "1"],
            "positive_label": "1",
            "model_version": "7",
            "watermark": at,
            "next_offsets": {},
            "counts": counts,
            "performance": {},
            "incidents": [],
            "reference": {},
            **empty,
            **fields,
        }
    )


def effect(value: float | None, measure: str = "psi") -> dict[str, object]:
    return {"effect": value, "measure": measure}


def test_a_row_has_all_that_can_be_drawn() -> None:
    state = a_state(
        performance={"accuracy": 0.9, "f1": None, "window": {"accuracy": 0.8}, "per_class": {"1": {"recall": 0.5}}},
        challenger={"model": "linear", "accuracy": 0.7, "restarts": 0},
        label_delay={"count": 3, "p50": 60.0, "p90": None},
        label_coverage={"predictions": 10, "share": 0.4, "by_class": {}},
        detectors={
            "data_drift feature amount of it e_sr:rank": effect(0.3),
            "data_drift feature amount of it e_sr:spread": effect(0.3),
            "fairness segment sex=f e_sr:error_rate_gap": effect(0.1, "error_rate_gap"),
            "fairness segment sex=f e_sr:selection_rate_gap": effect(0.2, "selection_rate_gap"),
            "label_drift metric label e_sr:frequency": effect(None),
        },
    )
    metrics = metrics_of(state)
    assert {name: value for name, value in metrics.items() if not name.startswith("counts.")} == {
        "incidents": 0.0,
        "performance.accuracy": 0.9,
        "performance.window.accuracy": 0.8,
        "challenger.accuracy": 0.7,
        "challenger.restarts": 0.0,
        "label_delay.p50": 60.0,
        "label_coverage.share": 0.4,
        "effect.data_drift feature amount of it psi": 0.3,
        "effect.fairness segment sex=f error_rate_gap": 0.1,
        "effect.fairness segment sex=f selection_rate_gap": 0.2,
    }
    assert {name for name in metrics if name.startswith("counts.")} == {
        f"counts.{name}" for name in Counts.model_fields
    }


@given(st.lists(st.integers(0, 200), min_size=1, max_size=60))
def test_the_last_checkpoint_within_a_time_is_kept_of_as_many_times_as_there_is_room(minutes: list[int]) -> None:
    stored: dict[str, bytes] = {}
    columns = Columns()
    moments = [START + 60_000 * minute + 17 * n for n, minute in enumerate(sorted(minutes))]
    for nth, at in enumerate(moments):
        stored |= columns.rows(a_state(at, performance={"nth": nth}))
    place = columns.names.index("performance.nth")
    for each in RESOLUTIONS:
        found = [Row.unpack(stored[field]) for field in each.fields("fraud") if field in stored]
        last = {at // each.width % each.rows: (at, nth) for nth, at in enumerate(moments)}
        assert sorted((row.at, row.values[place]) for row in found) == sorted(last.values())
    assert len(stored) <= sum(each.rows for each in RESOLUTIONS)


def test_a_metric_keeps_its_place_however_many_come_and_go() -> None:
    columns = Columns()
    columns.rows(a_state(performance={"accuracy": 0.9}))
    known = columns.names
    again = Columns.unpack(columns.pack())
    (row, *_) = (Row.unpack(row) for row in again.rows(a_state(performance={"größe": 0.5})).values())
    assert again.names == [*known, "performance.größe"]
    assert math.isnan(row.values[known.index("performance.accuracy")])
    assert row.values[-1] == 0.5


def test_metrics_are_bounded_and_the_first_ones_stay() -> None:
    columns = Columns()
    columns.rows(a_state(performance={f"m{n}": float(n) for n in range(3 * MOST_METRICS)}))
    assert len(columns) == MOST_METRICS
    assert columns.names[-1] == f"performance.m{MOST_METRICS - len(Counts.model_fields) - 2}"


def test_before_the_first_event_there_is_no_row() -> None:
    assert Columns().rows(a_state(None)) == {}


@given(st.integers(-(2**63), 2**63 - 1), st.lists(st.floats(allow_nan=False)))
def test_a_row_is_read_as_it_was_written(at: int, values: list[float]) -> None:
    row = Row.unpack(Row(at, values).pack())
    assert (row.at, list(row.values)) == (at, values)


@pytest.mark.parametrize("stored", [b"", b"1234567", b"123456789"])
def test_a_row_that_is_cut_off_is_refused(stored: bytes) -> None:
    with pytest.raises(SnapshotError, match="cut off"):
        Row.unpack(stored)


def test_a_resolution_that_is_none_is_explained() -> None:
    with pytest.raises(ConfigurationError, match="there is no resolution '2m': choose from 1m, 15m, 6h"):
        resolution("2m")
