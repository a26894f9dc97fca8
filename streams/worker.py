"""The worker: partitions come and go, their records are processed, and about once a second a checkpoint is made.

The order of a checkpoint: publish dead letters, save, publish what was saved, ack. What was saved and not published is
published after a restart, under the same ids; what was saved and not acked is skipped, since every model knows its own
offsets. A Redis or Kafka that is away is waited for.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from faust.types import TP

from driftline.models.intake import Intake
from driftline.schemas.errors import FencedError, TopologyError
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import INPUTS, LABELS, PREDICTIONS
from driftline.streams.lane import Lane
from driftline.streams.merge import PATIENCE_SECONDS, Merge
from driftline.streams.outage import Outage
from driftline.streams.outgoing import Outgoing, refused
from driftline.streams.outlet import Outlet

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from faust.types import Message

    from driftline.schemas.config import Configuration
    from driftline.schemas.state import ModelState
    from driftline.streams.checkpoint import CheckpointStore
    from driftline.streams.metrics import Metrics
    from driftline.streams.publisher import Publisher
    from driftline.streams.transport import Log, RecordBatch

_logger: Final = logging.getLogger(__name__)

_TAKEN: Final = 200
"""Records that are merged, and whose stored predictions are fetched, at once."""

_COST_RATIO: Final = 20
"""The interval is at least so many times what the last checkpoints cost: making them takes up to 5 % of a core."""


class Input(Protocol):
    """Where batches come from; `BatchApp` is one."""

    def ack(self, messages: Iterable[Message]) -> int:
        """Say that batches are done with."""

    def at_end(self, tp: TP) -> bool:
        """Return whether everything there was of a partition has been handed over."""

    def lag(self, tp: TP) -> int | None:
        """Return how many records of a partition have not been handed over; None if that is not known."""

    @property
    def silence(self) -> float:
        """Return for how many seconds Kafka has not answered."""

    async def is_read(self, tps: Iterable[TP]) -> bool:
        """Ask whether everything there is of partitions has been handed over; False if nobody answers."""

    def pause(self, tp: TP) -> None:
        """Fetch no more of a partition."""

    def resume(self, tp: TP) -> None:
        """Fetch it again."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where records come from and everything goes: checkpoints, what is published, what is measured."""

    source: Input
    store: CheckpointStore
    publisher: Publisher
    metrics: Metrics


