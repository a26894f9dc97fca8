"""Whether a worker's memory is bounded: ``python -m benchmarks.backlog [--records N] [--seconds S]``.

The peak of a worker's resident memory, on a real Kafka and a real Valkey: where it is up to date, with a backlog of
small records, with one of records of 1 MB, and where Redis hardly answers. A backlog is read for `seconds` at most, so
not to its end. Exits 1 if a backlog of small records takes more than the limits in the code allow.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Producer
from redis import Redis

from benchmarks.results import keep, origin
from driftline.schemas.decoding import MAX_BYTES
from driftline.schemas.events import MAX_CLASSES, MAX_FEATURES
from driftline.schemas.fields import MAX_NAME
from driftline.schemas.partitioner import partition_of
from driftline.schemas.topics import LABELS, PREDICTIONS
from driftline.streams.embedded import EmbeddedValkey
from driftline.streams.lane import MOST_SNAPSHOT_BYTES
from driftline.streams.transport import BatchLimits
from driftline.streams.unsaved import MOST_RECORDS
from tests.servers.kafka import KafkaServer
from tests.worker_harness import Site, WorkerProcess, real_site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARTITIONS: Final = 2
MAX_PENDING: Final = 5000
"""Few, so that the index of the join, which has a bound of its own, is full where the worker is up to date too."""

FEW: Final = 40_000
LARGE: Final = 2000

_START: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z
_BLOCK: Final = 1000
_REFUSED: Final = MAX_BYTES + 40_000
_SAMPLE_SECONDS: Final = 0.1
_PACKAGES: Final = ("faust-streaming", "aiokafka", "redis", "river")

# What a backlog may take beside what a worker takes that is up to date, from the limits in the code:
#
# - Of each topic and partition aiokafka has a fetch of 1 MiB (`consumer_max_fetch_size`): at one moment the bytes of
#   the answer, a part of them, and what is made of it, three times as much.
# - Two batches wait for the agent (`BatchLimits.queued`), and two in `Merge`, beyond which fetching stops: what waits
#   for the agent comes on top, and one more that was being fetched, so five. A batch has at most 1,000 records and, as
#   nothing here is compressed, no more than a fetch. A record has Python objects around its bytes: 600 of them.
# - Of each partition 40,000 records are not saved (`MOST_RECORDS`), and as many again are being saved. A record of
#   either leaves an entry, what it was made of, and the fields of what was given up for it: 1 kB together.
# - A checkpoint of 4 MB of snapshots (`MOST_SNAPSHOT_BYTES`) stands in memory as values, text, bytes and a command.
_FETCH: Final = 1 << 20
_OF_RECORD: Final = 600
_OF_UNSAVED: Final = 1000
_QUEUED: Final = 2 * BatchLimits().queued + 1
_OF_TOPIC: Final = 3 * _FETCH + _QUEUED * (_FETCH + BatchLimits().records * _OF_RECORD)
BOUND: Final = PARTITIONS * (2 * _OF_TOPIC + 2 * MOST_RECORDS * _OF_UNSAVED + 4 * MOST_SNAPSHOT_BYTES)

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A backlog: what it is called, how it is written, how many records that gives, and whether Redis is slow."""

    title: str
    write: Callable[[Site, int], None]
    records: int
    is_slow: bool = False
    is_bounded: bool = False


# -- what is written --------------------------------------------------------------------------------------------------


