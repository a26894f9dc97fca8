"""What a worker did is derived again from its journal and the records, whatever happened to it in between."""

import json
import random
from functools import partial
from pathlib import Path
from subprocess import run
from sys import executable

import pytest

from driftline.schemas.topics import ALERTS, JOURNAL
from driftline.streams.journal import Began, Read, parse_entry
from tests.worker_harness import ROOT, Site, real_site
from tests.worker_traffic import Traffic, mixed, on_every_partition


@pytest.fixture
def site(kafka: str, empty_redis: str, tmp_path: Path) -> Site:
    return real_site(kafka, empty_redis, tmp_path, partitions=2)


def configured(site: Site, models: list[Traffic], events: int = 500) -> str:
    path = Path(site.folder, "driftline.yaml")
    lines = [f"  - {{model_id: {model.model_id}, reference: {{events: {events}}}}}" for model in models]
    path.write_text("\n".join(["models:", *lines]))
    return str(path)


def alerts_by_id(lines: list[bytes]) -> dict[str, bytes]:
    """Return alerts by id; one that came twice must be the same both times."""
    found: dict[str, bytes] = {}
    for line in lines:
        name = json.loads(line)["alert_id"]
        assert found.setdefault(name, line) == line
    return found


def replayed(site: Site, config: str) -> list[bytes]:
    out = Path(site.folder, "out")
    command = [executable, "-m", "driftline", "replay", "--journal", "--kafka", site.kafka, "--config", config]
    done = run([*command, "--out", str(out)], env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return Path(out, "alerts.jsonl").read_bytes().splitlines()


def has_saved(site: Site, records: int) -> bool:
    return site.saved >= records


def test_a_run_with_kills_and_restarts_is_derived_again_byte_for_byte(site: Site) -> None:
    models = on_every_partition(site.partitions, each=2, count_each=3000)
    config = configured(site, models)
    total = 2 * sum(model.count for model in models)
    site.send(mixed([shifted(model) for model in models], range(3000)))
    for _ in range(4):
        with site.worker(DRIFTLINE_CONFIG=config) as worker:
            worker.until(partial(has_saved, site, min(site.saved + random.randrange(total // 8), total)), seconds=60)
            worker.kill()
    with site.worker(DRIFTLINE_CONFIG=config) as worker:
        worker.until(lambda: site.saved >= total, seconds=90)
        assert worker.terminate() == 0, worker.log

    published = alerts_by_id([record.value() or b"" for record in site.records(ALERTS)])
    assert {json.loads(alert)["kind"] for alert in published.values()} >= {"performance", "prediction_drift"}
    again = replayed(site, config)
    assert len(alerts_by_id(again)) == len(again)
    assert alerts_by_id(again) == published
    entries = [parse_entry(record.value() or b"") for record in site.records(JOURNAL)]
    assert sum(count for entry in entries if isinstance(entry, Read) for _, count in entry.runs) >= total
    assert len([entry for entry in entries if isinstance(entry, Began)]) > site.partitions


def shifted(model: Traffic) -> Traffic:
    """Let the labels and the feature of a model change in the middle."""
    half = model.count // 2
    model.labels[half:] = [1 - label for label in model.labels[half:]]
    model.scores[half:] = [round(score**3, 4) for score in model.scores[half:]]
    return model
