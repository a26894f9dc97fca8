"""What holds of a pipeline whose models take detectors and challengers from River, as of any other."""

from __future__ import annotations

import json
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.models.drift.listener import Listener
from driftline.models.library.estimator import Estimator
from driftline.models.pipeline import Pipeline
from driftline.models.snapshot import seal
from driftline.schemas.config import parse_configuration
from driftline.schemas.events import encode
from tests.property.core_strategies import records
from tests.restoring import restore

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.models.record import Record

few = settings(max_examples=4)

_RIVER: Final[dict[str, Any]] = {
    "reference": {"events": 120, "min_span": "0s", "label_delay": "0s"},
    "alerts": {
        "events_between_false_alarms": 10**12,  # so that River's are the first to see something
        "cooldown": "20s",
        "resolve_after": 300,
        "min_effect": {"psi": 0.25},
    },
    "detectors": {
        "river": [
            {"name": "KSWIN", "on": ["error", "residual"], "parameters": {"alpha": 1e-4, "stat_size": 20}},
            {"name": "PageHinkley", "on": ["numeric", "score", "error"], "parameters": {"threshold": 5}},
            {"name": "ADWIN", "on": ["score"], "parameters": {"clock": 8}},
            {"name": "HDDMW"},
        ],
    },
    "label_timeout": "30s",
    "window": 300,
}
CONFIGURATION: Final = parse_configuration(
    {
        "models": [
            {
                "model_id": "fraud",
                **_RIVER,
                "challenger": {
                    "estimator": "tree.HoeffdingAdaptiveTreeClassifier",
                    "parameters": {"max_depth": 9},  # by default, what Python's stack has room for
                    "sampling_rate": 0.5,
                },
            },
            {
                "model_id": "topics",
                **_RIVER,
                "challenger": {"estimator": "naive_bayes.GaussianNB"},
            },
            {
                "model_id": "price",
                **_RIVER,
                "challenger": ["preprocessing.StandardScaler", "linear_model.PARegressor"],
            },
        ],
        "max_models": 4,
    }
)


@cache
def stream(seed: int) -> list[Record]:
    return records(seed, predictions=600)


def run(seed: int, cuts: Iterable[int], *, restarts: bool = False) -> list[bytes]:
    """Return the alerts, the documents and the snapshots that a run over cut batches ends with."""
    pipeline = Pipeline(CONFIGURATION, partition=3)
    entries: dict[bytes, bytes] = {}
    snapshots: dict[str, bytes] = {}
    told: list[bytes] = []
    whole = stream(seed)
    for start, end in pairwise(sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})):
        batch = whole[start:end]
        outcome = pipeline.process(batch, {key: entries[key] for key in pipeline.needed(batch)})
        told += map(encode, [*outcome.alerts, *outcome.retrain_requests])
        if restarts:
            changes = pipeline.changes()
            entries |= changes.entries
            for field in changes.dropped:
                entries.pop(field, None)
            snapshots |= changes.snapshots
            pipeline = Pipeline(CONFIGURATION, partition=3)
            restore(pipeline, changes.position, snapshots, {}, entries)
    documents = [d.model_dump_json().encode() for d in pipeline.documents().values()]
    held = [
        seal(model.snapshot()["monitor"])
        for model in pipeline._models.values()  # noqa: SLF001 - nothing public tells
    ]
    return told + documents + held


@cache
def undisturbed(seed: int) -> list[bytes]:
    return run(seed, range(0, 100_000, 1000))


def test_rivers_detectors_find_something_in_these_streams_and_its_challengers_learn() -> None:
    ended = [json.loads(each) for each in undisturbed(0) if each.startswith(b"{")]  # and no snapshot
    alerts = [each for each in ended if "alert_id" in each]
    found = [evidence for alert in alerts for evidence in alert["evidence"]]
    assert {"river:KSWIN", "river:PageHinkley"} < {evidence["detector"] for evidence in found}
    assert {"data_drift", "prediction_drift", "performance", "concept_drift"} <= {
        evidence["kind"] for evidence in found if evidence["detector"].startswith("river:")
    }
    documents = {each["model_id"]: each for each in ended if "challenger" in each}
    heard = {report["detector"] for each in documents.values() for report in each["detectors"].values()}
    assert {"river:KSWIN", "river:PageHinkley", "river:ADWIN", "river:HDDMW"} < heard
    learned = {model_id: documents[model_id]["challenger"]["learned"] for model_id in ("fraud", "topics", "price")}
    assert 0 < learned["fraud"] < 0.7 * min(learned["topics"], learned["price"])


@few
@given(st.integers(0, 1), st.data())
def test_how_records_are_cut_into_batches_changes_nothing(seed: int, data: st.DataObject) -> None:
    size = data.draw(st.sampled_from([1, 7, 0]))
    length = len(stream(seed))
    cuts = range(0, length, size) if size else data.draw(st.lists(st.integers(1, length), max_size=50))
    assert run(seed, cuts) == undisturbed(seed)


@few
@given(st.integers(0, 1), st.data())
def test_a_restored_pipeline_continues_as_if_nothing_had_happened(seed: int, data: st.DataObject) -> None:
    restarts = data.draw(st.lists(st.integers(0, len(stream(seed))), min_size=1, max_size=8))
    assert run(seed, restarts, restarts=True) == undisturbed(seed)


@pytest.mark.parametrize("forgetful", [Listener, Estimator])
def test_one_that_forgets_at_a_restart_would_be_found_out(
    forgetful: type[Listener | Estimator], monkeypatch: pytest.MonkeyPatch
) -> None:
    restarts = range(0, len(stream(0)), 500)
    assert run(0, restarts, restarts=True) == undisturbed(0)
    monkeypatch.setattr(forgetful, "restore", lambda *_: None)
    assert run(0, restarts, restarts=True) != undisturbed(0)
