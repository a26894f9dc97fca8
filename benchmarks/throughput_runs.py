"""How `benchmarks.throughput` runs its contenders: each in a process of its own, on the last core of the machine.

The servers have the other cores, if there are any. Both topics have one partition. Driftline and the bare consumer read
one pair of topics; those that are many times slower read another, with fewer events from the same beginning.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from redis import Redis

from benchmarks.meter import last_core, on_cores, other_cores
from benchmarks.throughput_contenders import REFERENCE, WINDOW
from benchmarks.throughput_events import (
    FEATURES,
    SEGMENTS,
    WARM_UP,
    Mix,
    configuration,
    feature_names,
    model_name,
    stream,
)
from driftline.schemas.topics import INPUTS
from driftline.streams.embedded import EmbeddedValkey
from tests.servers.kafka import KafkaServer
from tests.worker_harness import ROOT, Site, WorkerProcess, real_site

if TYPE_CHECKING:
    from types import TracebackType

QUIX: Final = "quixstreams"
SHORT: Final = ("driftline.benchmark-predictions", "driftline.benchmark-labels")

_SECONDS: Final = 1200
_TICK: Final = os.sysconf("SC_CLK_TCK")
_POLL_SECONDS: Final = 0.02
_WRITTEN: Final = 1000  # events at once

Measured = dict[str, float]


@dataclass(frozen=True)
class Size:
    """How many predictions a contender takes, the warm-up included."""

    predictions: int

    @property
    def skipped(self) -> int:
        """Events that are not measured."""
        return Mix().events(WARM_UP)

    @property
    def total(self) -> int:
        """Events of both topics."""
        return Mix().events(self.predictions)

    @property
    def joined(self) -> int:
        """Pairs that must be found."""
        return max(0, self.predictions - Mix().lag)

    @property
    def arguments(self) -> list[str]:
        """The numbers that a contender is given."""
        return [str(self.skipped), str(self.total)]


class Servers:
    """A Kafka that holds the events, and a Valkey, for as long as a ``with`` block lasts."""

    def __init__(self, long: Size, short: Size) -> None:
        self._long = long
        self._short = short

    def __enter__(self) -> Self:
        """Start both, and write the events."""
        with ExitStack() as stack:
            self._folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="driftline-throughput-")))
            with on_cores(other_cores()):
                self._kafka = stack.enter_context(KafkaServer()).bootstrap
                self._redis = stack.enter_context(EmbeddedValkey()).url
            print(f"writing {self._long.total + self._short.total:,} events", file=sys.stderr)
            real_site(self._kafka, self._redis, self._folder, partitions=1)
            admin = AdminClient({"bootstrap.servers": self._kafka, "log_level": 0})
            for made in admin.create_topics([NewTopic(topic, 1, 1) for topic in SHORT]).values():
                made.result(30)
            _write(self._kafka, INPUTS, self._long.total)
            _write(self._kafka, SHORT, self._short.total)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End both."""
        self._stack.close()

    def decode(self) -> Measured:
        """Consume and decode alone."""
        return in_process("decode", *self._long.arguments, self._kafka, *INPUTS)

    def faust(self) -> Measured:
        """Run stock Faust with River."""
        measured = in_process("faust", *self._short.arguments, self._kafka, *SHORT, folder=self._folder)
        return _checked("faust", measured, self._short)

    def quix(self, python: Path) -> Measured:
        """Run Quix Streams with River, by the Python of an environment that has them."""
        names = [",".join(feature_names(FEATURES)), ",".join(SEGMENTS)]
        numbers = [str(REFERENCE), str(WINDOW), *self._short.arguments]
        command = [str(python), "-m", "benchmarks.throughput_quix", self._kafka, *SHORT, *names, *numbers]
        return _checked("quix", _run(command, self._folder), self._short)

    def worker(self) -> Measured:
        """Let a worker read its topics to their ends; return what its process took from the end of the warm-up on."""
        with Redis.from_url(self._redis) as client:
            client.flushall()
        path = self._folder / "driftline.yaml"
        path.write_text(json.dumps(configuration()))  # which is YAML too
        site = Site(self._kafka, self._redis, self._folder, partitions=1)
        worker = site.worker(DRIFTLINE_CONFIG=str(path), DRIFTLINE_CHECKPOINT_SECONDS="1")
        with on_cores(last_core()):
            worker.start()
        try:
            _await_saved(site, worker, self._long.skipped)
            before, cpu_before, clock = worker.processed, _cpu_seconds(worker.pid), time.monotonic()
            if before >= self._long.total:
                raise RuntimeError("all events had been processed when the warm-up was over: measure more of them")
            _await_saved(site, worker, self._long.total)
            seconds, took = _cpu_seconds(worker.pid) - cpu_before, time.monotonic() - clock
        finally:
            worker.kill()
        events = self._long.total - before
        state = site.states()[model_name(0)]
        measured = {
            "cpu_us_per_event": seconds / events * 1e6,
            "events": events,
            "events_per_second": events / took,
            "joined": state.counts.joined,
            "accuracy": state.performance["accuracy"],
        }
        return _checked("worker", measured, self._long)


