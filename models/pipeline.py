"""The file to read first: what happens to the records of one partition.

`needed` says which pending predictions a batch will ask for and only the checkpoint store holds; the caller fetches
them, in one read; `process` is pure. The worker and ``driftline replay`` both call these two, and nothing else decides
anything. How records are cut into batches changes nothing. A row of a record that holds many events is a record here:
all rows of one are taken, or none, and a checkpoint is never between two of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from driftline.models.arena import Arena
from driftline.models.batch.admission import Admission
from driftline.models.join.entry import NONE, PREFIX_BYTES, model_prefix, unpack_entry
from driftline.models.join.payload_cache import PayloadCache
from driftline.models.model import Model
from driftline.models.policy.unattributed import Unattributed
from driftline.models.record import Refusal
from driftline.models.rows import Rows
from driftline.models.snapshot import seal, unseal
from driftline.models.wire import WireLabel
from driftline.schemas.errors import Reason, SnapshotError
from driftline.schemas.events import Label
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from driftline.models.join.entry import Entry
    from driftline.models.policy.losses import Lost
    from driftline.models.record import RawRecord, Record
    from driftline.schemas.alerts import Alert, RetrainRequest
    from driftline.schemas.config import Configuration
    from driftline.schemas.dead_letter import DeadLetter
    from driftline.schemas.state import ModelState


@dataclass(slots=True)
class Outcome:
    """What a batch led to, in order; `joined` counts the pairs of a prediction and its label."""

    joined: int = 0
    alerts: list[Alert] = field(default_factory=list)
    retrain_requests: list[RetrainRequest] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a checkpoint has to write: the position, and what changed in the models that it is of."""

    position: dict[str, Any]
    snapshots: dict[str, bytes]
    documents: dict[str, ModelState]
    entries: dict[bytes, bytes]
    dropped: list[bytes]


