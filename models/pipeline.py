"""The file to read first: what happens to the records of one partition.

`needed` says which pending predictions a batch will ask for and only the checkpoint store holds; the caller fetches
them, in one read; `process` is pure. The worker and ``driftline replay`` both call these two, and nothing else decides
anything. How records are cut into batches changes nothing. A row of a record that holds many events is a record here:
all rows of one are taken, or none, and a checkpoint is never between two of them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from driftline.models.arena import Arena
from driftline.models.fast.book import Book
from driftline.models.fast.returning import fold
from driftline.models.join.entry import NONE, PREFIX_BYTES, model_prefix, unpack_entry
from driftline.models.join.joins import Joins
from driftline.models.kernels.admission import (
    BACK,
    BEGUN,
    DUE,
    END,
    IS_AWAITED,
    NEXT,
    NUMBERS,
    SETTLED,
    SILENT,
    WATERMARK,
    admit,
    judge,
    over,
)
from driftline.models.kernels.feeds import NEVER, SHORTEST, next_due
from driftline.models.kernels.join_table import LOST, OTHER, PAIRED
from driftline.models.maker import Maker
from driftline.models.model import Model
from driftline.models.outcome import Changes, Outcome, Start
from driftline.models.policy.unattributed import Unattributed
from driftline.models.reading import Reading
from driftline.models.record import Record, Refusal
from driftline.models.rows import Rows
from driftline.models.snapshot import seal, unseal
from driftline.schemas.errors import Reason, SnapshotError
from driftline.schemas.topics import INPUTS, LABELS, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from driftline.models.intake import Intake
    from driftline.models.join.entry import Entry
    from driftline.models.policy.losses import Lost
    from driftline.models.reading import Given
    from driftline.models.record import RawRecord
    from driftline.schemas.config import Configuration
    from driftline.schemas.state import ModelState


class Pipeline:
    """The models of one partition.

    Parameters
    ----------
    configuration
        How models are watched; one that is not in it is registered from its first events.
    partition
        The partition's number, over both topics.

    Examples
    --------
    >>> from driftline.models.intake import Intake
    >>> from driftline.models.record import FileRecord
    >>> from driftline.schemas.config import Configuration
    >>> from driftline.schemas.events import Label, Prediction
    >>> from driftline.schemas.topics import LABELS, PREDICTIONS
    >>> intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
    >>> batch = [intake.read(FileRecord(topic, 0, value)) for topic, value in [
    ...     (PREDICTIONS, b'{"model_id":"m","model_version":"1","prediction_id":"a","timestamp":0,"prediction":1}'),
    ...     (LABELS, b'{"model_id":"m","prediction_id":"a","timestamp":9,"label":1}')]]
    >>> pipeline = Pipeline(Configuration(), partition=0)
    >>> pipeline.needed(batch), pipeline.process(batch, found={}).alerts
    (set(), [])
    >>> pipeline.documents()["m"].counts.joined
    1

    """

    def __init__(self, configuration: Configuration, partition: int) -> None:
        self._position = np.zeros(NUMBERS, np.int64)  # as `driftline.models.kernels.admission` has it
        self._position[[WATERMARK, IS_AWAITED]] = NONE
        self._position[END:] = NEVER
        self._configuration = configuration
        self._partition = partition
        self._models: dict[str, Model] = {}
        self._by_join: list[Model] = []
        self._unattributed = Unattributed(configuration.bad_records)
        self._unsaved: dict[str, Start] = {}  # the models that have changed, and where that began; longest ago first
        self._by_prefix: dict[bytes, Model] = {}  # of those with a snapshot
        self._unclaimed: dict[bytes, list[bytes]] = {}  # stored fields of models without a snapshot
        self._is_saved = False
        self._joins = Joins()
        self._arena = Arena()
        self._rows = Rows(self._arena)
        self._book = Book(self._arena, self._joins)
        self._maker = Maker(self._by_join, self._book, self._joins, self._arena, self._rows)

    @property
    def watermark(self) -> int | None:
        """The largest time of an event so far."""
        return None if self._position[WATERMARK] < 0 else int(self._position[WATERMARK])

    @property
    def next_offsets(self) -> dict[str, int]:
        """The next offsets of the topics of which something has been read."""
        return _offsets(self._position[NEXT : NEXT + len(INPUTS)])

    @property
    def _settled(self) -> dict[str, int]:
        return _offsets(self._position[SETTLED : SETTLED + len(INPUTS)])

    def _stand(self, start: Start) -> None:
        self._position[WATERMARK] = NONE if start.watermark is None else start.watermark
        self._position[NEXT : NEXT + len(INPUTS)] = [start.offsets.get(topic, 0) for topic in INPUTS]

    def begin(self, lost: Sequence[Lost], *, is_rebuilt: bool) -> None:
        """Tell, with the first record that is new, of records that were lost, and whether the state was."""
        self._unattributed.begin(lost, is_rebuilt=is_rebuilt)

    # -- records ------------------------------------------------------------------------------------------------------

    def read(self, records: Sequence[Given], intake: Intake | None = None) -> Reading:
        """Read the next records, for `needed` and `process`; what is not of the common form is for the intake to read.

        Records may have been read before, all of them if there is no intake.
        """
        if isinstance(records, Reading):
            return records
        if self._book.is_full:
            self._book.forget()
        return Reading.read(records, intake, self._book, self._models)

    def needed(self, batch: Sequence[Record]) -> set[bytes]:
        """Return the keys of the stored entries without which the batch cannot be processed."""
        if self._is_saved:  # not at once, which may be in the middle of a batch that has asked for what it needs
            self._is_saved = False
            self._joins.saved()
        return set(self._needed(self.read(batch)))

    def _needed(self, batch: Reading) -> dict[bytes, int]:
        if not self._joins.are_elsewhere:
            return {}
        for place in batch.alone:
            event = batch[place].event
            model = None if isinstance(event, Refusal) else self._models.get(event.model_id)
            if model is None:
                batch.rows[place]["join"] = NONE
            else:
                batch.belongs(place, model.join.index)
        return self._joins.needed(batch.rows)

    def process(self, batch: Sequence[Record], found: Mapping[bytes, bytes]) -> Outcome:
        """Take records in order; `found` holds the packed entries that `needed` has named.

        Raises
        ------
        SnapshotError
            If the store has lost a prediction: it was not found.

        """
        batch = self.read(batch)
        outcome = Outcome()
        if found:
            places = self._joins.load(self._needed(batch), found)
            fold(places, self._joins, self._book, self._by_join)
        start = 0
        for place in batch.alone:
            event = batch[place].event
            model = None if isinstance(event, Refusal) else self._open(event.model_id)
            if model is not None:
                batch.belongs(place, model.join.index)
            else:
                self._pass(batch[start:place], outcome)
                self._refuse(batch[place : place + 1], outcome)
                start = place + 1
        self._pass(batch[start:] if start else batch, outcome)
        return outcome

    def _pass(self, batch: Reading, outcome: Outcome) -> None:
        """Take records that their models can use."""
        if self._unattributed.is_calm:
            self._take(batch, outcome)
            return
        for place in range(len(batch)):  # something may be told of the partition with each
            self._take(batch[place : place + 1], outcome)

    def _refuse(self, batch: Reading, outcome: Outcome) -> None:
        """Take one record that cannot be used, or whose model has no room."""
        record, row = batch[0], batch.rows[0]
        raw, event = record.raw, record.event
        model = None
        if isinstance(event, Refusal):
            model = None if event.model_id is None else self._models.get(event.model_id)
        else:
            limit = self._configuration.max_models
            detail = f"this partition has max_models: {limit} already; raise it or add partitions"
            record = record.refused(Reason.TOO_MANY_MODELS, detail)
        watermark, topic = self._now(raw), row["topic"]
        self._position[NEXT + topic] = max(raw.offset + 1, self._position[NEXT + topic])
        awaits = NONE if model is None else int(raw.offset >= model.next_offsets.get(raw.topic, 0))
        is_new, is_awaited = judge(
            self._position, int(row["row"]), int(raw.offset >= self._position[SETTLED + topic]), awaits
        )
        if is_new:
            self._position[SETTLED + topic] = raw.offset + 1
            assert isinstance(record.event, Refusal)  # noqa: S101 - by now
            outcome.dead_letters.append(record.dead_letter(record.event))
            if watermark:  # no alert can be dated before the first event of a file
                self._tell(record, watermark, outcome, is_bad=model is None)
        if model is not None and is_awaited == 1:
            row["what"], row["join"], row["watermark"] = OTHER, model.join.index, watermark
            self._take(batch, outcome)

    def _tell(self, record: Record, watermark: int, outcome: Outcome, *, is_bad: bool) -> None:
        outcome.alerts += self._unattributed.process(
            record, is_bad=is_bad, watermark=watermark, next_offsets=self._settled
        )

    def _take(self, batch: Reading, outcome: Outcome) -> None:
        """Let records pass the join, and then their models; tell of feeds that are silent before one, or come again."""
        while len(batch):
            begun = np.empty(len(batch), BEGUN)
            taken, why, counted, changed = admit(self._position, self._joins.table.arrays.joins, batch.rows, begun)
            for join, offsets, watermark in begun[:changed].tolist():
                start = Start(_offsets(offsets), None if watermark < 0 else watermark)
                self._unsaved[self._by_join[join].model_id] = start
            self._run(batch if taken == len(batch) else batch[:taken], counted, outcome)
            if why == SILENT:
                record, row = batch[taken], batch.rows[taken]
                now = max(int(row["at"]), self.watermark or 0)
                here = {**self.next_offsets, record.raw.topic: record.raw.offset}  # it may be refused, and counted
                start = Start({topic: at for topic, at in here.items() if at}, self.watermark)
                at_hand = int(row["join"]), int(row["topic"])
                self._tell_silence(now, record.identity, outcome, start, at_hand)
            elif why == BACK:
                record, row = batch[taken - 1], batch.rows[taken - 1]
                place = int(row["watermark"]), self._partition, record.identity
                outcome.alerts += self._by_join[row["join"]].resumed(int(row["topic"]), *place)
            batch = batch[taken:]

    def _run(self, batch: Reading, counted: int, outcome: Outcome) -> None:
        """Take records that were admitted; so many of them belong to no model's past."""
        rows = batch.rows
        if not len(rows):
            return
        if counted and not self._unattributed.pass_by(counted):
            self._tell(batch[0], int(rows[0]["watermark"]), outcome, is_bad=False)
        self._joins.take(rows)
        results = rows["result"]
        if (results == LOST).any():
            raise SnapshotError(
                "the store has lost a prediction that waits for its label: restore it, or delete the state"
            )
        outcome.joined += int(np.count_nonzero(results == PAIRED))
        decided, one_by_one = self._maker.run(batch)
        outcome.one_by_one += one_by_one
        for alerts, request in decided:
            outcome.alerts += alerts
            if request is not None:
                outcome.retrain_requests.append(request)
        self._joins.recycle()

    def ends_at(self, topic: str, offset: int) -> None:
        """Say that a topic has no records from an offset on, as a file has an end: that none come is no silence."""
        self._position[END + INPUTS.index(topic)] = offset
        self._position[DUE] = 0  # another one may be the first that is silent

    def pass_over(self, topics: Collection[str]) -> None:
        """Say that of these topics, and of no others, there are records that are not waited for.

        That they do not come is no silence; nor is it, for a while, that they did not once they do.
        """
        self._position[DUE] = 0  # as above
        for topic, name in enumerate(INPUTS):
            was_over, is_over = self._position[END + topic] == 0, name in topics
            self._position[END + topic] = 0 if is_over else NEVER
            if was_over and not is_over:
                until = self._joins.table.arrays.joins["feeds"]["until"][:, topic]
                np.maximum(until, (self.watermark or 0) + SHORTEST, out=until)

    def is_silent(self, now: int) -> bool:
        """Return whether a feed is to be told of at a moment at which no record has come."""
        joins = self._joins.table.arrays.joins
        return bool(next_due(joins, NONE, NONE, over(self._position)) <= now)

    def pass_time(self, now: int) -> Outcome:
        """Tell of feeds that are silent at a moment, in epoch milliseconds of event time, at which no record has come.

        It is for the time that passes while a partition has no records. Such moments are part of what a run depends on.
        """
        outcome = Outcome()
        here = Start(self.next_offsets, self.watermark)
        self._tell_silence(now, f"moment-{self._partition}-{now}", outcome, here, (NONE, NONE))
        return outcome

    def _tell_silence(self, now: int, trigger: str, outcome: Outcome, here: Start, at_hand: tuple[int, int]) -> None:
        """Tell of feeds that are silent, but for one, by model and topic, of which a record is at hand."""
        judged = np.flatnonzero(over(self._position) == 0).tolist()
        for nth, model in enumerate(self._by_join):
            topics = [topic for topic in judged if (nth, topic) != at_hand]
            alerts = model.silent(topics, now, self._partition, trigger)
            if alerts is None:
                continue
            outcome.alerts += alerts
            if not model.join.is_unsaved:
                self._unsaved[model.model_id] = here
                model.join.is_unsaved = True
        if next_due(self._joins.table.arrays.joins, *at_hand, over(self._position)) <= now:
            raise RuntimeError("a feed is silent, and is so still after that was told")  # it would be for ever

    def _now(self, raw: RawRecord) -> int:
        """Return the watermark; before the first event, which bad records may precede, the broker's time if any."""
        return max(raw.timestamp or 0, 0) if self.watermark is None else self.watermark

    def _open(self, model_id: str) -> Model | None:
        model = self._models.get(model_id)
        if model is None and len(self._models) < self._configuration.max_models:
            model = self._new_model(model_id)
            for field_ in self._unclaimed.pop(model_prefix(model_id), ()):
                model.join.leave_out(field_)
        return model

    def _new_model(self, model_id: str) -> Model:
        model = Model(self._configuration.of(model_id), self._configuration.bad_records, self._joins, self._arena)
        self._models[model_id] = model
        self._by_join.append(model)
        return model

    # -- state --------------------------------------------------------------------------------------------------------

    def documents(self) -> dict[str, ModelState]:
        """Return the state document of every model."""
        return {model_id: self._document(model) for model_id, model in self._models.items()}

    def _document(self, model: Model) -> ModelState:
        return model.document(self._partition, self.watermark)

    @property
    def has_unsaved(self) -> bool:
        """Whether a model has changed since it was last told of."""
        return bool(self._unsaved)

    def changes(
        self, urgent: Collection[str] = (), *, most_bytes: float = math.inf, most_models: float = math.inf
    ) -> Changes:
        """Return what a checkpoint has to write of models that have changed, once; others wait for the next.

        Parameters
        ----------
        urgent
            The models that go first. Then come those that changed longest ago.
        most_bytes, most_models
            Of snapshots: the one that reaches it is the last.

        """
        snapshots: dict[str, bytes] = {}
        documents: dict[str, ModelState] = {}
        here = Start(self.next_offsets, self.watermark)
        size = 0
        for model_id in sorted(self._unsaved, key=lambda model_id: model_id not in urgent):
            if size >= most_bytes or len(snapshots) >= most_models:
                break
            model = self._models[model_id]
            documents[model_id] = self._document(model)
            snapshots[model_id] = seal({**model.snapshot(), "start": here})
            del self._unsaved[model_id]
            model.join.is_unsaved = False
            size += len(snapshots[model_id])
        # Those of the others too: they may go ahead, and would take memory until it is their turn.
        entries = self._joins.take_entries()
        dropped = [field for model_id in snapshots for field in self._models[model_id].join.take_dropped()]
        position = {
            "start": Start.earliest([here, *self._unsaved.values()]),
            "settled": self._settled,
            "unattributed": self._unattributed.snapshot(),
        }
        return Changes(position, snapshots, documents, entries, dropped)

    def discard_changes(self) -> None:
        """Forget what a checkpoint would have to write of joins: none will be made."""
        self._joins.table.discard()

    def saved(self) -> None:
        """Say that what `changes` has returned is stored: memory need not hold all of it from the next batch on."""
        self._is_saved = True

    def restore(self, position: dict[str, Any]) -> None:
        """Take over where a checkpoint stands; its models follow by `restore_model`, its entries by `restore_entry`."""
        settled = position["settled"]
        self._position[SETTLED : SETTLED + len(INPUTS)] = [settled.get(topic, 0) for topic in INPUTS]
        self._unattributed.restore(position["unattributed"])
        self._stand(Start(*position["start"]))

    def restore_model(self, model_id: str, snapshot: bytes) -> None:
        """Take over the newest snapshot of a model.

        Raises
        ------
        DamagedError
            If it is damaged: then the one before it is to be given to `restore_older`.
        SnapshotError
            If it is of another version.

        """
        self._restore_model(model_id, unseal(snapshot))

    def restore_older(self, model_id: str, snapshot: bytes) -> None:
        """Take over the snapshot before the newest; reading goes on from where that one stood. Raises the same."""
        state = unseal(snapshot)
        self._restore_model(model_id, state)
        start = self._unsaved[model_id] = Start(*state["start"])
        self._models[model_id].join.is_unsaved = True
        self._stand(Start.earliest([Start(self.next_offsets, self.watermark), start]))

    def _restore_model(self, model_id: str, state: dict[str, Any]) -> None:
        model = self._new_model(model_id)
        model.restore(state)
        self._by_prefix[model_prefix(model_id)] = model

    def restore_entries(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Take over stored entries of the join: the field of each, and what stands in it.

        Raises
        ------
        SnapshotError
            If one belongs to a model that `restore_model` was given no snapshot of, or is damaged.

        """
        known = []
        for field_, packed in entries:
            prefix = field_[:PREFIX_BYTES]
            if prefix in self._by_prefix:
                known.append((field_, packed))
            elif self._was_read(unpack_entry(packed)):
                raise SnapshotError("the checkpoint has a join entry of a model without a snapshot: part of it is lost")
            else:  # the model was not saved yet, and comes again
                self._unclaimed.setdefault(prefix, []).append(field_)
        self._joins.restore(known)

    def _was_read(self, entry: Entry) -> bool:
        offsets = ((PREDICTIONS, entry.prediction_offset), (LABELS, entry.label_offset))
        return any(NONE < offset < self.next_offsets.get(topic, 0) for topic, offset in offsets)


def _offsets(following: Iterable[int]) -> dict[str, int]:
    """Return next offsets by topic; one of which nothing has been read is not among them."""
    return {topic: int(offset) for topic, offset in zip(INPUTS, following, strict=True) if offset}