def in_memory(name: str, size: Size) -> Measured:
    """Run a contender that needs no server."""
    return _checked(name, in_process(name, *size.arguments), size)


def in_process(name: str, *arguments: str, folder: Path | None = None) -> Measured:
    """Run a contender with this Python."""
    return _run([sys.executable, "-m", "benchmarks.throughput_contenders", name, *arguments], folder)


def install_quix(folder: Path) -> Path | None:
    """Install Quix Streams, and River as it is here, in an environment of their own; None if that fails."""
    print(f"installing {QUIX} in {folder}", file=sys.stderr)
    python = folder / "bin" / "python"
    packages = [QUIX, f"river=={version('river')}"]
    try:
        # Without a pip of its own, which not every Python can bring along.
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, capture_output=True)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(python)]
        subprocess.run([*pip, "install", *packages], check=True, capture_output=True, text=True, timeout=600)
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        print(f"{QUIX} could not be installed, its row stays empty: {said[-1] if said else error}")
        return None
    return python


def quix_version(python: Path) -> str:
    """Return which version was installed."""
    command = [str(python), "-c", f"import importlib.metadata as m; print(m.version({QUIX!r}))"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _run(command: list[str], folder: Path | None) -> Measured:
    # Faust leaves files in its data folder, Quix Streams where it is started.
    more = {} if folder is None else {"FAUST_DATADIR": str(folder)}
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | more
    with on_cores(last_core()):
        done = subprocess.run(
            command, stdout=subprocess.PIPE, env=environment, cwd=folder, check=True, timeout=_SECONDS
        )
    measured: Measured = json.loads(done.stdout.splitlines()[-1])
    return measured


def _checked(name: str, measured: Measured, size: Size) -> Measured:
    if measured["joined"] != size.joined:
        raise RuntimeError(f"{name} has joined {measured['joined']:,.0f} pairs, and not {size.joined:,}")
    return measured


def _write(kafka: str, topics: tuple[str, str], total: int) -> None:
    """Write the events a thousand at a time: the predictions among them, and when Kafka has those, the labels.

    A worker reads both topics in the order of the broker's time, in which a hasty producer would mix them up.
    """
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 5, "log_level": 0})
    events = islice(stream(Mix()), total)
    while some := list(islice(events, _WRITTEN)):
        for is_label in (False, True):
            for event in some:
                if event.is_label == is_label:
                    producer.produce(topics[is_label], event.value, key=model_name(0), partition=0)
            if left := producer.flush(60):
                raise RuntimeError(f"{left} events were not written within 60 s")


def _await_saved(site: Site, worker: WorkerProcess, events: int) -> None:
    """Wait until the checkpoints cover so many events; they are looked at in Redis, which costs the worker nothing."""
    deadline = time.monotonic() + _SECONDS
    while site.saved < events:
        worker.until(lambda: True)  # it has not ended
        if time.monotonic() > deadline:
            raise TimeoutError(f"the worker has not saved {events:,} events within {_SECONDS} s; its log: {worker.log}")
        time.sleep(_POLL_SECONDS)


def _cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process, with all its threads, has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK
