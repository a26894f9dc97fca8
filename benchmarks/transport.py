"""What the batch transport costs: `python -m benchmarks.transport [--bootstrap HOST:PORT]`.

CPU µs per record of a stock Faust agent, of an agent on the batch transport, and of a bare aiokafka loop, on a real
Kafka. Exits 1 unless a record costs the batch transport at most 1/20 of what it costs the stock agent.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import uuid
from contextlib import ExitStack

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.results import keep, origin
from tests.servers.kafka import KafkaServer

BOUND = 1 / 20
PARTITIONS = 8
RECORD_BYTES = 300

_TITLES = {"stock": "stock Faust agent", "batch": "batch transport", "bare": "bare aiokafka loop"}
_PACKAGES = ("faust-streaming", "aiokafka", "mode-streaming")

Results = dict[str, dict[str, float]]


def write_topic(bootstrap: str, records: int) -> str:
    """Write `records` of 300 bytes to a new topic of 8 partitions."""
    topic = f"benchmark-{uuid.uuid4().hex[:12]}"
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 100, "queue.buffering.max.messages": 1_000_000})
    for number in range(records):
        value = b"%0*d" % (RECORD_BYTES, number)
        producer.produce(topic, value, key=b"model-%d" % (number % 100), partition=number % PARTITIONS)
        producer.poll(0)
    if left := producer.flush(60):
        raise RuntimeError(f"{left} records were not written within 60 s")
    return topic


def measure(name: str, bootstrap: str, topic: str, records: int) -> dict[str, float]:
    """Run a contender in a process of its own, and return what it measured."""
    command = [sys.executable, "-m", "benchmarks.transport_contenders", name, bootstrap, topic, str(records)]
    with tempfile.TemporaryDirectory() as folder:
        # Stock Faust leaves files in its working folder.
        environment = os.environ | {"FAUST_DATADIR": folder}
        done = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True, timeout=90)
    measured: dict[str, float] = json.loads(done.stdout)
    if (measured["records"], measured["bytes"]) != (records, records * RECORD_BYTES):
        raise RuntimeError(f"{name} read {measured['records']} records of {records}")
    return measured


def compare(bootstrap: str, *, records: int, stock_records: int, runs: int) -> Results:
    """Return the median of `runs` of each contender; they take turns."""
    counts = {"stock": stock_records, "batch": records, "bare": records}
    topics = {count: write_topic(bootstrap, count) for count in set(counts.values())}
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in counts}
    for run in range(runs):
        for name, count in counts.items():
            print(f"run {run + 1} of {runs}: {_TITLES[name]}", file=sys.stderr)
            measured[name].append(measure(name, bootstrap, topics[count], count))
    keys = ("cpu_us_per_record", "records_per_second", "records")
    return {
        name: {key: statistics.median(run[key] for run in all_runs) for key in keys}
        for name, all_runs in measured.items()
    }


def main() -> int:
    """Measure, print a table, and write the result; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transport", description=__doc__)
    parser.add_argument("--bootstrap", help="a Kafka to use (default: start one)")
    parser.add_argument(
        "--records", type=int, default=200_000, help="for the batch transport and aiokafka (%(default)s)"
    )
    parser.add_argument("--stock-records", type=int, default=30_000, help="for the stock agent (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="of which the median is taken (default: %(default)s)")
    options = parser.parse_args()
    with ExitStack() as stack:
        bootstrap = options.bootstrap or stack.enter_context(KafkaServer()).bootstrap
        results = compare(bootstrap, records=options.records, stock_records=options.stock_records, runs=options.runs)
    costs = {name: result["cpu_us_per_record"] for name, result in results.items()}
    ratio = costs["stock"] / costs["batch"]
    print(f"{'':20}  CPU µs/record  records/s  records read")
    for name, title in _TITLES.items():
        result = results[name]
        print(f"{title:20}  {costs[name]:13.2f}  {result['records_per_second']:9,.0f}  {result['records']:12,.0f}")
    kept = costs["batch"] <= costs["stock"] * BOUND
    print(f"stock / batch = {ratio:.1f}, at least {1 / BOUND:.0f} wanted: {'kept' if kept else 'MISSED'}")
    print(f"batch / bare = {costs['batch'] / costs['bare']:.2f}")
    document = {
        "contenders": results,
        "stock_per_batch": ratio,
        "kept": kept,
        "record_bytes": RECORD_BYTES,
        "partitions": PARTITIONS,
        "runs": options.runs,
        **origin(_PACKAGES),
    }
    keep("transport", document)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