@dataclass(slots=True)
class _Held:
    """A partition of this worker, since when it has no records, what of it waits, and the task that processes it."""

    lane: Lane
    quiet_since: float = field(default_factory=time.monotonic)
    merge: Merge = field(default_factory=lambda: Merge(INPUTS))
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class Worker:
    """Owns partitions, one `Lane` each.

    Parameters
    ----------
    configuration
        What to watch for.
    ports
        Where records come from and everything goes.
    partitions
        How many both input topics have.
    interval
        Seconds between two checkpoints, at least.

    """

    def __init__(self, configuration: Configuration, ports: Ports, *, partitions: int, interval: float) -> None:
        self._configuration = configuration
        self._ports = ports
        self._metrics = ports.metrics
        self._partitions = partitions
        self._interval = interval
        self._due = 0.0
        self._taken = 0.0
        self._intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=partitions)
        self._held: dict[int, _Held] = {}
        self._outlet = Outlet(ports.publisher, ports.metrics)
        self._redis = Outage("Redis", lambda: ports.metrics.redis_outage(self._redis.is_on))

    # -- partitions ---------------------------------------------------------------------------------------------------

    async def assigned(self, logs: Mapping[TP, Log]) -> Mapping[TP, int]:
        """Become the owner of partitions, load their checkpoints, and return where to read on.

        Without a checkpoint that is the beginning. What the outbox still holds is published first.

        Raises
        ------
        TopologyError
            If the two topics were not assigned alike, have got more partitions since the start, or are not those that
            the checkpoints are of.
        SnapshotError
            If a checkpoint cannot be used.

        """
        self._check(logs)
        restored = [await self._restored(number, logs) for number in sorted({tp.partition for tp in logs})]
        lanes = [lane for lane in restored if lane is not None]
        documents = [await lane.documents() for lane in lanes]
        # From here on without a pause: this may be cancelled, and is then done again from the start.
        for lane, of_lane in zip(lanes, documents, strict=True):
            held = self._held[lane.partition] = _Held(lane)
            held.task = asyncio.create_task(self._process(held), name=f"partition {lane.partition}")
            self._show(lane, of_lane)
        _logger.info("watching partitions %s", ", ".join(str(lane.partition) for lane in lanes))
        offsets = {lane.partition: lane.pipeline.next_offsets for lane in lanes}
        return {
            tp: max(offsets[tp.partition].get(tp.topic, 0), log.start)
            for tp, log in logs.items()
            if tp.partition in offsets
        }

    async def _restored(self, number: int, logs: Mapping[TP, Log]) -> Lane | None:
        async def restore() -> tuple[Lane, Mapping[int, bytes]]:
            lane = Lane(self._configuration, self._intake, self._ports.store, number)
            return lane, await lane.restore({topic: logs[TP(topic, number)] for topic in INPUTS})

        try:
            lane, outbox = await self._redis.ride_out(restore)
        except FencedError as error:  # Kafka will assign the partition anew
            _logger.warning("%s", error)
            return None
        await self._outlet.publish([Outgoing.unpack(packed) for packed in outbox.values()])
        lane.published(outbox)
        return lane

    async def revoked(self, partitions: frozenset[TP]) -> None:
        """Take no more records of partitions, save a last checkpoint of them, and give them up."""
        numbers = {tp.partition for tp in partitions} & self._held.keys()
        given_up = [self._held.pop(number) for number in sorted(numbers)]
        try:
            for held in given_up:
                await _end(held)
                while await self._checkpoint(held.lane) is not None:  # of all models, a part at a time
                    pass
        finally:  # also when the time for it is up, and others get the partitions
            for held in given_up:
                self._forget(held)
        if given_up:
            numbers_said = ", ".join(str(held.lane.partition) for held in given_up)
            _logger.info("saved partitions %s and gave them up", numbers_said)

    def _forget(self, held: _Held) -> None:
        if held.task is not None:
            held.task.cancel()
        held.lane.close()
        self._metrics.revoked(held.lane.partition)
        self._metrics.forget(held.lane.shown)

    def _check(self, partitions: Collection[TP]) -> None:
        owned = {topic: {tp.partition for tp in partitions if tp.topic == topic} for topic in INPUTS}
        if apart := owned[PREDICTIONS] ^ owned[LABELS]:
            raise TopologyError(
                f"partition {min(apart)} was assigned of one input topic only: predictions and labels must have as "
                "many partitions, and every worker of the group must run this version"
            )
        if max(owned[PREDICTIONS], default=0) >= self._partitions:
            raise TopologyError(
                f"the input topics had {self._partitions} partitions when this worker started and have got more: the "
                "records of many models now go to another partition than before; go back to topics of "
                f"{self._partitions}, or start on an empty Redis, which forgets what the models were like"
            )

    def _show(self, lane: Lane, documents: Mapping[str, ModelState]) -> None:
        if lane.is_closed:  # given up while its checkpoint was under way
            return
        for document in documents.values():
            self._metrics.observe_state(document)
        lane.shown |= documents.keys()

    # -- records ------------------------------------------------------------------------------------------------------

    def take(self, message: Message, batch: RecordBatch) -> None:
        """Queue a batch; it is acked by the checkpoint that covers it."""
        held = self._held.get(batch.partition)
        # The transport has acked it itself if it was delivered before a rebalance: then records between the checkpoint
        # and this batch may be missing, and both are read again.
        if held is None or message.acked:
            return
        held.merge.put(batch.topic, message, batch.records)
        if held.merge.is_full(batch.topic):
            self._ports.source.pause(batch.tp)
        held.arrived.set()

    async def _process(self, held: _Held) -> None:
        """Process the records of a partition for as long as it is held."""
        lane = held.lane
        while not lane.is_closed:
            try:
                async with lane.changing:
                    busy = await self._advance(held)
            except FencedError as error:
                self._lose(lane, error)
                return
            if lane.unsaved.is_full or lane.refusal is not None:
                await self._checkpoint(lane)  # the next records wait for it, however slow the store is
            if lane.refusal is not None:
                raise lane.refusal
            if not busy:
                held.arrived.clear()
                await _set_within(held.arrived, PATIENCE_SECONDS / 10)

    async def _advance(self, held: _Held) -> bool:
        """Process the records that are next, and return whether there were any."""
        lane, merge = held.lane, held.merge
        records = merge.take(_TAKEN, at_end=lambda topic: self._at_end(topic, lane.partition), now=time.monotonic())
        if not records:
            await self._pass_time(held)
            return False
        self._taken = time.monotonic()
        lane.pass_over(merge.passed)
        work = await self._redis.ride_out(lambda: lane.process(records))  # which asks Redis before it changes anything
        lane.unsaved.messages += merge.finished()
        for topic in INPUTS:
            if not merge.is_full(topic):
                self._ports.source.resume(TP(topic, lane.partition))
        topics = [record.topic for record in records]
        counts = {topic: topics.count(topic) for topic in INPUTS}
        self._metrics.batch(counts, joined=work.joined, one_by_one=work.one_by_one, seconds=work.seconds)
        for reason in work.refused:
            self._metrics.bad_record(reason)
        held.quiet_since = time.monotonic()
        return True

    async def _pass_time(self, held: _Held) -> None:
        """Tell of feeds that are silent, if the partition has no records because there are none."""
        lane, now = held.lane, time.monotonic()
        if not held.merge.is_empty or not all(self._at_end(topic, lane.partition) for topic in INPUTS):
            held.quiet_since = now
        elif (moment := lane.silent_after(now - held.quiet_since)) is not None:
            # What was known of the ends of topics may be old: where a broker is away, nobody knows what there may be.
            if await self._ports.source.is_read(TP(topic, lane.partition) for topic in INPUTS):
                lane.pass_time(moment)
            else:
                held.quiet_since = time.monotonic()

    def _at_end(self, topic: str, partition: int) -> bool:
        return self._ports.source.at_end(TP(topic, partition))

    @property
    def is_idle(self) -> bool:
        """Whether no record waits to be processed."""
        return all(held.merge.is_empty and not held.lane.changing.locked() for held in self._held.values())

    def watch_source(self) -> None:
        """Show how far reading is behind in each partition, and whether Kafka is away."""
        for tp in (TP(topic, number) for number in self._held for topic in INPUTS):
            behind = self._ports.source.lag(tp)
            if behind is not None:
                self._metrics.lag(tp.topic, tp.partition, behind)
        self._outlet.watch(self._ports.source.silence)

    # -- checkpoints --------------------------------------------------------------------------------------------------

    async def tick(self) -> None:
        """Make the checkpoints that are due; raise what ended the processing of a partition, if anything did."""
        for held in self._held.values():
            if held.task is not None and held.task.done():
                held.task.result()
        if not any(held.lane.has_unsaved for held in self._held.values()):
            self._metrics.nothing_unsaved()
        now = time.monotonic()
        if now < self._due and now < self._taken + self._interval:  # when all is quiet, a checkpoint is in nobody's way
            return
        costs = [await self._checkpoint(held.lane) for held in list(self._held.values())]
        saved = [cost for cost in costs if cost is not None]
        self._due = time.monotonic() + max(self._interval, _COST_RATIO * sum(saved))

    async def _checkpoint(self, lane: Lane) -> float | None:
        """Save, publish and ack; return the seconds of CPU time that it took, None if there was nothing to save."""
        async with lane.saving:
            started = time.perf_counter()
            async with lane.changing:
                cut = await lane.cut()
            if cut is None:
                return None
            await self._outlet.publish([refused(letter) for letter in cut.unsaved.letters])
            try:
                await self._redis.ride_out(lambda: self._ports.store.save(cut.checkpoint, lane.owner))
            except FencedError as error:
                self._lose(lane, error)
                return None
            lane.saved()
            await self._outlet.publish([Outgoing.unpack(packed) for packed in cut.checkpoint.outbox.values()])
            lane.published(cut.checkpoint.outbox)
            self._ports.source.ack(cut.unsaved.messages)
            self._metrics.checkpoint(time.perf_counter() - started)
            self._outlet.tell(cut.unsaved)
            self._show(lane, cut.documents)
        return cut.seconds

    def _lose(self, lane: Lane, error: FencedError) -> None:
        """Drop what another worker owns by now; Kafka will say so too, or assign it anew."""
        _logger.warning("%s", error)
        held = self._held.get(lane.partition)
        if held is not None and held.lane is lane:
            self._forget(self._held.pop(lane.partition))
        else:
            lane.close()


async def _end(held: _Held) -> None:
    """End the task of a partition between two records, and not in the middle of a checkpoint."""
    async with held.lane.saving:
        if held.task is not None:
            held.task.cancel()
            await asyncio.wait([held.task])


async def _set_within(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
