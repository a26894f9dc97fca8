"""How a process with a batch app ends: by a signal, by a bug, and without its broker."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from driftline.streams.embedded import EmbeddedBroker
from tests.conditions import eventually
from tests.transport_harness import committed, new_topic, numbers, produce

ROOT = Path(__file__).parents[2]

CHILD = """
import sys
import faust
from driftline.streams.transport import BatchApp, BatchLimits, deliveries

broker, topic, fault = sys.argv[1:]
messages = []

class Listener:
    async def assigned(self, logs):
        if fault == "assigned":
            raise RuntimeError("a bug in assigned")
        return {}

    async def revoked(self, partitions):
        print("revoked", file=sys.stderr, flush=True)
        if fault == "revoked":
            raise RuntimeError("a bug in revoked")
        app.ack(messages)

app = BatchApp(topic, broker=f"kafka://{broker}", listener=Listener(), limits=BatchLimits(records=10), hook_timeout=3.0)

@app.agent(app.topic(topic))
async def work(stream):
    async for batch, message in deliveries(stream):
        if fault == "agent" and batch.first == 50:
            raise RuntimeError("a bug in the agent")
        messages.append(message)
        print("worked", batch.next_offset, file=sys.stderr, flush=True)

faust.Worker(app, loglevel="ERROR", redirect_stdouts=False).execute_from_commandline()
"""


@contextmanager
def child(broker: str, topic: str, folder: Path, fault: str = "none") -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", CHILD, broker, topic, fault]
    log = folder.parent / f"{topic}.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, cwd=folder, env={"PYTHONPATH": str(ROOT)}, stderr=file, stdout=file)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "empty"
    made.mkdir()
    return made


def log_of(folder: Path, topic: str) -> str:
    return (folder.parent / f"{topic}.log").read_text()


def test_sigterm_saves_commits_and_ends_well_and_leaves_no_files(mock_kafka: str, folder: Path) -> None:
    topic = new_topic(mock_kafka)
    produce(mock_kafka, topic, {0: numbers(100)})
    with child(mock_kafka, topic, folder) as process:
        eventually(lambda: "worked 100" in log_of(folder, topic))
        assert committed(mock_kafka, topic, topic) == {}
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert committed(mock_kafka, topic, topic) == {0: 100}
    assert log_of(folder, topic).count("revoked") == 1
    assert list(folder.iterdir()) == []


def test_an_exception_in_an_agent_ends_the_process_before_anything_is_saved(mock_kafka: str, folder: Path) -> None:
    topic = new_topic(mock_kafka)
    produce(mock_kafka, topic, {0: numbers(100)})
    with child(mock_kafka, topic, folder, "agent") as process:
        assert process.wait(30) == 1
    log = log_of(folder, topic)
    assert "a bug in the agent" in log
    assert "worked 50" in log
    assert "worked 60" not in log
    assert "revoked" not in log
    assert committed(mock_kafka, topic, topic) == {}


def test_an_exception_in_assigned_ends_the_process(mock_kafka: str, folder: Path) -> None:
    topic = new_topic(mock_kafka)
    produce(mock_kafka, topic, {0: numbers(100)})
    with child(mock_kafka, topic, folder, "assigned") as process:
        assert process.wait(30) == 1
    log = log_of(folder, topic)
    assert "a bug in assigned" in log
    assert "worked" not in log
    assert "revoked" not in log


def test_an_exception_in_revoked_does_not_hang_the_end(mock_kafka: str, folder: Path) -> None:
    topic = new_topic(mock_kafka)
    produce(mock_kafka, topic, {0: numbers(100)})
    with child(mock_kafka, topic, folder, "revoked") as process:
        eventually(lambda: "worked 100" in log_of(folder, topic))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 1
    assert "a bug in revoked" in log_of(folder, topic)
    assert committed(mock_kafka, topic, topic) == {}


def test_sigterm_ends_a_process_whose_broker_is_gone(folder: Path) -> None:
    with EmbeddedBroker() as broker:
        topic = new_topic(broker.bootstrap)
        produce(broker.bootstrap, topic, {0: numbers(100)})
        with child(broker.bootstrap, topic, folder) as process:
            eventually(lambda: "worked 100" in log_of(folder, topic))
            broker.kill()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    assert "could not commit" in log_of(folder, topic)
