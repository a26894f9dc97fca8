"""What the tests of the whole worker share: a site with empty servers, and workers as child processes."""

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.request import urlopen

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from driftline.client import ModelState, StateReader, TopologyError
from driftline.models.snapshot import unseal
from driftline.schemas import keys
from driftline.schemas.partitioner import PARTITIONER
from driftline.schemas.topics import INPUTS
from driftline.streams.embedded import EmbeddedBroker
from driftline.streams.topology import TOPICS, create_topics, mention_topics
from tests.conditions import eventually

ROOT = Path(__file__).parents[1]

WORKER = ("-m", "driftline", "worker")
FAUST = ("-m", "faust", "-A", "driftline.streams.app", "worker", "-l", "warn")

EMBEDDED_PARTITIONS = 4  # as many as the embedded broker gives every topic


class Sent(NamedTuple):
    """A record to send."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    partition: int = -1  # by its key


@dataclass(frozen=True)
class Site:
    """Where the workers of one test run: Driftline's topics without records, an empty Redis, a group of its own."""

    kafka: str
    redis: str
    folder: Path
    partitions: int
    group: str = field(default_factory=lambda: f"g-{uuid.uuid4().hex[:12]}")

    def worker(self, *program: str, **environment: str) -> "WorkerProcess":
        """Return a worker of this site, not started yet; its settings are given by their variables' names."""
        variables = {
            "DRIFTLINE_KAFKA": self.kafka,
            "DRIFTLINE_REDIS": self.redis,
            "DRIFTLINE_GROUP": self.group,
            "DRIFTLINE_METRICS_PORT": "0",
            "DRIFTLINE_CHECKPOINT_SECONDS": "0.2",
        }
        log = self.folder / f"worker-{uuid.uuid4().hex[:8]}.log"
        return WorkerProcess(program or WORKER, variables | environment, log)

    def send(self, records: Iterable[Sent]) -> None:
        """Send records and wait until Kafka has them."""
        producer = Producer(
            {
                "bootstrap.servers": self.kafka,
                "partitioner": PARTITIONER,
                "enable.idempotence": True,
                "linger.ms": 20,
                "message.max.bytes": 10_000_000,
                "queue.buffering.max.messages": 1_000_000,
                "compression.type": "gzip",  # so that a record above the limit of its topic gets there
                "log_level": 0,
            }
        )
        for topic, key, value, headers, partition in records:
            producer.produce(topic, value, key, partition, headers=list(headers))
            producer.poll(0)
        assert producer.flush(120) == 0  # a broker may be away for a minute

    @contextmanager
    def without_writes(self) -> Iterator[None]:
        """Let Redis answer no command that writes; a worker bears that for 10 seconds."""
        with Redis.from_url(self.redis) as client:
            client.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
            try:
                yield
            finally:
                client.execute_command("CLIENT", "UNPAUSE")

    def records(self, topic: str) -> list[Message]:
        """Return everything that a topic holds now; the records of one partition are in their order."""
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": "tests", "log_level": 0})
        try:
            partitions = [TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(self.partitions)]
            ends = [consumer.get_watermark_offsets(each, timeout=10)[1] for each in partitions]
            consumer.assign(partitions)
            found: list[Message] = []

            def all_read() -> bool:
                found.extend(consumer.consume(10_000, timeout=0.1))
                return len(found) >= sum(ends)

            eventually(all_read)
            return found
        finally:
            consumer.close()

    def states(self) -> dict[str, ModelState]:
        """Return the state of every model, as of its last checkpoint."""
        with StateReader(self.redis) as reader:
            try:
                return {state.model_id: state for state in reader.states()}
            except TopologyError:  # no worker has got so far
                return {}

    @property
    def saved(self) -> int:
        """How many records the checkpoints cover."""
        return sum(self.checkpoints().values())

    def checkpoints(self) -> dict[tuple[str, int], int]:
        """Return the next offset of each topic and partition as the checkpoints have them."""
        found = {}
        with Redis.from_url(self.redis) as client:
            for partition in range(self.partitions):
                position: Any = client.get(keys.position(partition))
                if position is not None:
                    for topic, offset in unseal(position)["start"][0].items():
                        found[topic, partition] = offset
        return found

    def committed(self) -> dict[tuple[str, int], int]:
        """Return the next offset of each topic and partition as the group has committed it."""
        asked = [TopicPartition(topic, partition) for topic in INPUTS for partition in range(self.partitions)]
        consumer = Consumer({"bootstrap.servers": self.kafka, "group.id": self.group, "log_level": 0})
        try:
            found = consumer.committed(asked, timeout=10)
        finally:
            consumer.close()
        return {(each.topic, each.partition): each.offset for each in found if each.offset >= 0}


