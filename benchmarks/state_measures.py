"""What `benchmarks.state` measures, each in a process of its own: ``python -m benchmarks.state_measures NAME URL …``.

Every lane, join and store is the worker's own, and Redis is a real one. Two short cuts, since a million predictions
with a hundred features would take the detectors half an hour:

- Detectors are off where predictions are counted, and of every 20,000 one goes through `Lane.process`. The others are
  given to the lane's `LabelJoin` as `Model` would give them, with what `ModelMonitor` said to keep of one of the first
  2,000: an entry is what the worker writes, byte for byte, but for numbers that repeat.
- Of models that are alike one is fed, with all detectors, and its snapshot copied under the names of the others.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from resource import RUSAGE_SELF, getpagesize, getrusage
from typing import TYPE_CHECKING, Any

from redis import Redis

from benchmarks.state_reader import quantile, reading
from driftline.models.intake import Intake
from driftline.models.record import FileRecord
from driftline.schemas import keys
from driftline.schemas.config import Configuration, parse_configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import INPUTS, LABELS, PREDICTIONS
from driftline.streams.checkpoint import RedisStore
from driftline.streams.lane import Lane
from driftline.streams.transport import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from driftline.models.join.label_join import LabelJoin
    from driftline.streams.checkpoint import Checkpoint, Saved
    from driftline.streams.unsaved import Cut

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
BATCH = 200
"""Records that the worker takes at once."""

CHUNK = 20_000
"""Records between two checkpoints of a worker at full speed."""

MODEL_FEATURES = 20
TEMPLATES = 2000
LABELLED = 250  # batches
CHECKPOINTS = 40
COST_RATIO = 20
"""As in `driftline.streams.worker`."""

Measured = dict[str, Any]


# -- events -----------------------------------------------------------------------------------------------------------


def prediction(model_id: str, n: int, features: int) -> FileRecord:
    """Return prediction n of a binary model with numeric features."""
    random = Random(n)
    score = random.random()
    values = ",".join(f'"x{k}":{random.gauss(0, 1 + k):.6g}' for k in range(features))
    value = (
        f'{{"model_id":"{model_id}","model_version":"1","prediction_id":"{_id(n)}","timestamp":{START + n},'
        f'"prediction":{int(score >= 0.5)},"score":{score:.6f},"features":{{{values}}}}}'  # noqa: PLR2004 - likelier
    )
    return FileRecord(PREDICTIONS, n, value.encode())


def label(model_id: str, n: int) -> FileRecord:
    """Return its label."""
    truth = Random(n).randrange(2)
    value = f'{{"model_id":"{model_id}","prediction_id":"{_id(n)}","timestamp":{START + n},"label":{truth}}}'
    return FileRecord(LABELS, n, value.encode())


def _id(n: int) -> str:
    return f"prediction-{n:08}"


# -- lanes ------------------------------------------------------------------------------------------------------------


@dataclass
class Bench:
    """A lane with its store, and what its checkpoints cost."""

    lane: Lane
    store: RedisStore
    redis: Redis
    bytes: list[int] = field(default_factory=list)
    cut_ms: list[float] = field(default_factory=list)
    client_ms: list[float] = field(default_factory=list)
    server_ms: list[float] = field(default_factory=list)

    @classmethod
    def open(cls, url: str, configuration: Configuration) -> Bench:
        """Return one of partition 0."""
        store = RedisStore(url, timeout=60.0)
        intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
        return cls(Lane(configuration, intake, store, 0), store, Redis.from_url(url, socket_timeout=None))

    async def restore(self) -> float:
        """Claim the partition and restore the lane; return the seconds that takes."""
        began = time.perf_counter()
        await self.lane.restore(dict.fromkeys(INPUTS, Log(0, 1 << 40, None)))
        return time.perf_counter() - began

    async def process(self, records: Sequence[FileRecord]) -> None:
        """Process records in the worker's batches."""
        for start in range(0, len(records), BATCH):
            await self.lane.process(records[start : start + BATCH])

    async def checkpoint(self) -> Cut | None:
        """Make a checkpoint as the worker does, but for Kafka; None if there is nothing to save."""
        cut = await self.lane.cut()
        if cut is None:
            return None
        scripts, spent = self._scripts_ms(), time.process_time()
        await self.store.save(cut.checkpoint, self.lane.owner)
        self.cut_ms.append(1000 * cut.seconds)
        self.client_ms.append(1000 * (cut.seconds + time.process_time() - spent))
        self.server_ms.append(self._scripts_ms() - scripts)
        self.bytes.append(_size(cut.checkpoint))
        self.lane.saved()
        self.lane.published(cut.checkpoint.outbox)
        gc.collect()  # as the worker does
        gc.freeze()
        return cut

    def _scripts_ms(self) -> float:
        commands: Any = self.redis.info("commandstats")
        spent: int = sum(commands[name]["usec"] for name in ("cmdstat_eval", "cmdstat_evalsha") if name in commands)
        return spent / 1000

    def used_memory(self) -> int:
        """Return the bytes that Redis has allocated."""
        memory: Any = self.redis.info("memory")
        return int(memory["used_memory"])

    async def close(self) -> None:
        """Close the connections."""
        await self.store.close()
        self.redis.close()

    @property
    def join(self) -> LabelJoin:
        """The join of the one model."""
        (model,) = self.lane.pipeline._models.values()  # noqa: SLF001 - nothing else gives predictions past detectors
        return model.join


