"""A worker that cannot start says why in one sentence, and ends with the exit code for it."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions
from redis import Redis

from driftline.models.snapshot import seal
from driftline.schemas import keys
from driftline.schemas.topics import LABELS
from driftline.streams.children import free_port
from driftline.streams.embedded import EmbeddedBroker
from driftline.streams.topology import mention_topics
from tests.conditions import eventually
from tests.worker_harness import EMBEDDED_PARTITIONS, Site, WorkerProcess, embedded_site, real_site

POSITION = seal({"next_offsets": {}, "watermark": None, "unattributed": None})
DAMAGED = POSITION[:-1] + bytes([POSITION[-1] ^ 1])

SAID = {
    "no Kafka": (1, r"Kafka at 127.0.0.1:\d+ does not answer \(.*Connection refused\)"),
    "no topics": (1, r"Kafka at \S+ has no topic driftline.predictions, .*: run `driftline topics create`"),
    "no Redis": (1, r"Redis at 127.0.0.1:\d+ does not answer: .*"),
    "another number of partitions": (1, r"the input topics have 4 partitions and the stored state was made with 7: .*"),
    "a damaged checkpoint": (1, r"the checkpoint of partition 2 .* checksum does not match: .* driftline:\{2\}:\* .*"),
    "no configuration file": (2, r"nowhere.yaml cannot be read: No such file or directory"),
    "a port that is taken": (2, r"the metrics cannot be served on 127.0.0.1:\d+: Address already in use; .*"),
}


def database(redis_url: str, number: int, *, partitions: int = EMBEDDED_PARTITIONS, position: bytes) -> str:
    """Return the URL of a database that holds the topology and a position of partition 2."""
    url = f"{redis_url.rpartition('/')[0]}/{number}"
    with Redis.from_url(url) as client:
        client.flushdb()
        client.hset(keys.TOPOLOGY, "partitions", partitions)
        client.set(keys.position(2), position)
    return url


@pytest.fixture(scope="module")
def site(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with embedded_site(redis_url, tmp_path_factory.mktemp("start")) as made:
        yield made


@pytest.fixture(scope="module")
def unable(site: Site) -> Iterator[dict[str, WorkerProcess]]:
    """Start all of them at once, since some wait long for a server, and give them by what ails them."""
    with ExitStack() as stack:
        bare = stack.enter_context(EmbeddedBroker())
        taken = stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
        settings = {
            "no Kafka": {"DRIFTLINE_KAFKA": f"127.0.0.1:{free_port()}"},
            "no topics": {"DRIFTLINE_KAFKA": bare.bootstrap},
            "no Redis": {"DRIFTLINE_REDIS": f"redis://127.0.0.1:{free_port()}/0"},
            "another number of partitions": {
                "DRIFTLINE_REDIS": database(site.redis, 1, partitions=7, position=POSITION)
            },
            "a damaged checkpoint": {"DRIFTLINE_REDIS": database(site.redis, 2, position=DAMAGED)},
            "no configuration file": {"DRIFTLINE_CONFIG": "nowhere.yaml"},
            "a port that is taken": {
                "DRIFTLINE_REDIS": database(site.redis, 3, position=POSITION),
                "DRIFTLINE_METRICS_PORT": str(taken),
            },
        }
        yield {name: stack.enter_context(site.worker(**of_worker)) for name, of_worker in settings.items()}


def assert_said(worker: WorkerProcess, code: int, sentence: str) -> None:
    assert worker.wait(60) == code, worker.log
    *before, last = worker.log.splitlines()
    assert re.fullmatch(f"driftline: {sentence}", last), last
    assert not [line for line in before if not re.match(r"\S+Z (INFO|WARNING) driftline\.", line)], worker.log


@pytest.mark.parametrize("what", SAID)
def test_what_is_wrong_is_said_in_one_sentence(unable: dict[str, WorkerProcess], what: str) -> None:
    assert_said(unable[what], *SAID[what])


def test_topics_with_unequal_partitions_are_refused(kafka: str, empty_redis: str, tmp_path: Path) -> None:
    uneven = real_site(kafka, empty_redis, tmp_path, partitions=2)
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    admin.create_partitions([NewPartitions(LABELS, 3)])[LABELS].result(10)
    try:
        with uneven.worker() as worker:
            assert_said(worker, 1, r"driftline.predictions has 2 partitions and driftline.labels 3, so that .* create`")
    finally:
        real_site(kafka, empty_redis, tmp_path)  # for whoever uses these topics next


# Loses its broker after it has looked at the topics: before anything of Faust has started, or before its consumer has.
LOSING_KAFKA = """
import os, sys
from driftline.__main__ import main
from driftline.streams import app
from driftline.streams.transport import ownership

def lose_kafka_at(moment):
    if moment == os.environ["MOMENT"]:
        os.kill(int(os.environ["BROKER"]), int(os.environ["SIGNAL"]))
        print("lost", file=sys.stderr, flush=True)

class Store(app.RedisStore):
    async def claim_topology(self, *topology):
        await super().claim_topology(*topology)
        lose_kafka_at("start")

class Thread(ownership.FetchingThread):
    async def on_start(self):
        lose_kafka_at("consumer")
        await super().on_start()

app.RedisStore, ownership.FetchingThread = Store, Thread
main()
"""


@contextmanager
def losing_kafka(redis: str, folder: Path, moment: str, ending: signal.Signals) -> Iterator[WorkerProcess]:
    """Run a worker whose broker gets a signal while it starts, until that has happened."""
    command = (sys.executable, "-m", "driftline.streams.embedded")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as broker:
        try:
            assert broker.stdout is not None
            address = broker.stdout.readline().strip().removeprefix("bootstrap=")
            mention_topics(address)
            site = Site(address, redis, folder, EMBEDDED_PARTITIONS)
            variables = {"MOMENT": moment, "BROKER": str(broker.pid), "SIGNAL": str(int(ending))}
            with site.worker("-c", LOSING_KAFKA, "worker", **variables) as worker:
                eventually(lambda: "lost" in worker.log.splitlines())
                yield worker
        finally:
            broker.kill()


@pytest.mark.parametrize("moment", ["start", "consumer"])
def test_a_signal_ends_a_worker_that_waits_for_a_broker(empty_redis: str, tmp_path: Path, moment: str) -> None:
    with losing_kafka(empty_redis, tmp_path, moment, signal.SIGSTOP) as worker:
        assert worker.terminate() == 0, worker.log
        assert "Traceback" not in worker.log


@pytest.mark.parametrize("moment", ["start", "consumer"])
def test_a_broker_that_dies_while_a_worker_starts_is_told_in_one_sentence(
    empty_redis: str, tmp_path: Path, moment: str
) -> None:
    with losing_kafka(empty_redis, tmp_path, moment, signal.SIGKILL) as worker:
        assert worker.wait(60) == 1, worker.log
        assert re.fullmatch(r"driftline: Kafka at 127.0.0.1:\d+ does not answer", worker.log.splitlines()[-1])
        assert "Traceback" not in worker.log
