"""The embedded servers work, and nothing that starts them can leave them behind."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from redis import Redis

from driftline.schemas.errors import UnavailableError
from driftline.streams.children import ChildProcess
from driftline.streams.embedded import EmbeddedBroker, EmbeddedValkey
from tests.conditions import eventually

# Starts both servers, prints what identifies them, and waits to be ended.
PARENT = """
import signal, threading
from driftline.streams.embedded import EmbeddedBroker, EmbeddedValkey

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # a mask that the servers must not inherit
with EmbeddedBroker() as broker, EmbeddedValkey() as valkey:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    print(broker.bootstrap.rpartition(":")[2], valkey.port, flush=True)
    threading.Event().wait()
"""

# The same with the protection taken away: the guardian becomes what it guards, and watches nothing.
UNGUARDED = """
import pathlib, sys
from driftline.streams import guardian

guardian.__file__ = sys.argv[1]
pathlib.Path(sys.argv[1]).write_text("import os, sys; os.execvp(sys.argv[1], sys.argv[1:])")
"""


def listens(port: int) -> bool:
    """Whether a process listens on the port, as the kernel tells it."""
    wanted = f":{port:04X}"
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[1].endswith(wanted) and row[3] == "0A" for row in rows)


@contextmanager
def servers_of(folder: Path, program: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Run a process that starts both servers; gives it and the ports they listen on."""
    command = [sys.executable, "-c", program, *arguments]
    environment = os.environ | {"TMPDIR": str(folder)}  # a killed parent cannot remove its temporary folders
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ports = [int(port) for port in process.stdout.readline().split()]
            assert len(ports) == 2
            assert all(map(listens, ports))
            yield process, ports
        finally:
            process.kill()


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda ending: ending.name)
def test_the_servers_end_with_their_parent(tmp_path: Path, ending: signal.Signals) -> None:
    with servers_of(tmp_path, PARENT) as (process, ports):
        process.send_signal(ending)
        process.wait(20)
        eventually(lambda: not any(map(listens, ports)))


def test_without_their_guardians_they_would_not(tmp_path: Path) -> None:
    with servers_of(tmp_path, UNGUARDED + PARENT, str(tmp_path / "unguarded.py")) as (process, ports):
        sessions = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        process.kill()
        process.wait(20)
        try:
            with pytest.raises(AssertionError):
                eventually(lambda: not any(map(listens, ports)), seconds=1)
        finally:
            for session in sessions:
                os.killpg(session, signal.SIGKILL)


def has_ended(pid: int) -> bool:
    """Whether the process is gone, or only waits for its parent to take notice."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_server_ends_with_its_guardian(tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    child = ChildProcess(["sh", "-c", f"echo $$ > {marker}; exec sleep 600"], log=tmp_path / "log")
    child.start()
    eventually(lambda: marker.exists() and marker.read_text().endswith("\n"))
    server = int(marker.read_text())
    guardian = int(Path(f"/proc/{server}/stat").read_text().split()[3])
    os.kill(guardian, signal.SIGKILL)
    eventually(lambda: has_ended(server))
    child.stop()


def test_a_command_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    child = ChildProcess(["sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done"], log=tmp_path / "log")
    monkeypatch.setattr("driftline.streams.children.STOP_SECONDS", 0.5)
    child.start()
    child.wait_for(lambda: "up" in child.log.read_text(), seconds=10)
    started = time.monotonic()
    child.stop()
    assert not child.running
    assert time.monotonic() - started < 5


def test_a_command_that_ends_too_soon_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    child = ChildProcess(["sh", "-c", "echo no such option >&2; exit 3"], log=tmp_path / "log")
    child.start()
    with pytest.raises(UnavailableError, match=r"sh ended before it was ready: no such option"):
        child.wait_for(lambda: False, seconds=10)


def test_a_command_that_is_never_ready_is_an_error_and_is_ended(tmp_path: Path) -> None:
    child = ChildProcess(["sleep", "600"], log=tmp_path / "log")
    child.start()
    with pytest.raises(UnavailableError, match=r"sleep was not ready after 0\.1 s: it wrote nothing"):
        child.wait_for(lambda: False, seconds=0.1)
    assert not child.running


def test_the_broker_carries_records_between_clients() -> None:
    topic = f"topic-{uuid.uuid4().hex}"
    with EmbeddedBroker() as broker:
        producer = Producer({"bootstrap.servers": broker.bootstrap})
        for number in range(100):
            producer.produce(topic, str(number).encode(), key=b"key", headers={"h": b"v"})
        assert producer.flush(10) == 0
        consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"})
        consumer.subscribe([topic])
        received: list[bytes | None] = []

        def all_received() -> bool:
            received.extend(message.value() for message in consumer.consume(100, 0.5))
            return len(received) >= 100

        eventually(all_received)
        consumer.close()
    assert received == [str(number).encode() for number in range(100)]


def test_a_restarted_broker_is_empty() -> None:
    with EmbeddedBroker() as broker:
        Producer({"bootstrap.servers": broker.bootstrap}).list_topics("before", timeout=10)
        broker.stop()
        broker.start()
        assert not Producer({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=10).topics


def test_valkey_with_a_folder_keeps_what_it_acknowledged_over_a_kill(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as server, Redis.from_url(server.url, decode_responses=True) as client:
        for number in range(100):
            client.set(f"key-{number}", number)
        server.kill()
        server.start()
        assert client.dbsize() == 100


def test_valkey_without_a_folder_forgets() -> None:
    with EmbeddedValkey() as server, Redis.from_url(server.url) as client:
        client.set("key", "value")
        server.stop()
        server.start()
        assert client.dbsize() == 0
