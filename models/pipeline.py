"""The file to read first: what happens to the records of one partition.

`needed` says which pending predictions a batch will ask for and only the checkpoint store holds; the caller fetches
them, in one read; `process` is pure. The worker and ``driftline replay`` both call these two, and nothing else decides
anything. How records are cut into batches changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftline.models.join.entry import PREFIX_BYTES, model_prefix
from driftline.models.model import Model
from driftline.models.policy.unattributed import Unattributed
from driftline.models.record import Record, Refusal
from driftline.models.snapshot import seal, unseal
from driftline.schemas.errors import Reason, SnapshotError
from driftline.schemas.events import Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from driftline.models.record import RawRecord
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
    """What a checkpoint has to write: everything that changed since the one before."""

    position: bytes
    snapshots: dict[str, bytes]
    documents: dict[str, ModelState]
    entries: dict[bytes, bytes]
    dropped: list[bytes]


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
        self._configuration = configuration
        self._partition = partition
        self._models: dict[str, Model] = {}
        self._unattributed = Unattributed(configuration.bad_records)
        self._touched: dict[str, None] = {}
        self._by_prefix: dict[bytes, Model] = {}

    # -- records ------------------------------------------------------------------------------------------------------

    def needed(self, batch: Sequence[Record]) -> set[bytes]:
        """Return the keys of the stored entries without which the batch cannot be processed."""
        keys = set()
        for record in batch:
            event = record.event
            if isinstance(event, Label) and (model := self._models.get(event.model_id)) is not None:
                key = model.join.needs(event)
                if key is not None:
                    keys.add(key)
        return keys

    def process(self, batch: Sequence[Record], found: Mapping[bytes, bytes]) -> Outcome:
        """Take records in order; `found` holds the packed entries that `needed` has named."""
        outcome = Outcome()
        for record in batch:
            self._process(record, found, outcome)
        return outcome

    def _process(self, record: Record, found: Mapping[bytes, bytes], outcome: Outcome) -> None:
        raw = record.raw
        model = self._model_of(record)
        if model is None and not isinstance(record.event, Refusal):
            limit = self._configuration.max_models
            detail = f"this partition has max_models: {limit} already; raise it or add partitions"
            record = Record(raw, Refusal(Reason.TOO_MANY_MODELS, detail, None))
        if not isinstance(record.event, Refusal):
            self.watermark = max(record.event.timestamp, self.watermark or 0)
        watermark = self._now(raw)
        if raw.offset >= self.next_offsets.get(raw.topic, 0):  # else it comes again, and only a model may be behind
            self.next_offsets[raw.topic] = raw.offset + 1
            if isinstance(record.event, Refusal):
                outcome.dead_letters.append(record.dead_letter(record.event))
            if watermark:  # no alert can be dated before the first event of a file
                outcome.alerts += self._unattributed.process(
                    record, is_bad=model is None, watermark=watermark, next_offsets=self.next_offsets
                )
        if model is None or not model.awaits(raw):
            return
        self._touched[model.config.model_id] = None
        before = model.join.counts.joined
        alerts, request = model.process(record, found, watermark)
        outcome.joined += model.join.counts.joined - before
        outcome.alerts += alerts
        if request is not None:
            outcome.retrain_requests.append(request)

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
            model = self._models[model_id] = Model(self._configuration.of(model_id), self._configuration.bad_records)
        return model

    # -- state --------------------------------------------------------------------------------------------------------

    def documents(self) -> dict[str, ModelState]:
        """Return the state document of every model."""
        return {model_id: self._document(model) for model_id, model in self._models.items()}

    def _document(self, model: Model) -> ModelState:
        return model.document(self._partition, self.watermark)

    def changes(self) -> Changes:
        """Return what a checkpoint has to write, once: the next call returns what changed since this one."""
        documents = {model_id: self._document(self._models[model_id]) for model_id in self._touched}
        snapshots = {model_id: seal(self._models[model_id].snapshot()) for model_id in self._touched}
        entries: dict[bytes, bytes] = {}
        dropped: list[bytes] = []
        for model_id in self._touched:
            written, gone = self._models[model_id].join.take_changes()
            entries |= written
            dropped += gone
        self._touched = {}
        position = seal(
            {
                "next_offsets": self.next_offsets,
                "watermark": self.watermark,
                "unattributed": self._unattributed.snapshot(),
            }
        )
        return Changes(position, snapshots, documents, entries, dropped)

    def restore(self, position: bytes | None, snapshots: Mapping[str, bytes]) -> None:
        """Take over what a checkpoint holds; its join entries follow by `restore_entry`.

        Raises
        ------
        SnapshotError
            If a snapshot is damaged or of another version.

        """
        if position is not None:
            stored = unseal(position)
            self.next_offsets = dict(stored["next_offsets"])
            self.watermark = stored["watermark"]
            self._unattributed.restore(stored["unattributed"])
        for model_id, snapshot in snapshots.items():
            model = self._models[model_id] = Model(self._configuration.of(model_id), self._configuration.bad_records)
            model.restore(unseal(snapshot))
        self._by_prefix = {model_prefix(model_id): model for model_id, model in self._models.items()}

    def restore_entry(self, key: bytes, packed: bytes) -> None:
        """Take over one stored entry of the join.

        Raises
        ------
        SnapshotError
            If it belongs to a model that `restore` was given no snapshot of.

        """
        model = self._by_prefix.get(key[:PREFIX_BYTES])
        if model is None:
            raise SnapshotError("the checkpoint has a join entry of a model without a snapshot: part of it is lost")
        model.join.restore_entry(key, packed)
