"""What Prometheus gets from a worker's port, and Faust's own command line."""

import json
import re
import time
from collections import Counter
from pathlib import Path

import pytest

from driftline.schemas.partitioner import partition_of
from driftline.schemas.topics import ALERTS, INPUTS, LABELS, PREDICTIONS, RETRAIN
from driftline.streams import metrics
from tests.worker_harness import FAUST, Scrape, Sent, Site, real_site
from tests.worker_traffic import Traffic, assert_exact, lean, mixed, on_every_partition, shifting

NAMES = re.findall(r"^driftline_\w+", metrics.__doc__ or "", re.MULTILINE)


@pytest.fixture
def site(kafka: str, empty_redis: str, tmp_path: Path) -> Site:
    return real_site(kafka, empty_redis, tmp_path)


def kinds(site: Site) -> Counter[str]:
    """Return how many alerts there are of each kind; of silence too, as a partition goes on with other models."""
    return Counter(json.loads(record.value() or b"")["kind"] for record in site.records(ALERTS))


def test_every_series_tells_what_happened(site: Site) -> None:
    models = on_every_partition(site.partitions, each=1, count_each=200)
    long = Traffic("long", 12_000)  # of one partition, and of a costly model: its reading stays behind for a second
    watched = (
        "model_id: m, challenger: none, reference: {events: 1000, min_span: 0s}, "
        "retrain: {on: [data_drift], min_labels: 0}"
    )
    config = Path(lean(site, [*models, long]))
    config.write_text(config.read_text().replace("models:", f"models:\n  - {{{watched}}}"))
    site.send(shifting(n) for n in range(3000))
    site.send(mixed(models, range(200)))
    site.send(Sent(LABELS, None, b"junk") for _ in range(10))
    predictions, labels = long.count + 3000 + 1600, 1600 + 10

    began = time.monotonic()
    with site.worker(DRIFTLINE_CONFIG=str(config)) as worker:
        worker.until(lambda: site.saved == predictions + labels - long.count)
        with site.without_writes():
            site.send(long.prediction(n) for n in range(long.count))
            worker.until(lambda: max(lags(worker.scraped).values()) > 0)
        worker.until(lambda: site.saved == predictions + labels)
        worker.until(lambda: set(lags(worker.scraped).values()) == {0.0})
        seen = worker.scraped
        took = time.monotonic() - began

        shown = {name for name, _ in seen.samples}
        assert {name for name in NAMES if not {name, f"{name}_count"} & shown} == set()
        assert lags(seen).keys() == {(topic, partition) for topic in INPUTS for partition in range(8)}
        assert seen.by_label("driftline_records_total", "topic") == {PREDICTIONS: predictions, LABELS: labels}
        refused = seen.by_label("driftline_bad_records_total", "reason")
        assert {reason: count for reason, count in refused.items() if count} == {"invalid_json": 10}
        assert seen.value("driftline_joined_total") == 1600
        assert seen.value("driftline_batch_records_sum") == predictions + labels
        assert 0 < seen.value("driftline_processing_seconds_sum") < took
        assert seen.value("driftline_checkpoint_seconds_count") >= 8
        assert 0 <= seen.value("driftline_checkpoint_age_seconds") < 10
        assert Counter(seen.by_label("driftline_alerts_total", "kind")) == kinds(site)
        assert kinds(site)["data_drift"] > 0
        assert seen.value("driftline_retrain_requests_total") == len(site.records(RETRAIN)) == 1
        assert seen.value("driftline_open_incidents", model_id="m", kind="data_drift") == 1
        assert seen.value("driftline_series_dropped_total") == 0
        for model_id, state in site.states().items():
            assert seen.value("driftline_model_pending", model_id=model_id) == state.counts.pending
        for model in models:
            accuracy = seen.value("driftline_model_performance", model_id=model.model_id, metric="accuracy")
            assert accuracy == pytest.approx(model.metrics["accuracy"])
        drift = seen.by_label("driftline_model_drift", "target")
        assert max(value for target, value in drift.items() if target.startswith("data_drift feature x ")) > 1  # PSI

        with site.worker(DRIFTLINE_CONFIG=str(config)) as other:
            other.until(lambda: other.watches and len(lags(other.scraped)) == 8)
            worker.until(lambda: len(lags(worker.scraped)) == 8)
            for each in (worker.scraped, other.scraped):
                partitions = {partition for _, partition in lags(each)}
                mine = {name for name in site.states() if partition_of(name, site.partitions) in partitions}
                assert each.by_label("driftline_model_pending", "model_id").keys() == mine
                assert each.by_label("driftline_model_performance", "model_id").keys() <= mine
                assert each.by_label("driftline_open_incidents", "model_id").keys() == mine
            assert other.terminate() == 0, other.log
        assert worker.terminate() == 0, worker.log


def lags(scrape: Scrape) -> dict[tuple[str, int], float]:
    labelled = [
        (dict(labels), value) for (name, labels), value in scrape.samples.items() if name == "driftline_lag_records"
    ]
    return {(labels["topic"], int(labels["partition"])): value for labels, value in labelled}


def test_faust_s_own_command_line_runs_the_worker(site: Site) -> None:
    models = on_every_partition(site.partitions, each=1, count_each=100)
    site.send(mixed(models, range(100)))
    with site.worker(*FAUST, DRIFTLINE_CONFIG=lean(site, models)) as worker:
        worker.until(lambda: site.saved == 200 * len(models))
        assert worker.terminate() == 0, worker.log
    assert_exact(site, models)
    assert "Traceback" not in worker.log
    assert site.committed() == site.checkpoints()
    assert {path.suffix for path in site.folder.iterdir()} == {".log", ".yaml"}
