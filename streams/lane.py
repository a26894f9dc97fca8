"""One partition at work: its pipeline, and what was processed since its last checkpoint."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from time import thread_time
from typing import TYPE_CHECKING, Final, TypeVar

from driftline.models.drift.trail import Mark
from driftline.models.pipeline import Pipeline
from driftline.models.policy.bad_records import BadRecords
from driftline.models.record import Refusal
from driftline.schemas import keys
from driftline.schemas.errors import DriftlineError, SnapshotError
from driftline.streams.checkpoint import Checkpoint
from driftline.streams.turn import Turn
from driftline.streams.unsaved import Cut, Unsaved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from faust.types import Message

    from driftline.models.intake import Intake
    from driftline.models.record import RawRecord, Record
    from driftline.schemas.config import Configuration
    from driftline.schemas.errors import Reason
    from driftline.schemas.state import ModelState
    from driftline.streams.checkpoint import CheckpointStore

T = TypeVar("T")

_FETCHED: Final = 200
"""Records that are read, and whose stored predictions are fetched, at once."""

_RUN: Final = 10
"""Records between two looks at the clock: a model with a thousand features takes milliseconds for each."""

_NOWHERE: Final = Mark(0, 0, 0)


class TooManyBadRecordsError(DriftlineError):
    """The share of bad records has reached ``bad_records.stop_share``."""


@dataclass(slots=True)
class Work:
    """What a batch came to: joined pairs, why records were refused, and the seconds of processing."""

    joined: int = 0
    refused: list[Reason] = field(default_factory=list)
    seconds: float = 0.0


class Lane:
    """Takes the batches of one partition, of both topics, one at a time.

    `changing` is held while a batch is processed and while a checkpoint is cut; `saving` for the whole of a
    checkpoint, so that they are saved in order.
    """

    def __init__(self, configuration: Configuration, intake: Intake, store: CheckpointStore, partition: int) -> None:
        self.partition = partition
        self.pipeline = Pipeline(configuration, partition)
        self.changing = asyncio.Lock()
        self.saving = asyncio.Lock()
        self.refusal: TooManyBadRecordsError | None = None
        self.shown: set[str] = set()  # models with series in the metrics
        self.is_closed = False
        self.is_stopped = False  # a batch was not taken to its end, and the next one would leave a hole
        self._intake = intake
        self._store = store
        self._unsaved = Unsaved()
        self._is_whole = True  # no record was left half done
        self._is_cut = False  # a checkpoint has been cut and not been saved
        stop_share = configuration.bad_records.stop_share
        self._stop = None if stop_share is None else BadRecords(stop_share)

    async def restore(self) -> None:
        """Take over what the last checkpoint of the partition left, if there was one.

        Raises
        ------
        SnapshotError
            If it is damaged, or of another version.

        """
        restored = await self._store.load(self.partition)
        try:
            await asyncio.to_thread(self.pipeline.restore, restored.position, restored.snapshots)
        except SnapshotError as error:
            raise SnapshotError(
                f"the checkpoint of partition {self.partition} cannot be used, {error}: restore Redis from a backup, "
                f"or delete the keys {keys.PREFIX}{{{self.partition}}}:* to rebuild the partition from Kafka"
            ) from None
        async for key, entry in self._store.entries(self.partition):
            self.pipeline.restore_entry(key, entry)

    async def documents(self) -> Mapping[str, ModelState]:
        """Return the state document of every model."""
        return await asyncio.to_thread(self.pipeline.documents)

    # -- records ------------------------------------------------------------------------------------------------------

    async def process(self, message: Message, records: Sequence[RawRecord]) -> Work:
        """Process a batch, letting others have the event loop in between; the caller holds `changing`.

        It may be cancelled between two records, and the store may fail: what was processed until then is whole, and is
        saved like a batch, but nothing is to be taken after it.
        """
        self.is_stopped = True
        work = await self._take(records)
        self.is_stopped = False
        self._unsaved.messages.append(message)
        return work

    async def _take(self, records: Sequence[RawRecord]) -> Work:
        work = Work()
        turn = Turn()
        for raws in _pieces(records, _FETCHED):
            batch = [self._intake.read(raw) for raw in raws]
            found: Mapping[bytes, bytes] = {}
            if needed := self.pipeline.needed(batch):
                found = await turn.without(self._store.fetch(self.partition, needed))
            for run in _pieces(batch, _RUN):
                self._process(run, found, work)
                if turn.is_long:
                    await turn.end()
        await turn.end()
        work.seconds = turn.seconds
        return work

    def _process(self, run: Sequence[Record], found: Mapping[bytes, bytes], work: Work) -> None:
        self._is_whole = False
        outcome = self.pipeline.process(run, found)
        self._is_whole = True
        self._unsaved.add(outcome, len(run))
        work.joined += outcome.joined
        work.refused += [letter.reason for letter in outcome.dead_letters]
        self._watch_share(run)

    def _watch_share(self, run: Sequence[Record]) -> None:
        if self._stop is None:
            return
        for record in run:
            finding = self._stop.update(is_bad=isinstance(record.event, Refusal), mark=_NOWHERE)
            if finding is not None:
                self.refusal = TooManyBadRecordsError(
                    f"{finding.statistic:.1%} of recent records of partition {self.partition} cannot be used, and "
                    f"bad_records.stop_share is {finding.threshold:g}: see driftline.dead-letter for the reasons"
                )

    # -- checkpoints --------------------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether as much is unsaved as may be."""
        return self._unsaved.is_full

    async def cut(self) -> Cut | None:
        """Return what a checkpoint has to publish, save and ack; the caller holds `changing` and `saving`.

        It is made in a thread: of a hundred models it takes half a second, and other lanes go on meanwhile.

        None says that there is nothing to save, or that nothing may be saved any more: the lane is closed, an exception
        left a record half done, or what was cut before has not been saved, of which the pipeline tells only once.
        """
        if not self._unsaved.records or self.is_closed or self._is_cut or not self._is_whole:
            return None
        self._is_cut = True
        unsaved, self._unsaved = self._unsaved, Unsaved()
        try:
            return await asyncio.to_thread(self._cut, unsaved)
        except asyncio.CancelledError:
            self.close()  # the thread goes on, and no record may change the models under it
            raise

    def _cut(self, unsaved: Unsaved) -> Cut:
        began = thread_time()
        changes = self.pipeline.changes()
        states = {model_id: document.model_dump_json().encode() for model_id, document in changes.documents.items()}
        checkpoint = Checkpoint(
            self.partition, changes.position, changes.snapshots, states, changes.entries, changes.dropped
        )
        return Cut(unsaved, checkpoint, changes.documents, thread_time() - began)

    def saved(self) -> None:
        """Say that what was cut has been saved."""
        self._is_cut = False

    def close(self) -> None:
        """Take nothing and save nothing any more: the partition may be another worker's by now."""
        self.is_closed = True


def _pieces(items: Sequence[T], length: int) -> Iterator[Sequence[T]]:
    return (items[start : start + length] for start in range(0, len(items), length))
