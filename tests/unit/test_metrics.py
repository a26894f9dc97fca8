"""Prometheus series: what each event counts, what is capped, and what it costs to ask."""

import cProfile
import re
import socket
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.schemas.alerts import Alert, Kind
from driftline.schemas.errors import ConfigurationError, Reason
from driftline.schemas.state import Counts, ModelState
from driftline.streams import metrics as module
from driftline.streams.metrics import Metrics
from driftline.streams.model_series import MAX_MODELS, MAX_TARGETS, OTHER

INCIDENT = {
    "incident_id": "i",
    "kind": "performance",
    "target": {"metric": "error_rate"},
    "state": "firing",
    "severity": "warning",
    "model_version": "1",
    "opened": 0,
    "updated": 0,
    "effect": {"measure": "error_rate", "value": 0.1},
    "change_point": {"earliest": 0, "latest": 0},
}


def state(
    model_id: str,
    *,
    pending: int = 0,
    performance: dict[str, Any] | None = None,
    drift: Mapping[str, float | None] | None = None,
    kinds: tuple[Kind, ...] = (),
) -> ModelState:
    return ModelState.model_validate(
        {
            "model_id": model_id,
            "partition": 0,
            "task": "binary",
            "task_inferred": False,
            "classes": None,
            "positive_label": None,
            "model_version": "1",
            "watermark": None,
            "next_offsets": {},
            "counts": dict.fromkeys(Counts.model_fields, 0) | {"pending": pending},
            "performance": performance or {},
            "challenger": None,
            "label_delay": {},
            "serving_latency": {},
            "features": {},
            "detectors": {target: {"effect": effect} for target, effect in (drift or {}).items()},
            "incidents": [INCIDENT | {"kind": kind} for kind in kinds],
            "reference": {},
        }
    )