def write_small(site: Site, records: int) -> None:
    """Write half as many predictions, and the labels of each thousand after it, as a service does that is on time."""
    models = _models()
    prediction = (
        b'{"model_id":"%s","model_version":"1","prediction_id":"p%d","timestamp":%d,"prediction":%d,'
        b'"score":0.%d,"features":{"x":%d}}'
    )
    label = b'{"model_id":"%s","prediction_id":"p%d","timestamp":%d,"label":%d}'
    with _sending(site.kafka, "none") as send:
        for start in range(0, records // 2, _BLOCK):
            numbers = range(start, min(start + _BLOCK, records // 2))
            for n in numbers:
                model, at = models[n % PARTITIONS], _START + 10 * n
                send(PREDICTIONS, prediction % (model, n, at, n % 2, n % 10, n % 97), model, n % PARTITIONS)
            for n in numbers:
                model, at = models[n % PARTITIONS], _START + 10 * n
                send(LABELS, label % (model, n, at, n % 2), model, n % PARTITIONS)


def write_refused(site: Site, records: int) -> None:
    """Write predictions that are valid but for their size: as large as the topic takes."""
    _write_large(site, records, size=_REFUSED)


def write_compressed(site: Site, records: int) -> None:
    """Write the same, of text that repeats, as a producer that compresses: a fetch of 1 MiB holds hundreds of them."""
    _write_large(site, records, size=_REFUSED, compression="gzip")


def write_features(site: Site, records: int) -> None:
    """Write the largest valid predictions: a thousand features of text."""
    _write_large(site, records)


def write_classes(site: Site, records: int) -> None:
    """Write the largest predictions that have to be kept: probabilities of a thousand classes with long names."""
    _write_large(site, records, classes=MAX_CLASSES)


def _write_large(
    site: Site, records: int, *, size: int = MAX_BYTES, classes: int = 0, compression: str = "none"
) -> None:
    models = _models()
    names = [f"{n:04}".ljust(MAX_NAME, "c") for n in range(classes)]
    answer = f'"prediction":"{names[0]}"' if classes else '"prediction":1'
    kept = ",".join(f'"{name}":{1 / classes:g}' for name in names)
    probabilities = f'"probabilities":{{{kept}}},' if classes else ""
    with _sending(site.kafka, compression) as send:
        for n in range(records):
            model = models[n % PARTITIONS]
            head = (
                f'{{"model_id":"{model.decode()}","model_version":"1","prediction_id":"p{n:06}",'
                f'"timestamp":{_START + 10 * n},{answer},{probabilities}"features":{{'
            )
            room = (size - len(head) - 2) // MAX_FEATURES - len('"x0000":"",')
            text = "v" * room if compression != "none" else Random(n).randbytes(room).hex()[:room]
            features = ",".join(f'"x{k:04}":"{text}"' for k in range(MAX_FEATURES))
            send(PREDICTIONS, f"{head}{features}}}}}".encode(), model, n % PARTITIONS)


@contextmanager
def _sending(kafka: str, compression: str) -> Iterator[Callable[[str, bytes, bytes, int], None]]:
    producer = Producer(
        {
            "bootstrap.servers": kafka,
            "linger.ms": 20,
            "compression.type": compression,
            "message.max.bytes": 2 * MAX_BYTES,
            "queue.buffering.max.messages": 100_000,
            "log_level": 0,
        }
    )

    def send(topic: str, value: bytes, key: bytes, partition: int) -> None:
        while True:
            try:
                producer.produce(topic, value, key, partition)
            except BufferError:
                producer.poll(0.1)
            else:
                return

    yield send
    if left := producer.flush(60):
        raise RuntimeError(f"{left} records were not written within 60 s")


def _models() -> list[bytes]:
    """Return a model for each partition."""
    names = (f"model-{number}" for number in count())
    found: dict[int, str] = {}
    while len(found) < PARTITIONS:
        name = next(names)
        found.setdefault(partition_of(name, PARTITIONS), name)
    return [found[partition].encode() for partition in range(PARTITIONS)]


def _configuration(folder: Path) -> str:
    detectors = "{numeric: [], score: [], error: [], quality: []}"
    costs = f"challenger: none, max_pending: {MAX_PENDING}, detectors: {detectors}"
    lines = [f"  - {{model_id: {model.decode()}, {costs}}}" for model in _models()]
    path = folder / "driftline.yaml"
    path.write_text("\n".join(["models:", *lines]))
    return str(path)


# -- what is measured -------------------------------------------------------------------------------------------------


def measure(case: Case, site: Site, seconds: float) -> Row:
    """Write a backlog, let a worker read it, and return its memory and how far it came."""
    print(f"writing {case.records:,}: {case.title}", file=sys.stderr)
    case.write(site, case.records)
    samples: list[int] = []
    configuration = _configuration(site.folder)
    with site.worker(DRIFTLINE_CONFIG=configuration, DRIFTLINE_CHECKPOINT_SECONDS="1") as worker:
        worker.until(lambda: "metrics on" in worker.log, seconds=120)
        began = time.monotonic()
        with _slowed(site.redis) if case.is_slow else nullcontext():
            while time.monotonic() < began + seconds and _processed(worker, len(samples)) < case.records:
                time.sleep(_SAMPLE_SECONDS)
                samples.append(_status(worker.pid, "VmRSS"))
        took = time.monotonic() - began
        time.sleep(2)  # of a backlog that was read: a last checkpoint
        processed = worker.processed
        peak = _status(worker.pid, "VmHWM")
    return {
        "title": case.title,
        "records": case.records,
        "processed": processed,
        "seconds": took,
        "peak_bytes": peak,
        "last_bytes": samples[-1],
        "every_5_s": samples[:: int(5 / _SAMPLE_SECONDS)],
    }


def _processed(worker: WorkerProcess, sample: int) -> int:
    """Return how many records have been processed, which is asked for once a second."""
    worker.until(lambda: True)  # it has not ended
    return 0 if sample % int(1 / _SAMPLE_SECONDS) else worker.processed


def _status(pid: int, name: str) -> int:
    """Return a line of the status of a process, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"{name}:"))
    return 1024 * int(line.split()[1])


@contextmanager
def _slowed(redis: str) -> Iterator[None]:
    """Let Redis write for one second in twenty, which is less often than a worker waits for an answer."""
    ended = threading.Event()

    def slow() -> None:
        with Redis.from_url(redis) as client:
            while not ended.wait(1):
                client.execute_command("CLIENT", "PAUSE", 19_000, "WRITE")
                ended.wait(19)
            client.execute_command("CLIENT", "UNPAUSE")

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def print_table(rows: list[Row]) -> None:
    """Print what each backlog took, and how much more than none."""
    print(f"\n{'a worker, and':46}  {'records':>9}  {'processed':>9}  {'in':>5}  {'peak MB':>7}  {'more':>5}")
    for row in rows:
        counts = f"{row['records']:9,}  {row['processed']:9,}  {row['seconds']:3.0f} s"
        more = (row["peak_bytes"] - rows[0]["peak_bytes"]) / 1e6
        print(f"{row['title']:46}  {counts}  {row['peak_bytes'] / 1e6:7,.0f}  {more:5,.0f}")


def main() -> int:
    """Measure, print the table, and write the result; 1 if memory grows beyond its bound."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backlog", description=__doc__)
    parser.add_argument("--records", type=int, default=5_000_000, help="of the backlog (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=120, help="to read a backlog (default: %(default)s)")
    parser.add_argument("--large", type=int, default=LARGE, help="records of 1 MB (default: %(default)s)")
    options = parser.parse_args()
    small, large = options.records, options.large
    cases = [
        Case("hardly any backlog", write_small, FEW),
        Case("a backlog of small records", write_small, small, is_bounded=True),
        Case("the same, and Redis away 19 s in 20", write_small, small, is_slow=True, is_bounded=True),
        Case("1.04 MB a record, refused", write_refused, large),
        Case("the same, compressed", write_compressed, large),
        Case("1 MB a record, of features", write_features, large),
        Case("1 MB a record, 0.26 MB of them probabilities", write_classes, large),
    ]
    rows = []
    with tempfile.TemporaryDirectory() as folder, KafkaServer() as kafka, EmbeddedValkey() as valkey:
        for case in cases:
            with Redis.from_url(valkey.url) as client:
                client.flushall()
            site = real_site(kafka.bootstrap, valkey.url, Path(folder), partitions=PARTITIONS)
            rows.append(measure(case, site, options.seconds))
    print_table(rows)
    bounded = [row for row, case in zip(rows, cases, strict=True) if case.is_bounded]
    most = max(row["peak_bytes"] - rows[0]["peak_bytes"] for row in bounded)
    kept = most <= BOUND
    verdict = "kept" if kept else "MISSED"
    print(f"small records take {most / 1e6:,.0f} MB more at most; {BOUND / 1e6:,.0f} MB are allowed: {verdict}")
    document = {
        "cases": rows,
        "bound_bytes": BOUND,
        "kept": kept,
        "partitions": PARTITIONS,
        **origin(_PACKAGES),
    }
    keep("backlog", document)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
