"""Where faults happen: a Kafka, a Valkey with an append-only file, traffic, workers, and what is checked at the end."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from subprocess import run
from sys import executable
from typing import Self

from redis import Redis, RedisError

from driftline.client import Alert, AlertSubscriber
from driftline.models.snapshot import unseal
from driftline.schemas import keys
from driftline.schemas.topics import ALERTS
from driftline.streams.embedded import EmbeddedValkey
from tests.conditions import eventually
from tests.servers.kafka import KafkaServer
from tests.worker_harness import ROOT, WORKER, Sent, Site, WorkerProcess, real_site
from tests.worker_traffic import Traffic, assert_exact, on_every_partition

_LATE = 3  # pieces by which labels come after their predictions
PIECES = 20 + _LATE
"""Of the traffic."""
TURN = 10 + _LATE
"""The pieces before labels turn around."""


class Servers:
    """Both servers, for one scenario after the other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka = KafkaServer()
        self.valkey = _Valkey(folder)

    def __enter__(self) -> Self:
        """Start them."""
        self.kafka.start()
        self.valkey.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self.valkey.close()
        self.kafka.close()


class _Valkey(EmbeddedValkey):
    """One that lives on when it may not write its file any more, as on a disk that is full."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._command = ["sh", "-c", 'trap \'\' XFSZ; exec "$0" "$@"', *self._command]


class Stage:
    """One scenario: models whose labels and scores turn around in the middle, and the workers that watch them.

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
        self.servers = servers
        self._empty_redis()
        self.site: Site = real_site(servers.kafka.bootstrap, servers.valkey.url, folder, partitions=4)
        self.models = [_turned(m) for m in on_every_partition(4, each=2, count_each=events // 16)]
        self.total = 2 * sum(model.count for model in self.models)
        self._program = program
        self.sent = 0
        self._left = self._pieces()
        self._seen = 0
        self._newest: WorkerProcess | None = None
        self._figures: dict[str, float] = {}
        self._ended = threading.Event()
        self._config = folder / "driftline.yaml"
        reference = "{events: 300, min_span: 0s, label_delay: 0s}"
        lines = [  # without a cooldown, so that all is told
            f"  - {{model_id: {model.model_id}, reference: {reference}, alerts: {{cooldown: 0s}}}}"
            for model in self.models
        ]
        self._config.write_text("\n".join(["models:", *lines]))

    def worker(self, *program: str, checkpoint_seconds: float = 0.2) -> WorkerProcess:
        """Return a worker, not started yet; `program` is what it runs instead of the scenario's."""
        settings = {"DRIFTLINE_CONFIG": str(self._config), "DRIFTLINE_CHECKPOINT_SECONDS": str(checkpoint_seconds)}
        self._newest = self.site.worker(*(program or self._program), **settings)
        return self._newest

    @property
    def saved(self) -> int:
        """How many records the checkpoints cover, as far as Redis has said."""
        with suppress(RedisError):
            self._seen = max(self._seen, self.site.saved)
        return self._seen

    def progress(self, share: float = 0.04) -> None:
        """Wait until so much more of the traffic has been saved: work goes on before each fault."""
        self.reach(self.saved / self.total + share)

    def reach(self, share: float) -> None:
        """Wait until so much of the traffic has been saved."""
        wanted = int(min(share, 1.0) * self.total)
        eventually(lambda: self.saved >= wanted or (self._newest and self._newest.has_ended), seconds=180)
        assert self.saved >= wanted, self._newest and self._newest.log

    def send(self, pieces: int) -> None:
        """Send the next pieces of the traffic, as many as there are, at once."""
        for records in islice(self._left, pieces):
            self.site.send(records)
            self.sent += len(records)

    def forget(self) -> None:
        """Begin anew with the same traffic: an empty Redis, and a group that nobody knows."""
        self._empty_redis()
        self.site = replace(self.site, group=f"{self.site.group}-again")
        self._seen = 0

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
        while self.sent < self.total:
            eventually(self._may_send, seconds=180)
            if self._ended.is_set():
                return
            self.send(1)

    def _pieces(self) -> Iterator[list[Sent]]:
        """Give predictions, and their labels so many pieces later that predictions wait over checkpoints."""
        count = self.models[0].count
        step = -(-count // (PIECES - _LATE))
        for start in range(0, count + _LATE * step, step):
            predicted = range(min(start, count), min(start + step, count))
            labelled = range(max(start - _LATE * step, 0), min(max(start + step - _LATE * step, 0), count))
            records = [model.prediction(n) for n in predicted for model in self.models]
            yield records + [model.label(n) for n in labelled for model in self.models]

    def _may_send(self) -> bool:
        return self._ended.is_set() or self.saved >= self.sent - self.total // 8

    def finish(self, worker: WorkerProcess) -> None:
        """Let a worker come to the end of the traffic, and end it in order."""
        worker.until(lambda: self.saved >= self.total, seconds=120)
        assert worker.terminate() == 0, worker.log

    def figure(self, name: str, value: float) -> None:
        """Keep a figure of which the largest is told."""
        self._figures[name] = max(value, self._figures.get(name, value))

    def check(self) -> str:
        """Fail unless every count, metric and alert is that of an undisturbed run; return what was found in words."""
        assert_exact(self.site, self.models)
        published = [record.value() or b"" for record in self.site.records(ALERTS)]
        by_id = {_parsed(alert).alert_id: alert for alert in published}
        # Both turn at the same time, so one leads, and the other comes with it.
        told = [_parsed(alert) for alert in published]
        kinds = {alert.kind.value for alert in told} | {each.kind.value for alert in told for each in alert.evidence}
        assert kinds >= {"performance", "prediction_drift"}, kinds
        assert set(published) == set(by_id.values()), "one id, two alerts"
        # From a snapshot before the newest, a run comes to the same alerts twice, and so does its replay.
        assert set(self._replayed()) == set(by_id.values()), "not the alerts of the journal, byte for byte"
        with AlertSubscriber(self.site.kafka, from_beginning=True) as alerts:
            received = []
            while (alert := alerts.poll(1.0)) is not None:
                received.append(alert.alert_id)
        assert sorted(received) == sorted(by_id), "the subscriber saw an alert twice, or not at all"
        counts = f"{self.total} events exact, {len(by_id)} alerts, {len(published) - len(by_id)} repeated and dropped"
        return "; ".join([counts, *(f"{value:.1f} {name}" for name, value in self._figures.items())])

    def alerts(self) -> list[Alert]:
        """Return what is published."""
        return [_parsed(record.value() or b"") for record in self.site.records(ALERTS)]

    def check_published(self) -> None:
        """Fail if an alert is published that rests on records beyond the snapshot of its model."""
        snapshots = {model: unseal(blob)["start"][0] for model, blob in self.stored().items()}
        for alert in self.alerts():
            saved = snapshots.get(alert.model_id or "", {})
            ahead = [part for part in alert.offsets if part.end > saved.get(part.topic, 0)]
            assert not ahead, f"published and not saved: {alert.alert_id} rests on {ahead}, and {saved} is saved"

    def stored(self) -> dict[str, bytes]:
        """Return the newest snapshot of every model."""
        found: dict[bytes, bytes] = {}
        with Redis.from_url(self.servers.valkey.url) as client:
            for partition in range(self.site.partitions):
                found |= client.hgetall(keys.snapshots(partition))
        return {model.decode(): blob for model, blob in found.items()}

    def _empty_redis(self) -> None:
        with Redis.from_url(self.servers.valkey.url) as client:
            client.flushall()

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
    model.scores[half:] = [round(score**3, 4) for score in model.scores[half:]]
    return model


def _parsed(alert: bytes) -> Alert:
    return Alert.model_validate_json(alert)
