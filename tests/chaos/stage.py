"""Where faults happen: a Kafka, a Valkey with an append-only file, traffic, workers, and what is checked at the end."""

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from subprocess import run
from sys import executable
from typing import Self

from redis import Redis, RedisError

from driftline.client import AlertSubscriber
from driftline.schemas.topics import ALERTS
from driftline.streams.embedded import EmbeddedValkey
from tests.conditions import eventually
from tests.servers.kafka import KafkaServer
from tests.worker_harness import ROOT, WORKER, Site, WorkerProcess, real_site
from tests.worker_traffic import Traffic, assert_exact, on_every_partition

_PIECES = 20
_LATE = 3


class Servers:
    """Both servers, for one scenario after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka = KafkaServer()
        self.valkey = EmbeddedValkey(folder)

    def __enter__(self) -> Self:
        """Start them."""
        self.kafka.start()
        self.valkey.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self.valkey.close()
        self.kafka.close()


class Stage:
    """One scenario: models whose labels turn around in the middle, and the workers that watch them.

    Parameters
    ----------
    servers
        Where it takes place; topics and Redis are emptied.
    events
        How many, predictions and labels together.
    program
        What a worker runs: Driftline's, or a mutant.
    """

    def __init__(self, servers: Servers, folder: Path, events: int, program: Sequence[str] = WORKER) -> None:
        with Redis.from_url(servers.valkey.url) as client:
            client.flushall()
        self.servers = servers
        self.site: Site = real_site(servers.kafka.bootstrap, servers.valkey.url, folder, partitions=4)
        self.models = [_turned(m) for m in on_every_partition(4, each=2, count_each=events // 16)]
        self.total = 2 * sum(model.count for model in self.models)
        self._program = program
        self._seen = 0
        self._ended = threading.Event()
        self._config = folder / "driftline.yaml"
        lines = [f"  - {{model_id: {model.model_id}, reference: {{events: 300}}}}" for model in self.models]
        self._config.write_text("\n".join(["models:", *lines]))

    def worker(self) -> WorkerProcess:
        """Return a worker, not started yet."""
        return self.site.worker(*self._program, DRIFTLINE_CONFIG=str(self._config))

    @property
    def saved(self) -> int:
        """How many records the checkpoints cover, as far as Redis has said."""
        with suppress(RedisError):
            self._seen = max(self._seen, self.site.saved)
        return self._seen

    def progress(self, share: float = 0.04) -> None:
        """Wait until so much more of the traffic has been saved: work goes on before each fault."""
        wanted = min(self.saved + int(share * self.total), self.total)
        eventually(lambda: self.saved >= wanted, seconds=90)

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """Send the traffic meanwhile, a little ahead of what is saved; all of it is sent when this ends."""
        with ThreadPoolExecutor(1) as pool:
            feeding: Future[None] = pool.submit(self._feed)
            try:
                yield
                feeding.result(timeout=120)
            finally:
                self._ended.set()

    def _feed(self) -> None:
        """Send predictions, and their labels so many pieces later that predictions wait over checkpoints."""
        count = self.models[0].count
        step = -(-count // _PIECES)
        sent = 0
        for start in range(0, count + _LATE * step, step):
            eventually(partial(self._may_send, sent), seconds=120)
            if self._ended.is_set():
                return
            predicted = range(min(start, count), min(start + step, count))
            labelled = range(max(start - _LATE * step, 0), min(max(start + step - _LATE * step, 0), count))
            records = [model.prediction(n) for n in predicted for model in self.models]
            records += [model.label(n) for n in labelled for model in self.models]
            self.site.send(records)
            sent += len(records)

    def _may_send(self, sent: int) -> bool:
        return self._ended.is_set() or self.saved >= sent - self.total // 8

    def finish(self, worker: WorkerProcess) -> None:
        """Let a worker come to the end of the traffic, and end it in order."""
        worker.until(lambda: self.saved >= self.total, seconds=120)
        assert worker.terminate() == 0, worker.log

    def check(self) -> str:
        """Fail unless every count, metric and alert is that of an undisturbed run; return what was found in words."""
        assert_exact(self.site, self.models)
        published = [record.value() or b"" for record in self.site.records(ALERTS)]
        by_id = {json.loads(alert)["alert_id"]: alert for alert in published}
        assert all(by_id[json.loads(alert)["alert_id"]] == alert for alert in published), "one id, two alerts"
        again = self._replayed()
        assert {json.loads(alert)["alert_id"]: alert for alert in again} == by_id, "not the alerts of the journal"
        with AlertSubscriber(self.site.kafka, from_beginning=True) as alerts:
            received = []
            while (alert := alerts.poll(1.0)) is not None:
                received.append(alert.alert_id)
        assert sorted(received) == sorted(by_id), "the subscriber saw an alert twice, or not at all"
        return f"{self.total} events exact, {len(by_id)} alerts, {len(published) - len(by_id)} repeated and dropped"

    def _replayed(self) -> list[bytes]:
        out = self.site.folder / "again"
        options = ["--journal", "--kafka", self.site.kafka, "--config", str(self._config), "--out", str(out)]
        command = [executable, "-m", "driftline", "replay", *options]
        done = run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return (out / "alerts.jsonl").read_bytes().splitlines()


def _turned(model: Traffic) -> Traffic:
    half = model.count // 2
    model.labels[half:] = [1 - label for label in model.labels[half:]]
    return model