def _size(checkpoint: Checkpoint) -> int:
    models = sum(len(saved.snapshot) + len(saved.state) for saved in checkpoint.models.values())
    entries = sum(len(key) + len(entry) for key, entry in checkpoint.entries.items())
    outbox = sum(map(len, checkpoint.outbox.values()))
    return models + entries + outbox + len(checkpoint.position) + sum(map(len, checkpoint.dropped))


def rss() -> int:
    """Return the resident bytes of this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()


# -- the join ---------------------------------------------------------------------------------------------------------


def joining(pending: int) -> Configuration:
    """Return a configuration of one model without detectors, for which so many predictions may wait."""
    off: dict[str, list[str]] = {"numeric": [], "score": [], "error": [], "quality": []}
    model = {"model_id": "m", "max_pending": pending, "detectors": off, "reference": {"events": 100}}
    return parse_configuration({"models": [model]})


async def fill(url: str, features: int, pending: int) -> Measured:
    """Let predictions wait; return what they take here and in Redis, and what a checkpoint of 20,000 costs."""
    configuration = joining(pending)
    bench = Bench.open(url, configuration)
    await bench.restore()
    await bench.process([prediction("m", n, features) for n in range(TEMPLATES)])
    await bench.checkpoint()
    here, there = rss(), bench.used_memory()
    with reading(url, 0, "m") as readers:
        for start in range(TEMPLATES, pending, CHUNK):
            end = min(start + CHUNK, pending)
            await bench.process([prediction("m", n, features) for n in range(start, end)])
            await bench.checkpoint()
    if bench.join.pending != pending:
        raise RuntimeError(f"{bench.join.pending} predictions wait, and not {pending}")
    counted = pending - TEMPLATES
    measured = {
        "worker_bytes": (rss() - here) / counted,
        "redis_bytes": (bench.used_memory() - there) / counted,
        "checkpoint_client_ms": quantile(bench.client_ms, 0.5),
        "checkpoint_server_ms": quantile(bench.server_ms, 0.5),
        "readers": readers,
    }
    await bench.close()
    return measured


async def fill_tombstones(url: str, tombstones: int) -> Measured:
    """Join predictions, a checkpoint after they came; return what the tombstones take here and in Redis."""
    configuration = joining(tombstones)
    bench = Bench.open(url, configuration)
    await bench.restore()
    await bench.process([prediction("m", n, 0) for n in range(TEMPLATES)])
    await bench.checkpoint()
    await bench.process([label("m", n) for n in range(TEMPLATES)])
    await bench.checkpoint()
    here, there = rss(), bench.used_memory()
    for start in range(TEMPLATES, tombstones, CHUNK):
        end = min(start + CHUNK, tombstones)
        await bench.process([prediction("m", n, 0) for n in range(start, end)])
        await bench.checkpoint()
        await bench.process([label("m", n) for n in range(start, end)])
        await bench.checkpoint()
    await bench.process(
        [replace(label("m", 0), offset=tombstones)]
    )  # only a further checkpoint deletes what was joined
    await bench.checkpoint()
    counted = tombstones - TEMPLATES
    measured = {
        "worker_bytes": (rss() - here) / counted,
        "redis_bytes": (bench.used_memory() - there) / counted,
        "entries": bench.redis.hlen(keys.join(0)),
    }
    await bench.close()
    return measured


async def take_over(url: str, pending: int, labels: int) -> Measured:
    """Restore a join; return how long that takes, what its index takes, and what labels of stored predictions cost."""
    bench = Bench.open(url, joining(pending))
    here = rss()
    with reading(url, 0, "m") as readers:
        seconds = await bench.restore()
    entries = len(bench.join)
    measured: Measured = {"restore_seconds": seconds, "index_bytes": (rss() - here) / entries, "entries": entries}
    gc.freeze()  # as the worker does
    took = [await _label(bench, range(start, start + BATCH)) for start in range(0, labels, BATCH)]
    if took:
        measured |= {"labels_p50_ms": quantile(took, 0.5), "labels_p99_ms": quantile(took, 0.99), "batches": len(took)}
    measured["readers"] = readers
    await bench.close()
    return measured


async def _label(bench: Bench, numbers: range) -> float:
    """Fetch the predictions of labels and process both; return the milliseconds."""
    labels = [label("m", n) for n in numbers]
    before = bench.join.counts.joined
    began = time.perf_counter()
    await bench.process(labels)
    took = time.perf_counter() - began
    if bench.join.counts.joined - before != BATCH:
        raise RuntimeError("a prediction was not in the store, or did not wait")
    return 1000 * took


# -- checkpoints of models --------------------------------------------------------------------------------------------


async def grow(url: str, models: int, predictions: int) -> Measured:
    """Feed one model of 20 features with predictions and their labels, and save it under so many names."""
    bench = Bench.open(url, Configuration())
    await bench.restore()
    for start in range(0, predictions, BATCH):
        numbers = range(start, min(start + BATCH, predictions))
        await bench.process([prediction("m", n, MODEL_FEATURES) for n in numbers])
        await bench.process([label("m", n) for n in numbers])
    for _ in ("the snapshots before", "the newest"):
        await bench.process([prediction("m", bench.lane.pipeline.next_offsets[PREDICTIONS], MODEL_FEATURES)])
        saved = await _save_copies(bench, models)
    await bench.close()
    return {"snapshot_bytes": len(saved.snapshot), "document_bytes": len(saved.state)}


async def _save_copies(bench: Bench, models: int) -> Saved:
    cut = await bench.lane.cut()
    assert cut is not None  # noqa: S101 - there was something to save
    bench.lane.saved()
    saved = cut.checkpoint.models["m"]
    for start in range(0, models, 10):
        copies = {_name(n): saved for n in range(start, min(start + 10, models))}
        await bench.store.save(replace(cut.checkpoint, models=copies, entries={}, dropped=()), bench.lane.owner)
    return saved


def _name(n: int) -> str:
    return f"m-{n}"


async def checkpoints(url: str, models: int) -> Measured:
    """Restore models, change all of them, and save them; again and again, without the pauses that the worker makes."""
    bench = Bench.open(url, Configuration())
    here = rss()
    with reading(url, 0, _name(0)) as readers_of_restore:
        seconds = await bench.restore()
    restored = {
        "seconds": seconds,
        "bytes": rss() - here,
        "peak_bytes": 1024 * getrusage(RUSAGE_SELF).ru_maxrss - here,
        "readers": readers_of_restore,
    }
    rounds: list[int] = []
    at = bench.lane.pipeline.next_offsets[PREDICTIONS]
    with reading(url, 0, _name(0)) as readers:
        while sum(rounds) < CHECKPOINTS:
            await bench.process([prediction(_name(n), at + n, MODEL_FEATURES) for n in range(models)])
            at += models
            taken = 0
            while await bench.checkpoint() is not None:
                taken += 1
            rounds.append(taken)
    interval = max(1.0, COST_RATIO * quantile(bench.cut_ms, 0.5) / 1000)  # of which the worker counts the cut alone
    measured = {
        "restored": restored,
        "cut_ms": quantile(bench.cut_ms, 0.5),
        "client_ms": quantile(bench.client_ms, 0.5),
        "server_ms": quantile(bench.server_ms, 0.5),
        "server_max_ms": max(bench.server_ms),
        "checkpoint_bytes": sum(bench.bytes) / len(bench.bytes),
        "bytes_per_second": sum(bench.bytes) / len(bench.bytes) / interval,
        "interval_seconds": interval,
        "turns": max(rounds),
        "checkpoints": sum(rounds),
        "readers": readers,
    }
    await bench.close()
    return measured


MEASURES: Mapping[str, Callable[..., Coroutine[Any, Any, Measured]]] = {
    "fill": fill,
    "fill_tombstones": fill_tombstones,
    "take_over": take_over,
    "grow": grow,
    "checkpoints": checkpoints,
}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(MEASURES[sys.argv[1]](sys.argv[2], *map(int, sys.argv[3:])))))
