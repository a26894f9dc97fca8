"""A worker that ends, in order or not, and the next one: nothing is lost, and nothing is counted twice."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from redis import Redis

from driftline.models.policy.unattributed import Unattributed
from driftline.models.snapshot import seal
from driftline.schemas.alerts import Alert
from driftline.schemas.config import BadRecordsConfig
from driftline.schemas.partitioner import partition_of
from driftline.schemas.topics import ALERTS, PREDICTIONS
from driftline.streams.checkpoint import Checkpoint, RedisStore
from driftline.streams.outgoing import Outgoing
from tests.chaos.mutants import ACKS_FIRST
from tests.worker_harness import Site, embedded_site, real_site
from tests.worker_traffic import assert_exact, lean, mixed, on_every_partition, shifting

# Has half a second to give its partitions up, so that nobody waits for the 20 of the others.
IMPATIENT = """
from driftline.__main__ import main
from driftline.streams import app

class Impatient(app.DriftlineApp):
    def __init__(self, *given):
        super().__init__(*given, hook_timeout=0.5)

app.DriftlineApp = Impatient
main()
"""


POSITION = seal(
    {
        "start": [{}, None],
        "settled": {},
        "unattributed": Unattributed(BadRecordsConfig()).snapshot(),
        "numbers": [1, 0],
        "history": "1-a",
    }
)


@pytest.fixture
def real(kafka: str, empty_redis: str, tmp_path: Path) -> Site:
    return real_site(kafka, empty_redis, tmp_path)


@pytest.fixture(params=["embedded", "kafka"])
def site(request: pytest.FixtureRequest, empty_redis: str, tmp_path: Path) -> Iterator[Site]:
    if request.param == "kafka":
        yield real_site(request.getfixturevalue("kafka"), empty_redis, tmp_path)
    else:
        with embedded_site(empty_redis, tmp_path) as made:
            yield made


def test_a_restart_goes_on_where_sigterm_left_off(site: Site) -> None:
    models = on_every_partition(site.partitions, each=2, count_each=500)
    some, others = models[::2], models[1::2]
    total = 1000 * len(models)
    config = lean(site, models)

    site.send(model.prediction(n) for n in range(500) for model in some)
    site.send(model.label(n) for n in range(500) for model in others)
    with site.worker(DRIFTLINE_CONFIG=config, DRIFTLINE_CHECKPOINT_SECONDS="600") as worker:
        worker.until(lambda: worker.watches and worker.processed == total // 2)
        assert worker.terminate() == 0, worker.log
    assert site.saved == total // 2, "what was processed was not saved at the end"
    assert site.committed() == site.checkpoints()
    states = site.states()
    assert {states[model.model_id].counts.pending for model in some} == {500}
    assert {states[model.model_id].counts.orphan_labels for model in others} == {500}

    site.send(model.label(n) for n in range(500) for model in some)
    site.send(model.prediction(n) for n in range(500) for model in others)
    with site.worker(DRIFTLINE_CONFIG=config) as worker:
        worker.until(lambda: site.saved >= total)
        assert worker.processed == total // 2, "records were read again"
        assert worker.terminate() == 0, worker.log
    assert_exact(site, models)


def test_a_worker_on_a_wiped_redis_rebuilds_from_the_beginning_of_the_log(real: Site) -> None:
    models = on_every_partition(real.partitions, each=1, count_each=200)
    total = 400 * len(models)
    config = lean(real, models)
    real.send(mixed(models, range(200)))
    for _ in range(2):
        with real.worker(DRIFTLINE_CONFIG=config) as worker:
            worker.until(lambda: real.saved == total)
            assert worker.processed == total
            assert worker.terminate() == 0, worker.log
        assert_exact(real, models)
        assert sum(real.committed().values()) == total
        with Redis.from_url(real.redis) as client:
            client.flushall()
    told = [Alert.model_validate_json(alert) for alert in alerts_of(real)]
    assert {(alert.kind, alert.target.as_text()) for alert in told} == {("data_quality", "metric lost_state")}
    assert len(told) == real.partitions, "each partition tells once that it was rebuilt, and not at its first beginning"


def test_records_that_were_deleted_unread_are_told_with_their_offsets(real: Site) -> None:
    config = real.folder / "driftline.yaml"
    config.write_text("models: [{model_id: m, challenger: none}]")
    partition = partition_of("m", real.partitions)
    real.send(shifting(n) for n in range(100))
    with real.worker(DRIFTLINE_CONFIG=str(config)) as worker:
        worker.until(lambda: real.saved >= 100)
        assert worker.terminate() == 0, worker.log
    real.send(shifting(n) for n in range(100, 300))
    _delete_before(real, partition, 180)
    with real.worker(DRIFTLINE_CONFIG=str(config)) as worker:
        worker.until(lambda: real.states()["m"].counts.predictions >= 220)
        worker.until(lambda: alerts_of(real))
        assert worker.terminate() == 0, worker.log
    (alert,) = [Alert.model_validate_json(alert) for alert in alerts_of(real)]
    assert (alert.kind, alert.target.metric, alert.effect.value) == ("data_quality", "lost_records", 80)
    assert f"Partition {partition}: the records 100 to 179 of {PREDICTIONS} had been deleted" in alert.message


def test_records_that_are_deleted_under_a_running_worker_are_told_with_their_offsets(real: Site) -> None:
    config = real.folder / "driftline.yaml"
    config.write_text("models: [{model_id: m, challenger: none}]")
    partition = partition_of("m", real.partitions)
    real.send(shifting(n) for n in range(100))
    with real.worker(DRIFTLINE_CONFIG=str(config)) as worker:
        worker.until(lambda: real.saved >= 100)
        worker.signal(signal.SIGSTOP)  # for less than its session lasts
        try:
            real.send(shifting(n) for n in range(100, 200))  # which a fetch that is under way may bring
            real.send(shifting(n) for n in range(200, 1000))
            _delete_before(real, partition, 900)
        finally:
            worker.signal(signal.SIGCONT)
        worker.until(lambda: real.saved >= 1000)
        assert worker.log.count("watching partitions") == 2, "it takes its partitions over anew"
        assert worker.terminate() == 0, worker.log
    (alert,) = map(Alert.model_validate_json, alerts_of(real))
    read = real.states()["m"].counts.predictions
    assert (alert.kind, alert.target.metric) == ("data_quality", "lost_records")
    assert alert.effect.value == 1000 - read > 0, "each record was read, or told of"
    assert f"Partition {partition}: the records {read - 100} to 899 of {PREDICTIONS} had been deleted" in alert.message


def _delete_before(site: Site, partition: int, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": site.kafka, "log_level": 0})
    for deleted in admin.delete_records([TopicPartition(PREDICTIONS, partition, offset)]).values():
        deleted.result(10)


def test_topics_that_are_not_those_of_the_checkpoint_are_refused(real: Site) -> None:
    config = real.folder / "driftline.yaml"
    config.write_text("models: [{model_id: m, challenger: none}]")
    real.send(shifting(n) for n in range(100))
    with real.worker(DRIFTLINE_CONFIG=str(config)) as worker:
        worker.until(lambda: real.saved >= 100)
        assert worker.terminate() == 0, worker.log
    anew = real_site(real.kafka, real.redis, real.folder)
    anew.send(shifting(n) for n in range(50))
    with anew.worker(DRIFTLINE_CONFIG=str(config)) as worker:
        assert worker.wait(60) == 1
        assert "ends at 50 in partition" in worker.log.splitlines()[-1]


def test_a_drain_that_cannot_save_in_time_is_a_failure_and_is_made_up_for(empty_redis: str, tmp_path: Path) -> None:
    with embedded_site(empty_redis, tmp_path) as site:
        models = on_every_partition(site.partitions, each=1, count_each=100)
        total = 200 * len(models)
        site.send(mixed(models, range(100)))
        config = lean(site, models)
        patient = {"DRIFTLINE_CONFIG": config, "DRIFTLINE_CHECKPOINT_SECONDS": "600"}
        with site.worker("-c", IMPATIENT, "worker", **patient) as worker:
            worker.until(lambda: worker.watches and worker.processed == total)
            with site.without_writes():
                assert worker.terminate() == 1, worker.log
            said = "driftline: Kafka or Redis did not take the last checkpoint within 0.5 s: "
            assert worker.log.splitlines()[-1].startswith(said), worker.log
            assert "Traceback" not in worker.log
        assert site.saved == 0
        with site.worker(DRIFTLINE_CONFIG=config) as worker:
            worker.until(lambda: site.saved == total)
            assert worker.terminate() == 0, worker.log
        assert_exact(site, models)


def test_a_rebalance_in_which_nothing_can_be_saved_ends_no_worker(real: Site) -> None:
    models = on_every_partition(real.partitions, each=1, count_each=100)
    total = 200 * len(models)
    config = lean(real, models)
    seldom = {"DRIFTLINE_CONFIG": config, "DRIFTLINE_CHECKPOINT_SECONDS": "600"}
    impatient = ("-c", IMPATIENT, "worker")
    with real.worker(*impatient, **seldom) as first, real.worker(*impatient, **seldom) as second:
        first.until(lambda: first.watches and second.watches)
        real.send(mixed(models, range(100)))
        first.until(lambda: first.processed + second.processed == total)
        assert real.saved == 0
        before = first.processed
        with real.without_writes():
            second.kill()
            first.until(lambda: "did not take the last checkpoint" in first.log, seconds=60)
        first.until(lambda: first.processed == before + total)  # all of it is read again
        assert first.terminate() == 0, first.log
    assert_exact(real, models)


def commits_stay_behind(site: Site, *program: str) -> None:
    """Watch what is committed while Redis takes no writes, for longer than the interval of commits."""
    models = on_every_partition(site.partitions, each=1, count_each=500)
    site.send(mixed(models, range(250)))

    def assert_behind() -> None:
        committed = site.committed()  # before the checkpoints, which only grow
        checkpoints = site.checkpoints()
        ahead = {tp: offset for tp, offset in committed.items() if offset > checkpoints.get(tp, 0)}
        assert not ahead, f"committed ahead of the checkpoint: {ahead}, {checkpoints}"

    def is_old() -> bool:
        assert_behind()
        return worker.scraped.value("driftline_checkpoint_age_seconds") > 5.0

    with site.worker(*program, DRIFTLINE_CONFIG=lean(site, models)) as worker:
        worker.until(lambda: site.saved >= 500 * len(models))
        with site.without_writes():
            site.send(mixed(models, range(250, 500)))
            worker.until(is_old)
        worker.until(lambda: site.saved >= 1000 * len(models))
        assert worker.terminate() == 0, worker.log
    assert_behind()
    assert site.committed() == site.checkpoints()


def test_commits_are_never_ahead_of_the_checkpoint(real: Site) -> None:
    commits_stay_behind(real)


def test_mutant_that_acks_before_it_saves_is_found_by_its_commits(real: Site) -> None:
    with pytest.raises(AssertionError, match="committed ahead"):
        commits_stay_behind(real, *ACKS_FIRST.program)


def alerts_of(site: Site) -> list[bytes]:
    return [message.value() or b"" for message in site.records(ALERTS)]


def test_what_was_saved_and_not_published_is_published_by_the_next_worker(real: Site) -> None:
    """A checkpoint is all that is left of a worker that was killed between the two."""
    record = Outgoing(ALERTS, b"i", b"{}", (("ce_id", b"a-1"),))
    asyncio.run(left_behind(real.redis, Checkpoint(3, POSITION, outbox={0: record.pack()})))
    with real.worker() as worker:
        worker.until(lambda: worker.watches)
        assert alerts_of(real) == [b"{}"]
        assert worker.terminate() == 0, worker.log


async def left_behind(url: str, checkpoint: Checkpoint) -> None:
    """Save a checkpoint as a worker that is gone."""
    store = RedisStore(url)
    try:
        await store.save(checkpoint, await store.claim(checkpoint.partition))
    finally:
        await store.close()
