"""A model that stops while its partition has nothing else: the worker's clock tells, and its journal when."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftline.schemas.topics import ALERTS, PREDICTIONS
from tests.conditions import eventually
from tests.worker_harness import Sent, Site, embedded_site
from tests.worker_traffic import START

CONFIGURATION = "models: [{model_id: m, silence: {predictions: 2s, labels: 0s}}]"


@pytest.fixture
def site(empty_redis: str, tmp_path: Path) -> Iterator[Site]:
    with embedded_site(empty_redis, tmp_path) as made:
        yield made


def predictions(start: int, end: int) -> list[Sent]:
    ids = [{"prediction_id": str(n), "timestamp": START + 100 * n, "prediction": n % 2} for n in range(start, end)]
    events = [json.dumps({"model_id": "m", "model_version": "1", **fields}).encode() for fields in ids]
    return [Sent(PREDICTIONS, b"m", event) for event in events]


def alerts(site: Site) -> list[bytes]:
    return [message.value() or b"" for message in site.records(ALERTS)]


def told(site: Site, field: str) -> list[str]:
    return [json.loads(alert)[field] for alert in alerts(site)]


def test_silence_is_told_by_the_clock_and_again_by_the_journal(site: Site, tmp_path: Path) -> None:
    config = tmp_path / "driftline.yaml"
    config.write_text(CONFIGURATION)
    site.send(predictions(0, 150))
    with site.worker(DRIFTLINE_CONFIG=str(config)) as worker:
        eventually(lambda: "critical" in told(site, "severity"), seconds=120)
        site.send(predictions(150, 160))
        eventually(lambda: "resolved" in told(site, "state"), seconds=60)
        assert worker.terminate() == 0  # after which it may have been silent again
    firing = json.loads(alerts(site)[0])
    assert (firing["kind"], firing["state"], firing["target"]) == ("silence", "firing", {"metric": "predictions"})
    assert firing["effect"]["value"] >= 2.0
    assert set(told(site, "kind")) == {"silence"}

    command = [sys.executable, "-m", "driftline", "replay", "--journal", "--kafka", site.kafka, "--config", str(config)]
    done = subprocess.run([*command, "--out", str(tmp_path)], capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "alerts.jsonl").read_bytes().splitlines() == alerts(site)