def real_site(kafka: str, redis: str, folder: Path, *, partitions: int = 8) -> Site:
    """Return a site on a broker that can delete topics: all of Driftline's are made anew."""
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})

    def present() -> list[str]:
        return [topic for topic in TOPICS if topic in admin.list_topics(timeout=10).topics]

    if old := present():
        for deleted in admin.delete_topics(old).values():
            deleted.result(10)
        eventually(lambda: not present())
    create_topics(kafka, partitions, replication_factor=1)
    return Site(kafka, redis, folder, partitions)


@contextmanager
def embedded_site(redis: str, folder: Path) -> Iterator[Site]:
    """Give a site on an embedded broker of its own, which has no way to delete topics."""
    with EmbeddedBroker() as server:
        mention_topics(server.bootstrap)
        yield Site(server.bootstrap, redis, folder, EMBEDDED_PARTITIONS)


class Scrape:
    """What /metrics of a worker answered: every sample by name and labels."""

    def __init__(self, text: str) -> None:
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float:
        """Return the value of one series."""
        return self.samples[name, frozenset(labels.items())]

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """Return the values of a series by one of its labels, summed over the others."""
        found: dict[str, float] = {}
        for (of, labels), value in self.samples.items():
            if of == name:
                key = dict(labels)[label]
                found[key] = found.get(key, 0.0) + value
        return found


class WorkerProcess:
    """A worker in a process of its own, its output in a file.

    The end of a ``with`` block kills it, should it still run.
    """

    def __init__(self, program: Sequence[str], variables: Mapping[str, str], log: Path) -> None:
        self._command = [sys.executable, *program]
        others = {name: value for name, value in os.environ.items() if not name.startswith("DRIFTLINE_")}
        self._environment = {**others, "PYTHONPATH": str(ROOT), **variables}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, without waiting for anything."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._log.parent, env=self._environment, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._running.pid

    @property
    def log(self) -> str:
        """What it has written to standard output and standard error."""
        return self._log.read_text()

    @property
    def watches(self) -> bool:
        """Whether it has been given partitions."""
        return "watching partitions" in self.log

    @property
    def scraped(self) -> Scrape:
        """What its /metrics says now."""
        found = re.search(r"metrics on (http://\S+)", self.log)
        assert found is not None, self.log
        with urlopen(found[1], timeout=10) as answer:  # noqa: S310 - its own address, on loopback
            return Scrape(answer.read().decode())

    @property
    def processed(self) -> int:
        """How many records it has processed so far."""
        return int(sum(self.scraped.by_label("driftline_records_total", "topic").values()))

    def until(self, condition: Callable[[], object], *, seconds: float = 30.0) -> None:
        """Return as soon as `condition` gives something true; fail if the worker ends or the time is up."""
        try:
            eventually(lambda: self._running.poll() is not None or condition(), seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; its log: {self.log}") from None
        assert self._running.poll() is None, self.log

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._process is not None and self._process.poll() is not None

    def terminate(self) -> int:
        """Ask it to end, as an operator does, and return its exit code."""
        self._running.send_signal(signal.SIGTERM)
        return self.wait()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._running.send_signal(number)

    def wait(self, seconds: float = 30.0) -> int:
        """Wait for its end and return its exit code."""
        return self._running.wait(seconds)

    def kill(self) -> None:
        """End it at once, as a crash of the machine does."""
        self._running.kill()
        self._running.wait()

    @property
    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None, "not started"
        return self._process

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill it."""
        self.kill()
