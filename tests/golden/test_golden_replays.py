"""The same events give the same bytes: as blessed, whatever the batches, in whichever process, again and again.

A change of detectors, policy or formats changes them on purpose: ``python -m tests.golden`` shows the difference and
blesses it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.golden.cases import CASES, KEPT, Golden, outputs_in, replayed

ROOT = Path(__file__).parents[2]
cases = pytest.mark.parametrize("golden", CASES, ids=lambda golden: golden.name)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    return {golden.name: golden.replay(tmp_path_factory.mktemp(golden.name)) for golden in CASES}


@cases
@pytest.mark.parametrize("name", KEPT)
def test_a_replay_gives_what_was_blessed(found: dict[str, dict[str, bytes]], golden: Golden, name: str) -> None:
    # By lines, so that a failure shows the one that differs.
    assert found[golden.name][name].splitlines(keepends=True) == golden.kept()[name].splitlines(keepends=True)


@cases
@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_batches_change_no_byte(found: dict[str, dict[str, bytes]], golden: Golden, batch: int, tmp_path: Path) -> None:
    assert golden.replay(tmp_path, batch=batch) == found[golden.name]


def test_batches_change_no_byte_of_several_models(found: dict[str, dict[str, bytes]], tmp_path: Path) -> None:
    one, seven, thousand = (replayed(CASES, tmp_path / str(batch), batch=batch) for batch in (1, 7, 1000))
    assert one == seven == thousand
    alerts = thousand["alerts.jsonl"].splitlines()
    assert {json.loads(alert)["model_id"] for alert in alerts} == found.keys()


def test_nothing_depends_on_the_process_or_the_order_of_its_sets(
    found: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    seeds = ("0", "1")
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.golden", "--out", tmp_path / seed],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        for seed in seeds
    ]
    try:
        assert [process.wait(timeout=120) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    for seed in seeds:
        assert {golden.name: outputs_in(tmp_path / seed / golden.name) for golden in CASES} == found


def alerts_of(golden: Golden) -> list[dict[str, Any]]:
    return [json.loads(line) for line in golden.kept()["alerts.jsonl"].splitlines()]


def kinds(golden: Golden, state: str) -> set[str]:
    return {alert["kind"] for alert in alerts_of(golden) if alert["state"] == state}


def related(golden: Golden) -> set[str]:
    return {evidence["kind"] for alert in alerts_of(golden) for evidence in alert["evidence"]}


def test_what_is_blessed_is_worth_comparing() -> None:
    fraud, vehicles, price = CASES
    assert kinds(fraud, "firing") == {"data_quality", "performance"}
    assert kinds(fraud, "resolved") == {"data_quality"}
    assert related(fraud) == {"data_quality", "data_drift", "performance", "concept_drift"}
    assert kinds(vehicles, "firing") == kinds(vehicles, "resolved") == {"data_quality"}
    assert kinds(vehicles, "updated") == set()  # bad records that last are one change
    assert kinds(price, "firing") == {"concept_drift"}
    for golden in CASES:
        kept = golden.kept()
        assert kept["retrain.jsonl"]
        ids = [json.loads(line)["alert_id"] for line in kept["alerts.jsonl"].splitlines()]
        assert len(ids) == len(set(ids))
        assert json.loads(kept["state.json"]).keys() == {golden.name}
