"""The worker: partitions come and go, batches are processed, and about once a second a checkpoint is made.

The order of a checkpoint is publish, save, ack. What was published and not saved is published again after a restart,
under the same ids; what was saved and not acked is skipped, since every model knows its own offsets.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from faust.types import TP

from driftline.models.intake import Intake
from driftline.schemas.errors import TopologyError
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import INPUTS, LABELS, PREDICTIONS
from driftline.streams.lane import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from faust.types import Message

    from driftline.models.pipeline import Outcome
    from driftline.schemas.config import Configuration
    from driftline.schemas.state import ModelState
    from driftline.streams.checkpoint import CheckpointStore
    from driftline.streams.metrics import Metrics
    from driftline.streams.publisher import Publisher
    from driftline.streams.transport import RecordBatch

_logger: Final = logging.getLogger(__name__)

_PUBLISHED: Final = 100
"""Outcomes, of ten records each, that are handed to the producer before others have the event loop."""

_COST_RATIO: Final = 20
"""The interval is at least so many times what the last checkpoints cost: making them takes up to 5 % of a core."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything goes: checkpoints, what is published, what is measured, and acks of what a checkpoint covers."""

    store: CheckpointStore
    publisher: Publisher
    metrics: Metrics
    ack: Callable[[Iterable[Message]], object]


class Worker:
    """Owns partitions, one `Lane` each.

    Parameters
    ----------
    configuration
        What to watch for.
    ports
        Where everything goes.
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
        self._lanes: dict[int, Lane] = {}
        self._publishing = asyncio.Lock()

    # -- partitions ---------------------------------------------------------------------------------------------------

    async def assigned(self, partitions: frozenset[TP]) -> Mapping[TP, int]:
        """Load the checkpoints of partitions and return where to read on; without a checkpoint, from the beginning.

        Raises
        ------
        TopologyError
            If the two topics were not assigned alike, or have got more partitions since the start.
        SnapshotError
            If a checkpoint cannot be used.

        """
        self._check(partitions)
        lanes = {}
        for number in sorted({tp.partition for tp in partitions}):
            lanes[number] = Lane(self._configuration, self._intake, self._ports.store, number)
            await lanes[number].restore()
        documents = [await lane.documents() for lane in lanes.values()]
        # From here on without a pause: this may be cancelled, and is then done again from the start.
        self._lanes = lanes
        for lane, of_lane in zip(lanes.values(), documents, strict=True):
            self._show(lane, of_lane)
        _logger.info("watching partitions %s", ", ".join(map(str, lanes)))
        return {tp: lanes[tp.partition].pipeline.next_offsets.get(tp.topic, 0) for tp in partitions}

    async def revoked(self, partitions: frozenset[TP]) -> None:
        """Take no more batches of partitions, save a last checkpoint of them, and give them up."""
        numbers = {tp.partition for tp in partitions} & self._lanes.keys()
        lanes = [self._lanes.pop(number) for number in sorted(numbers)]
        try:
            for lane in lanes:
                await self._checkpoint(lane)
        finally:  # also when the time for it is up, and others get the partitions
            for lane in lanes:
                lane.close()
                self._metrics.revoked(lane.partition)
                self._metrics.forget(lane.shown)
        if lanes:
            _logger.info("saved partitions %s and gave them up", ", ".join(str(lane.partition) for lane in lanes))

    def _check(self, partitions: frozenset[TP]) -> None:
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
        for document in documents.values():
            self._metrics.observe_state(document)
        lane.shown |= documents.keys()

    # -- records ------------------------------------------------------------------------------------------------------

    async def take(self, message: Message, batch: RecordBatch) -> None:
        """Process one batch; it is acked by the checkpoint that covers it.

        Raises
        ------
        TooManyBadRecordsError
            If the configuration says to stop at such a share of them; all of the lane is saved by then.

        """
        lane = self._lanes.get(batch.partition)
        if lane is None:
            return  # revoked while the batch waited: whoever owns the partition now reads it again
        async with lane.changing:
            # The transport has acked it itself if it was delivered before a rebalance: then records between the
            # checkpoint and this batch may be missing, and both are read again.
            if lane.is_closed or lane.is_stopped or lane.refusal is not None or message.acked:
                return
            self._taken = time.monotonic()
            work = await lane.process(message, batch.records)
        self._metrics.batch({batch.topic: len(batch)}, joined=work.joined, seconds=work.seconds)
        for reason in work.refused:
            self._metrics.bad_record(reason)
        if lane.is_full or lane.refusal is not None:
            await self._checkpoint(lane)  # the next batch waits for it, however slow the store is
        if lane.refusal is not None:
            raise lane.refusal

    def show_lag(self, lag_of: Callable[[TP], int | None]) -> None:
        """Show how far reading is behind in each partition."""
        for tp in (TP(topic, number) for number in self._lanes for topic in INPUTS):
            behind = lag_of(tp)
            if behind is not None:
                self._metrics.lag(tp.topic, tp.partition, behind)

    # -- checkpoints --------------------------------------------------------------------------------------------------

    async def tick(self) -> None:
        """Make the checkpoints that are due."""
        now = time.monotonic()
        if now < self._due and now < self._taken + self._interval:  # when all is quiet, a checkpoint is in nobody's way
            return
        costs = [await self._checkpoint(lane) for lane in list(self._lanes.values())]
        saved = [cost for cost in costs if cost is not None]
        if not saved:
            self._metrics.nothing_unsaved()
        self._due = time.monotonic() + max(self._interval, _COST_RATIO * sum(saved))

    async def _checkpoint(self, lane: Lane) -> float | None:
        """Publish, save and ack; return the seconds of CPU time that it took, None if there was nothing to save."""
        async with lane.saving:
            started = time.perf_counter()
            async with lane.changing:
                cut = await lane.cut()
            if cut is None:
                return None
            await self._publish(cut.unsaved.outcomes)
            await self._ports.store.save(cut.checkpoint)
            self._ports.ack(cut.unsaved.messages)
            lane.saved()
            self._metrics.checkpoint(time.perf_counter() - started)
            self._show(lane, cut.documents)
        return cut.seconds

    async def _publish(self, outcomes: Sequence[Outcome]) -> None:
        if not outcomes:
            return
        # One lane at a time, because whoever flushes first is told of all that was lost.
        async with self._publishing:
            for number, outcome in enumerate(outcomes, 1):
                for letter in outcome.dead_letters:
                    self._ports.publisher.dead_letter(letter)
                for alert in outcome.alerts:
                    self._ports.publisher.alert(alert)
                for request in outcome.retrain_requests:
                    self._ports.publisher.retrain(request)
                if number % _PUBLISHED == 0:
                    await asyncio.sleep(0)
            await self._ports.publisher.flush()
        for outcome in outcomes:
            for alert in outcome.alerts:
                self._metrics.alert(alert)
                _logger.warning("%s %s: %s", alert.state, alert.incident_id, alert.message)
            for _ in outcome.retrain_requests:
                self._metrics.retrain_request()
