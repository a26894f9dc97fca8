"""One partition at work: its pipeline, what it has not saved yet, and the numbers of what leaves it."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from time import thread_time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.models.drift.trail import Mark
from driftline.models.pipeline import Pipeline
from driftline.models.policy.bad_records import BadRecords
from driftline.models.policy.losses import Lost
from driftline.models.snapshot import DamagedError, seal, unseal
from driftline.schemas import keys
from driftline.schemas.errors import DriftlineError, FencedError, SnapshotError, TopologyError
from driftline.schemas.state import Overview
from driftline.streams import turn
from driftline.streams.checkpoint import Checkpoint, Saved, fenced
from driftline.streams.columns import Columns
from driftline.streams.journal import Began, Read, digest, entry_record
from driftline.streams.outgoing import outgoing
from driftline.streams.turn import Turn
from driftline.streams.unsaved import Cut, Unsaved

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from driftline.models.intake import Intake
    from driftline.models.outcome import Changes
    from driftline.models.reading import Reading
    from driftline.models.record import RawRecord
    from driftline.schemas.config import Configuration
    from driftline.schemas.errors import Reason
    from driftline.schemas.state import ModelState
    from driftline.streams.checkpoint import CheckpointStore
    from driftline.streams.transport import Log

MOST_SNAPSHOT_BYTES: Final = 4_000_000
"""Of one checkpoint. The script that writes them holds up everyone who reads Redis."""

_MOST_READ: Final = 1000
_MOST_READ_BYTES: Final = 1_000_000
"""Records that are read at once, and bytes of them."""

_FEWEST_RUN: Final = 10
_MOST_RUN: Final = 250
_MOST_RUN_BYTES: Final = 100_000
"""Records, or rows of batches, between two looks at the clock, and bytes of them: as many as took half a turn lately.
One of a thousand features, or with an estimator of River, takes a millisecond."""

_NOWHERE: Final = Mark(0, 0, 0)


class TooManyBadRecordsError(DriftlineError):
    """The share of bad records has reached ``bad_records.stop_share``."""


@dataclass(slots=True)
class Work:
    """What some records came to: pairs, events that were taken one by one, reasons of refusal, seconds of work."""

    joined: int = 0
    one_by_one: int = 0
    refused: list[Reason] = field(default_factory=list)
    seconds: float = 0.0


class Numbers(NamedTuple):
    """The next number of the outbox and of the journal; they go on over restarts."""

    outbox: int = 0
    journal: int = 0


class Lane:
    """Takes the records of one partition in an order that is given, and makes its checkpoints.

    `changing` is held while records are processed and while a checkpoint is cut; `saving` for the whole of a
    checkpoint, so that they are saved in order.
    """

    def __init__(self, configuration: Configuration, intake: Intake, store: CheckpointStore, partition: int) -> None:
        self.partition = partition
        self.pipeline = Pipeline(configuration, partition)
        self.owner = b""
        self.changing = asyncio.Lock()
        self.saving = asyncio.Lock()
        self.refusal: TooManyBadRecordsError | None = None
        self.shown: set[str] = set()  # models with series in the metrics
        self.is_closed = False
        self._configuration = configuration
        self._intake = intake
        self._store = store
        self._unsaved = Unsaved()
        self._pace = _FEWEST_RUN  # records between two looks at the clock
        self._numbers = Numbers()
        self._history = ""
        self._published: list[int] = []  # numbers that Kafka has and the store still holds
        self._began: list[Began] = []  # to be told by the first checkpoint
        self._columns: dict[str, Columns] = {}  # of the rows of each model
        self._damaged: set[str] = set()  # models whose newest snapshot in the store is
        self._is_whole = True  # no record was left half done
        self._passed: Collection[str] = frozenset()  # topics that are not waited for
        self._is_cut = False  # a checkpoint has been cut and not been saved
        stop_share = configuration.bad_records.stop_share
        self._stop = None if stop_share is None else BadRecords(stop_share)

    async def restore(self, logs: Mapping[str, Log]) -> Mapping[int, bytes]:
        """Become the partition's owner, and take over what its last checkpoint left, if there was one.

        Parameters
        ----------
        logs
            What there is of each topic: what the checkpoint stands before, and the log has no more, is lost.

        Returns
        -------
        Mapping[int, bytes]
            The records of the outbox by number: to be published, again perhaps.

        Raises
        ------
        SnapshotError
            If it is damaged, or of another version.
        FencedError
            If another worker has become the owner meanwhile.
        TopologyError
            If a log ends before the checkpoint: it is another one.

        """
        self.owner = await self._store.claim(self.partition)
        restored = await self._store.load(self.partition)
        try:
            before = await self._restore(restored.position)
        except SnapshotError as damage:
            error = await self._explained(damage)
            if isinstance(error, FencedError):
                raise error from None
            raise SnapshotError(
                f"the checkpoint of partition {self.partition} cannot be used, {error}: restore Redis from a backup, "
                f"or delete the keys {keys.PREFIX}{{{self.partition}}}:* to rebuild the partition from Kafka"
            ) from None
        lost = self._lost(logs)
        is_rebuilt = restored.position is None and any(log.committed is not None for log in logs.values())
        self.pipeline.begin(lost, is_rebuilt=is_rebuilt)
        self._began = [
            Began(
                partition=self.partition,
                history=self._history,
                number=self._numbers.journal,
                configuration=digest(self._configuration),
                offsets={
                    topic: max(self.pipeline.next_offsets.get(topic, 0), log.start) for topic, log in logs.items()
                },
                before=before,
                lost=lost,
                is_rebuilt=is_rebuilt,
            )
        ]
        return restored.outbox

    async def _explained(self, error: SnapshotError) -> SnapshotError | FencedError:
        """Return what is to be raised: what is missing may have been deleted by another owner, and be in good order."""
        is_stale = await self._store.owner(self.partition) != self.owner
        return fenced(self.partition) if is_stale else error

    def _lost(self, logs: Mapping[str, Log]) -> list[Lost]:
        lost = []
        for topic, log in sorted(logs.items()):
            at = self.pipeline.next_offsets.get(topic, 0)
            if at > log.end:
                raise TopologyError(
                    f"{topic} ends at {log.end} in partition {self.partition} and the checkpoint stands at {at}: the "
                    "topic was made anew, or this Redis belongs to another Kafka; go back to those, or start on an "
                    "empty Redis"
                )
            if at < log.start and (self.pipeline.next_offsets or log.committed is not None):
                lost.append(Lost(topic, at, log.start))
        return lost

    async def _restore(self, position: bytes | None) -> list[str]:
        """Return the models whose newest snapshot is damaged, so that the one before was taken."""
        if position is None:
            self._history = self.owner.decode()  # which no other has
            return []
        stored: dict[str, Any] = unseal(position)
        self._numbers, self._history = Numbers(*stored["numbers"]), stored["history"]
        self.pipeline.restore(stored)
        async for model_id, snapshot in self._store.snapshots(self.partition):
            try:
                await asyncio.to_thread(self.pipeline.restore_model, model_id, snapshot)
            except DamagedError:
                before = await self._store.snapshot_before(self.partition, model_id)
                if before is None:
                    raise
                await asyncio.to_thread(self.pipeline.restore_older, model_id, before)
                self._damaged.add(model_id)
        async for entries in self._store.entries(self.partition):
            self.pipeline.restore_entries(entries)
        columns = await self._store.columns(self.partition)
        self._columns = {model_id: Columns.unpack(names) for model_id, names in columns.items()}
        return sorted(self._damaged)

    @property
    def began(self) -> Began | None:
        """The entry of the journal that tells of this beginning, until a checkpoint has told it."""
        return self._began[0] if self._began else None

    async def documents(self) -> Mapping[str, ModelState]:
        """Return the state document of every model."""
        return await asyncio.to_thread(self.pipeline.documents)

    # -- records ------------------------------------------------------------------------------------------------------

    async def process(self, raws: Sequence[RawRecord]) -> Work:
        """Process records, letting others have the event loop in between; the caller holds `changing`.

        It may be cancelled between two records, and the store may fail: what was processed until then is whole, and is
        saved, but nothing is to be taken after it. Between two rows of a batch it is not whole, and nothing is saved.

        Raises
        ------
        SnapshotError
            If the store has lost a prediction.
        FencedError
            If it has not, but belongs to another owner now.

        """
        work = Work()
        clock = Turn()
        try:
            ends, end = list(accumulate([len(raw.value or b"") for raw in raws])), 0
            while end < len(raws):
                start, end = end, _end_of_run(ends, end, _MOST_READ, _MOST_READ_BYTES)
                await self._process(self.pipeline.read(raws[start:end], self._intake), clock, work)
        except SnapshotError as error:
            raise await self._explained(error) from None
        await clock.end()
        work.seconds = clock.seconds
        return work

    async def _process(self, reading: Reading, clock: Turn, work: Work) -> None:
        found: Mapping[bytes, bytes] = {}
        if needed := self.pipeline.needed(reading):
            found = await clock.without(self._store.fetch(self.partition, needed))
        ends, end = list(accumulate(reading.sizes)), 0
        while end < len(ends):
            if clock.is_long:
                await clock.end()
            start, end = end, _end_of_run(ends, end, self._pace, _MOST_RUN_BYTES)
            before = clock.seconds
            self._take(reading[start:end], found, work)
            self._pace = _paced(end - start, clock.seconds - before)

    def _take(self, run: Reading, found: Mapping[bytes, bytes], work: Work) -> None:
        self._is_whole = False
        outcome = self.pipeline.process(run, found)
        self._is_whole = run.is_whole  # the rows of a batch are saved together or not at all
        self._unsaved.add(outcome, run.ended, sum(run.sizes))
        work.joined += outcome.joined
        work.one_by_one += outcome.one_by_one
        work.refused += [letter.reason for letter in outcome.dead_letters]
        self._watch_share(run)

    def silent_after(self, quiet: float) -> int | None:
        """Return the moment of event time if a feed is silent, where no record has come for so many seconds."""
        watermark = self.pipeline.watermark
        if watermark is None or not self._is_whole:
            return None
        now = watermark + int(1000 * quiet)
        return now if self.pipeline.is_silent(now) else None

    def pass_time(self, now: int) -> None:
        """Tell of feeds that are silent at a moment at which no record has come; the caller holds `changing`."""
        self._unsaved.add_moment(self.pipeline.pass_time(now), now)

    def pass_over(self, topics: Collection[str]) -> None:
        """Say of which topics there are records that are not waited for: that none of them come is no silence."""
        if topics != self._passed:
            self._passed = frozenset(topics)
            self.pipeline.pass_over(self._passed)
            self._unsaved.passed.append((self._unsaved.records, sorted(self._passed)))

    def _watch_share(self, run: Reading) -> None:
        if self._stop is None:
            return
        counted = 0
        for place in run.refused:
            self._stop.pass_by(place + 1 - counted)
            counted = place + 1
            finding = self._stop.blame(_NOWHERE)
            if finding is not None:
                self.refusal = TooManyBadRecordsError(
                    f"{finding.statistic:.1%} of recent records of partition {self.partition} cannot be used, and "
                    f"bad_records.stop_share is {finding.threshold:g}: see driftline.dead-letter for the reasons"
                )
        self._stop.pass_by(len(run) - counted)

    # -- checkpoints --------------------------------------------------------------------------------------------------

    @property
    def unsaved(self) -> Unsaved:
        """What the next checkpoint has to cover."""
        return self._unsaved

    @property
    def has_unsaved(self) -> bool:
        """Whether there is anything for a checkpoint to cover."""
        return self._unsaved.records > 0 or self.pipeline.has_unsaved

    async def cut(self) -> Cut | None:
        """Return what a checkpoint has to publish, save and ack; the caller holds `changing` and `saving`.

        It is made in a thread: of a hundred models it takes half a second, and other lanes go on meanwhile.

        None says that there is nothing to save, or that nothing may be saved any more: the lane is closed, an exception
        left a record half done, or what was cut before has not been saved, of which the pipeline tells only once.
        """
        if not self.has_unsaved or self.is_closed or self._is_cut or not self._is_whole:
            return None
        self._is_cut = True
        try:
            return await asyncio.to_thread(self._cut)
        except asyncio.CancelledError:
            self.close()  # the thread goes on, and no record may change the models under it
            raise

    def _cut(self) -> Cut:
        began = thread_time()
        urgent = {model_id for model_id in self._unsaved.events if model_id is not None}
        changes = self.pipeline.changes(urgent, most_bytes=MOST_SNAPSHOT_BYTES)
        return self.checkpoint_of(changes, began)

    def checkpoint_of(self, changes: Changes, began: float) -> Cut:
        """Make the checkpoint of what the pipeline has to write; `began` is when the thread's clock stood so."""
        covered = self._unsaved.take(changes.snapshots)
        number = self._numbers.journal + len(self._began)
        read = Read(
            partition=self.partition,
            history=self._history,
            number=number,
            runs=covered.runs,
            moments=covered.moments,
            passed=covered.passed,
            saved=list(changes.snapshots),
        )
        events = [record for of_model in covered.events.values() for event in of_model for record in outgoing(event)]
        records = [*map(entry_record, self._began), *events, entry_record(read)]
        outbox = {number: record.pack() for number, record in enumerate(records, self._numbers.outbox)}
        self._numbers = Numbers(self._numbers.outbox + len(outbox), number + 1)
        self._began = []
        published, self._published = self._published, []
        rows, columns = self._series(changes.documents[model_id] for model_id in changes.snapshots)
        checkpoint = Checkpoint(
            self.partition,
            seal({**changes.position, "numbers": self._numbers, "history": self._history}),
            {
                model_id: Saved(
                    snapshot,
                    changes.documents[model_id].model_dump_json().encode(),
                    Overview.of(changes.documents[model_id]).model_dump_json().encode(),
                    model_id in self._damaged,
                )
                for model_id, snapshot in changes.snapshots.items()
            },
            changes.entries,
            changes.dropped,
            outbox,
            published,
            rows,
            columns,
        )
        self._damaged -= changes.snapshots.keys()
        return Cut(covered, checkpoint, changes.documents, thread_time() - began)

    def _series(self, states: Iterable[ModelState]) -> tuple[dict[str, bytes], dict[str, bytes]]:
        """Return the rows that state documents make, and the names in those of models that have new ones."""
        rows: dict[str, bytes] = {}
        new: dict[str, bytes] = {}
        for state in states:
            columns = self._columns.setdefault(state.model_id, Columns())
            known = len(columns)
            rows |= columns.rows(state)
            if len(columns) > known:
                new[state.model_id] = columns.pack()
        return rows, new

    def saved(self) -> None:
        """Say that what was cut has been saved."""
        self._is_cut = False
        self.pipeline.saved()

    def published(self, numbers: Iterable[int]) -> None:
        """Say that Kafka has these records of the outbox; the next checkpoint deletes them."""
        self._published += numbers

    def close(self) -> None:
        """Take nothing and save nothing any more: the partition may be another worker's by now."""
        self.is_closed = True


def _end_of_run(ends: Sequence[int], start: int, most: int, most_bytes: int) -> int:
    """Return where a run of records ends that begins at a place; only one alone may be too large.

    `ends` are the bytes of each record and all before it.
    """
    before = ends[start - 1] if start else 0
    return max(start + 1, min(bisect_right(ends, before + most_bytes, start), start + most))


def _paced(records: int, seconds: float) -> int:
    """Return how many records as these were take half of a turn."""
    return max(_FEWEST_RUN, min(_MOST_RUN, int(records * turn.LONG / 2 / max(seconds, 1e-6))))
