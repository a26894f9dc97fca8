"""The Kafka that the tests run against is real, and its absence is never silent."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.conditions import eventually
from tests.servers.kafka import KafkaServer

ROOT = Path(__file__).parents[2]


@pytest.mark.usefixtures("kafka")  # which skips, or fails in CI, where there can be no Kafka
def test_records_outlive_a_killed_broker() -> None:
    with KafkaServer() as server:
        admin = AdminClient({"bootstrap.servers": server.bootstrap})
        admin.create_topics([NewTopic("kept", 1, 1)])["kept"].result(20)
        producer = Producer({"bootstrap.servers": server.bootstrap, "enable.idempotence": True, "log_level": 0})
        for number in range(100):
            producer.produce("kept", str(number).encode())
        assert producer.flush(20) == 0

        server.kill()
        server.start()

        consumer = Consumer({"bootstrap.servers": server.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"})
        consumer.subscribe(["kept"])
        received: list[bytes | None] = []

        def all_received() -> bool:
            received.extend(message.value() for message in consumer.consume(100, 0.5))
            return len(received) >= 100

        eventually(all_received)
        consumer.close()
    assert received == [str(number).encode() for number in range(100)]


def test_a_topic_is_never_made_by_accident(kafka: str) -> None:
    name = f"topic-{uuid.uuid4().hex}"
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.list_topics(name, timeout=10)
    assert name not in admin.list_topics(timeout=10).topics


def run_without_java(tmp_path: Path, *, ci: str) -> subprocess.CompletedProcess[str]:
    """Run the test above in a pytest of its own, on a machine without Java or Maven."""
    environment = os.environ | {"PATH": str(tmp_path), "CI": ci}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        f"{__file__}::{test_a_topic_is_never_made_by_accident.__name__}",
    ]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120)


def test_without_java_one_line_says_that_half_was_not_run(tmp_path: Path) -> None:
    done = run_without_java(tmp_path, ci="")
    assert done.returncode == 0, done.stdout
    said = [line for line in done.stdout.splitlines() if "NOT RUN" in line]
    assert said == [
        "NOT RUN: the real-Kafka half of the tests. Java is not installed: install a Java runtime 17 or newer"
    ]


def test_without_java_ci_fails(tmp_path: Path) -> None:
    done = run_without_java(tmp_path, ci="true")
    assert done.returncode == 1, done.stdout
    assert "no real Kafka here: Java is not installed" in done.stdout
    assert "1 error" in done.stdout.splitlines()[-1]