class Start(NamedTuple):
    """A place in both topics, by the next offset of each, and the watermark there."""

    offsets: dict[str, int]
    watermark: int | None

    @classmethod
    def earliest(cls, starts: Iterable[Start]) -> Start:
        """Return the place from which reading on misses nothing after any of `starts`, of which there is one."""
        first, *others = starts
        offsets, watermark = dict(first.offsets), first.watermark
        for other in others:
            # A topic of which nothing had been read is not among the offsets, and to be read from its beginning.
            offsets = {topic: min(at, other.offsets[topic]) for topic, at in offsets.items() if topic in other.offsets}
            watermark = None if watermark is None or other.watermark is None else min(watermark, other.watermark)
        return cls(offsets, watermark)


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
    >>> from driftline.schemas.events import Prediction
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
        self.watermark: int | None = None
        self.next_offsets: dict[str, int] = {}
        self._settled: dict[
            str, int
        ] = {}  # the next offsets of what belongs to no model: ahead while records come again
        self._configuration = configuration
        self._partition = partition
        self._models: dict[str, Model] = {}
        self._unattributed = Unattributed(configuration.bad_records)
        self._unsaved: dict[str, Start] = {}  # the models that have changed, and where that began; longest ago first
        self._by_prefix: dict[bytes, Model] = {}
        self._unclaimed: dict[bytes, list[bytes]] = {}  # stored fields of models without a snapshot
        self._payloads = PayloadCache()
        self._arena = Arena()
        self._rows = Rows(self._arena)
        self._admission = Admission()

    def begin(self, lost: Sequence[Lost], *, is_rebuilt: bool) -> None:
        """Tell, with the first record that is new, of records that were lost, and whether the state was."""
        self._unattributed.begin(lost, is_rebuilt=is_rebuilt)

    # -- records ------------------------------------------------------------------------------------------------------

    def needed(self, batch: Iterable[Record]) -> set[bytes]:
        """Return the keys of the stored entries without which the batch cannot be processed."""
        keys = set()
        for record in batch:
            event = record.event
            if isinstance(event, Label | WireLabel) and (model := self._models.get(event.model_id)) is not None:
                key = model.join.needs(event)
                if key is not None:
                    keys.add(key)
        return keys

    def process(self, batch: Sequence[Record], found: Mapping[bytes, bytes]) -> Outcome:
        """Take records in order; `found` holds the packed entries that `needed` has named."""
        outcome = Outcome()
        models = self._models
        for record in batch:
            event = record.event
            if isinstance(event, Refusal) or (model := models.get(event.model_id)) is None:
                self._process_other(record, found, outcome)
            else:
                self._process(record, model, event.timestamp, found, outcome)
        self._run(outcome)
        return outcome

    def _run(self, outcome: Outcome) -> None:
        for alerts, request in self._rows.run():
            outcome.alerts += alerts
            if request is not None:
                outcome.retrain_requests.append(request)

    def _process(self, record: Record, model: Model, at: int, found: Mapping[bytes, bytes], outcome: Outcome) -> None:
        """Take a record that its model can use."""
        raw = record.raw
        topic, offset = raw.topic, raw.offset
        before = self.watermark
        watermark = at if before is None or at > before else before
        self.watermark = watermark
        if offset >= self.next_offsets.get(topic, 0):
            self.next_offsets[topic] = offset + 1
        is_new = offset >= self._settled.get(topic, 0)  # else it comes again, and only a model may be behind
        is_awaited = offset >= model.next_offsets.get(topic, 0)
        if record.row is not None:
            is_new, is_awaited = self._admission.of(record, is_new=is_new, is_awaited=is_awaited)
        if is_new:
            self._settled[topic] = offset + 1
            if watermark and not self._unattributed.pass_by():
                self._tell(record, watermark, outcome, is_bad=False)
        if is_awaited:
            self._take(record, model, found, watermark, before, outcome)

    def _process_other(self, record: Record, found: Mapping[bytes, bytes], outcome: Outcome) -> None:
        """Take a record of a model that is new or has no room, or one that cannot be used."""
        raw, event = record.raw, record.event
        model = self._model_of(record)
        if model is not None and not isinstance(event, Refusal):
            self._process(record, model, event.timestamp, found, outcome)
            return
        if not isinstance(event, Refusal):
            limit = self._configuration.max_models
            detail = f"this partition has max_models: {limit} already; raise it or add partitions"
            record = record.refused(Reason.TOO_MANY_MODELS, detail)
        watermark = self._now(raw)
        self.next_offsets[raw.topic] = max(raw.offset + 1, self.next_offsets.get(raw.topic, 0))
        is_new = raw.offset >= self._settled.get(raw.topic, 0)
        is_awaited = None if model is None else model.awaits(raw)
        if record.row is not None:
            is_new, is_awaited = self._admission.of(record, is_new=is_new, is_awaited=is_awaited)
        if is_new:
            self._settled[raw.topic] = raw.offset + 1
            if isinstance(record.event, Refusal):
                outcome.dead_letters.append(record.dead_letter(record.event))
            if watermark:  # no alert can be dated before the first event of a file
                self._tell(record, watermark, outcome, is_bad=model is None)
        if model is not None and is_awaited:
            self._take(record, model, found, watermark, self.watermark, outcome)

    def _tell(self, record: Record, watermark: int, outcome: Outcome, *, is_bad: bool) -> None:
        alerts = self._unattributed.process(record, is_bad=is_bad, watermark=watermark, next_offsets=self._settled)
        if alerts:
            self._run(outcome)  # what came before is told first
            outcome.alerts += alerts

    def _take(  # noqa: PLR0913, PLR0917 - what a record comes with
        self,
        record: Record,
        model: Model,
        found: Mapping[bytes, bytes],
        watermark: int,
        watermark_before: int | None,
        outcome: Outcome,
    ) -> None:
        raw = record.raw
        if model.model_id not in self._unsaved:
            self._unsaved[model.model_id] = Start({**self.next_offsets, raw.topic: raw.offset}, watermark_before)
        counts = model.join.counts
        before = counts.joined
        model.take(record, found, watermark, self._rows)
        outcome.joined += counts.joined - before

    def _now(self, raw: RawRecord) -> int:
        """Return the watermark; before the first event, which bad records may precede, the broker's time if any."""
        return max(raw.timestamp or 0, 0) if self.watermark is None else self.watermark

    def _model_of(self, record: Record) -> Model | None:
        """Return the model that a record is charged to; a good one opens it."""
        event = record.event
        if isinstance(event, Refusal):
            return None if event.model_id is None else self._models.get(event.model_id)
        return self._open(event.model_id)

    def _open(self, model_id: str) -> Model | None:
        model = self._models.get(model_id)
        if model is None and len(self._models) < self._configuration.max_models:
            model = self._models[model_id] = self._new_model(model_id)
            for field_ in self._unclaimed.pop(model_prefix(model_id), ()):
                model.join.leave_out(field_)
        return model

    def _new_model(self, model_id: str) -> Model:
        return Model(self._configuration.of(model_id), self._configuration.bad_records, self._payloads, self._arena)

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
        entries: dict[bytes, bytes] = {}
        dropped: list[bytes] = []
        here = Start(dict(self.next_offsets), self.watermark)
        size = 0
        for model_id in sorted(self._unsaved, key=lambda model_id: model_id not in urgent):
            if size >= most_bytes or len(snapshots) >= most_models:
                break
            model = self._models[model_id]
            documents[model_id] = self._document(model)
            snapshots[model_id] = seal({**model.snapshot(), "start": here})
            entries |= model.join.take_entries()
            dropped += model.join.take_dropped()
            del self._unsaved[model_id]
            size += len(snapshots[model_id])
        for model_id in self._unsaved:  # their entries may go ahead, and would take memory until it is their turn
            entries |= self._models[model_id].join.take_entries()
        position = {
            "start": Start.earliest([here, *self._unsaved.values()]),
            "settled": dict(self._settled),
            "unattributed": self._unattributed.snapshot(),
        }
        return Changes(position, snapshots, documents, entries, dropped)

    def saved(self) -> None:
        """Say that what `changes` has returned is stored: memory need not hold all of it any more."""
        self._payloads.trim()

    def restore(self, position: dict[str, Any]) -> None:
        """Take over where a checkpoint stands; its models follow by `restore_model`, its entries by `restore_entry`."""
        self._settled = dict(position["settled"])
        self._unattributed.restore(position["unattributed"])
        self.next_offsets, self.watermark = Start(*position["start"])

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
        self.next_offsets, self.watermark = Start.earliest([Start(self.next_offsets, self.watermark), start])

    def _restore_model(self, model_id: str, state: dict[str, Any]) -> None:
        model = self._models[model_id] = self._new_model(model_id)
        model.restore(state)
        self._by_prefix[model_prefix(model_id)] = model

    def restore_entry(self, field: bytes, packed: bytes) -> None:
        """Take over one stored entry of the join.

        Raises
        ------
        SnapshotError
            If it belongs to a model that `restore_model` was given no snapshot of, or is damaged.

        """
        model = self._by_prefix.get(field[:PREFIX_BYTES])
        if model is not None:
            model.join.restore_entry(field, packed)
        elif self._was_read(unpack_entry(packed)):
            raise SnapshotError("the checkpoint has a join entry of a model without a snapshot: part of it is lost")
        else:  # the model was not saved yet, and comes again
            self._unclaimed.setdefault(field[:PREFIX_BYTES], []).append(field)

    def _was_read(self, entry: Entry) -> bool:
        offsets = ((PREDICTIONS, entry.prediction_offset), (LABELS, entry.label_offset))
        return any(NONE < offset < self.next_offsets.get(topic, 0) for topic, offset in offsets)