def series(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """Give the values of one name by their labels' values."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name
    }


def test_the_docstring_lists_every_series() -> None:
    documented = set(re.findall(r"^(driftline_\w+)", module.__doc__ or "", re.MULTILINE))
    families = list(Metrics().registry.collect())
    assert documented == {f"{f.name}_total" if f.type == "counter" else f.name for f in families}


def test_two_instances_live_side_by_side() -> None:
    one, two = Metrics(), Metrics()
    one.retrain_request()
    assert series(one, "driftline_retrain_requests_total") == {(): 1}
    assert series(two, "driftline_retrain_requests_total") == {(): 0}


def test_a_batch_is_counted() -> None:
    metrics = Metrics()
    assert series(metrics, "driftline_records_total") == {("driftline.predictions",): 0, ("driftline.labels",): 0}
    metrics.batch({"driftline.predictions": 7}, joined=0, one_by_one=7, seconds=0.002)
    metrics.batch({"driftline.predictions": 3, "driftline.labels": 5}, joined=4, one_by_one=1, seconds=0.004)
    assert series(metrics, "driftline_records_total") == {("driftline.predictions",): 10, ("driftline.labels",): 5}
    assert series(metrics, "driftline_joined_total") == {(): 4}
    assert series(metrics, "driftline_one_by_one_total") == {(): 8}
    assert series(metrics, "driftline_batch_records_sum") == {(): 15}
    assert series(metrics, "driftline_processing_seconds_count") == {(): 2}


def test_every_reason_and_kind_is_there_from_the_start() -> None:
    metrics = Metrics()
    metrics.bad_record(Reason.TOO_DEEP)
    bad = series(metrics, "driftline_bad_records_total")
    assert bad.keys() == {(reason.value,) for reason in Reason}
    assert bad[("too_deep",)] == sum(bad.values()) == 1
    assert len(series(metrics, "driftline_alerts_total")) == len(Kind) * 3


def test_an_alert_is_counted_by_kind_and_state(alert: Alert) -> None:
    metrics = Metrics()
    metrics.alert(alert)
    assert series(metrics, "driftline_alerts_total")[("data_drift", "firing")] == 1


def test_lag_goes_with_its_partition() -> None:
    metrics = Metrics()
    metrics.lag("driftline.predictions", 3, 17)
    metrics.lag("driftline.predictions", 4, 0)
    assert series(metrics, "driftline_lag_records")[("driftline.predictions", "3")] == 17
    metrics.revoked(3)
    metrics.revoked(3)
    assert series(metrics, "driftline_lag_records").keys() == {("driftline.predictions", "4")}


def test_the_checkpoint_s_age_starts_at_the_last_one() -> None:
    now = 100.0
    metrics = Metrics(clock=lambda: now)
    now += 5
    assert series(metrics, "driftline_checkpoint_age_seconds") == {(): 5}
    metrics.checkpoint(0.2)
    now += 2
    assert series(metrics, "driftline_checkpoint_age_seconds") == {(): 2}
    metrics.nothing_unsaved()
    assert series(metrics, "driftline_checkpoint_age_seconds") == {(): 0}
    assert series(metrics, "driftline_checkpoint_seconds_sum") == {(): 0.2}


def test_a_model_s_numbers_are_shown_and_its_parts_left_out() -> None:
    metrics = Metrics()
    performance = {"accuracy": 0.9, "roc_auc": None, "count": 10, "window": {"accuracy": 0.8}}
    drift = {"feature amount": 0.3, "score": None}
    metrics.observe_state(state("m", pending=4, performance=performance, drift=drift, kinds=(Kind.PERFORMANCE,) * 2))
    assert series(metrics, "driftline_model_performance") == {("m", "accuracy"): 0.9, ("m", "count"): 10}
    assert series(metrics, "driftline_model_drift") == {("m", "feature amount"): 0.3}
    assert series(metrics, "driftline_model_pending") == {("m",): 4}
    assert series(metrics, "driftline_open_incidents") == {
        ("m", kind.value): 2 * (kind is Kind.PERFORMANCE) for kind in Kind
    }

    metrics.observe_state(state("m", performance={"roc_auc": 0.7}, drift={"score": 0.1}))
    assert series(metrics, "driftline_model_performance") == {("m", "roc_auc"): 0.7}
    assert series(metrics, "driftline_model_drift") == {("m", "score"): 0.1}
    assert set(series(metrics, "driftline_open_incidents").values()) == {0}

    metrics.forget(["m", "never seen"])
    for name in ("performance", "drift", "pending"):
        assert series(metrics, f"driftline_model_{name}") == {}
    assert series(metrics, "driftline_open_incidents") == {}


def test_models_beyond_the_limit_are_summed_up() -> None:
    metrics = Metrics()
    for i in range(MAX_MODELS + 2):
        for _ in range(2):
            metrics.observe_state(
                state(f"m{i}", pending=i, performance={"accuracy": 0.5}, kinds=(Kind.DATA_DRIFT,) * (i % 2))
            )
    pending = series(metrics, "driftline_model_pending")
    assert len(pending) == MAX_MODELS + 1
    assert pending[("other",)] == MAX_MODELS + MAX_MODELS + 1
    assert series(metrics, "driftline_open_incidents")[("other", "data_drift")] == 1
    assert len(series(metrics, "driftline_model_performance")) == MAX_MODELS
    assert series(metrics, "driftline_series_dropped_total") == {(): 2}

    metrics.forget(["m0"])  # makes room
    metrics.observe_state(state(f"m{MAX_MODELS}", pending=3))
    pending = series(metrics, "driftline_model_pending")
    assert (pending[(f"m{MAX_MODELS}",)], pending[("other",)]) == (3, MAX_MODELS + 1)
    metrics.forget([f"m{MAX_MODELS + 1}"])
    assert ("other",) not in series(metrics, "driftline_model_pending")
    assert series(metrics, "driftline_series_dropped_total") == {(): 2}


MODEL_IDS = [*"abcd", OTHER]
OF_A_MODEL = st.tuples(st.integers(0, 1000), st.lists(st.sampled_from(Kind), max_size=3))


@given(st.lists(st.tuples(st.sampled_from(MODEL_IDS), st.none() | OF_A_MODEL), min_size=10, max_size=40))
def test_the_sums_of_all_series_are_those_of_all_models(
    steps: list[tuple[str, tuple[int, list[Kind]] | None]],
) -> None:
    metrics = Metrics()
    alive: dict[str, tuple[int, list[Kind]]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("driftline.streams.model_series.MAX_MODELS", 2)
        for model_id, of_it in steps:
            if of_it is None:
                metrics.forget([model_id])
                alive.pop(model_id, None)
            else:
                metrics.observe_state(state(model_id, pending=of_it[0], kinds=tuple(of_it[1])))
                alive[model_id] = of_it
            pending = series(metrics, "driftline_model_pending")
            assert sum(pending.values()) == sum(of_one for of_one, _ in alive.values())
            own = {model for (model,) in pending if model != OTHER}
            assert ((OTHER,) in pending) == (own != alive.keys())
            shown: Counter[str] = Counter()
            for (_, kind), value in series(metrics, "driftline_open_incidents").items():
                shown[kind] += int(value)
            assert +shown == Counter(kind.value for _, kinds in alive.values() for kind in kinds)


def test_a_model_among_thousands_costs_as_much_as_one_among_hundreds() -> None:
    def calls(models: int) -> int:
        metrics = Metrics()
        for i in range(models):
            metrics.observe_state(state(f"m{i}", pending=i, kinds=(Kind.DATA_DRIFT,)))
        last = state(f"m{models - 1}", pending=7, kinds=(Kind.PERFORMANCE,))
        return calls_of(lambda: metrics.observe_state(last)) + calls_of(lambda: metrics.forget([last.model_id]))

    assert calls(2000) < 2 * calls(200)


def calls_of(action: Callable[[], object]) -> int:
    """Return how many functions and methods an action calls: what it costs on any machine, however busy."""
    profile = cProfile.Profile()
    profile.runcall(action)
    return sum(entry.callcount for entry in profile.getstats())


def test_a_model_that_is_called_other_is_one_of_the_others() -> None:
    metrics = Metrics()
    metrics.observe_state(state("other", pending=1))
    metrics.observe_state(state("m", pending=2))
    assert series(metrics, "driftline_model_pending") == {("other",): 1, ("m",): 2}
    metrics.forget(["other"])
    assert series(metrics, "driftline_model_pending") == {("m",): 2}


def test_streams_beyond_the_limit_are_counted_once() -> None:
    metrics = Metrics()
    drift = dict.fromkeys((f"feature f{i}" for i in range(MAX_TARGETS + 3)), 0.1)
    for _ in range(2):
        metrics.observe_state(state("m", drift=drift))
        assert len(series(metrics, "driftline_model_drift")) == MAX_TARGETS
        assert series(metrics, "driftline_series_dropped_total") == {(): 3}


def test_prometheus_is_answered() -> None:
    metrics = Metrics()
    port = metrics.serve("127.0.0.1", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        assert 'driftline_bad_records_total{reason="too_large"} 0.0' in text
        with pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}: Address already in use; set DRIFTLINE_METR"):
            Metrics().serve("127.0.0.1", port)
    finally:
        metrics.close()
    metrics.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_a_host_that_is_not_ours_is_explained() -> None:
    with pytest.raises(ConfigurationError, match="cannot be served"):
        Metrics().serve("192.0.2.1", 0)


def test_a_batch_costs_microseconds() -> None:
    metrics = Metrics()
    records = {"driftline.predictions": 500, "driftline.labels": 500}
    start = time.process_time()
    for _ in range(1000):
        metrics.batch(records, joined=500, one_by_one=0, seconds=0.01)
    assert (time.process_time() - start) / 1000 < 0.001  # 10 µs here: a hundredth of a microsecond a record


@pytest.fixture
def alert() -> Alert:
    return Alert.model_validate(
        {
            "alert_id": "a",
            "incident_id": "i",
            "state": "firing",
            "severity": "warning",
            "model_id": "m",
            "kind": "data_drift",
            "detector": "e_sr",
            "target": {"feature": "amount"},
            "statistic": 1.0,
            "threshold": 0.5,
            "effect": {"measure": "psi", "value": 0.3},
            "change_point": {"earliest": 0, "latest": 0},
            "event_time": 0,
            "offsets": [],
            "message": "amount moved",
        }
    )
