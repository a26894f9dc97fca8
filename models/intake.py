"""The edge of the core: raw records become events, or refusals with a reason from the closed list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from driftline.models.batch.batch import read_batch
from driftline.models.record import BatchRecord, Record, Refusal
from driftline.models.wire import read
from driftline.schemas.batches import is_arrow
from driftline.schemas.decoding import decode
from driftline.schemas.errors import DecodeError, Reason
from driftline.schemas.fields import MAX_NAME
from driftline.schemas.partitioner import partition_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.batch.batch import Batch
    from driftline.models.record import RawRecord
    from driftline.models.wire import WireLabel, WirePrediction
    from driftline.schemas.events import Label, Prediction

MAX_AHEAD_MS: Final = 300_000
"""How far an event's clock may be ahead of its record's broker time."""

_MODEL_ID: Final = re.compile(rb'"model_id"\s*:\s*"([^"\\]{1,1024})"')
_SEARCHED: Final = 4096  # bytes of a bad record that are searched for a model_id


class Intake:
    """Reads the records of one partition.

    Parameters
    ----------
    kinds
        Which event each topic carries.
    partitions
        How many partitions both topics have; None where records come from files, which have none.

    Examples
    --------
    >>> from driftline.models.record import FileRecord
    >>> from driftline.schemas.events import Label
    >>> intake = Intake({"labels": Label}, partitions=None)
    >>> intake.read(FileRecord("labels", 0, b"oops")).event.reason
    <Reason.INVALID_JSON: 'invalid_json'>

    """

    def __init__(self, kinds: Mapping[str, type[Prediction | Label]], *, partitions: int | None) -> None:
        self._kinds = kinds
        self._partitions = partitions
        self._placed: dict[str, int] = {}

    def read(self, raw: RawRecord) -> Record:
        """Decode a record of one event, and check what only its envelope can tell: the broker's time and partition."""
        try:
            kind = self._kinds[raw.topic]
            return self._record(raw, read(raw.value, kind) or decode(raw.value, kind))
        except DecodeError as error:
            return Record(raw, Refusal(error.reason, error.detail, claimed_model(raw)))

    def read_any(self, raw: RawRecord) -> Record | BatchRecord:
        """Decode a record of one event or of many.

        Examples
        --------
        >>> from driftline.models.record import FileRecord
        >>> from driftline.schemas.events import Label
        >>> intake = Intake({"labels": Label}, partitions=None)
        >>> value = b'{"model_id":"m","rows":2,"prediction_id":["a","b"],"timestamp":[0,-1],"label":[1,1]}'
        >>> [type(record.event).__name__ for record in intake.read_any(FileRecord("labels", 0, value)).records()]
        ['WireLabel', 'Refusal']

        """
        try:
            kind = self._kinds[raw.topic]
            event = None if raw.headers and is_arrow(raw.headers) else read(raw.value, kind)
            if event is None and (batch := read_batch(raw, kind)) is not None:
                return self._checked(raw, batch)
            return self._record(raw, event or decode(raw.value, kind))
        except DecodeError as error:
            return Record(raw, Refusal(error.reason, error.detail, claimed_model(raw)))

    def _record(self, raw: RawRecord, event: Prediction | WirePrediction | Label | WireLabel) -> Record:
        if raw.timestamp is not None and 0 <= raw.timestamp < event.timestamp - MAX_AHEAD_MS:  # -1 is none in Kafka
            raise _ahead(raw.timestamp, event.timestamp)
        if self._placed.get(event.model_id, self._partitions) != raw.partition:
            self._check_partition(raw, event.model_id)
        return Record(raw, event)

    def _checked(self, raw: RawRecord, batch: Batch) -> BatchRecord:
        self._check_partition(raw, batch.model_id)
        if (broker := raw.timestamp) is not None and broker >= 0:
            late = batch.timestamp > broker + MAX_AHEAD_MS
            if late.any():
                times = batch.timestamp.tolist()
                batch = batch.refuse(late, lambda at: _ahead(broker, times[at]))
        return BatchRecord(raw, batch)

    def _check_partition(self, raw: RawRecord, model_id: str) -> None:
        if self._partitions is None:
            return
        expected = self._placed.get(model_id)
        if expected is None:
            expected = partition_of(model_id, self._partitions)
            if len(self._placed) < 10_000:  # noqa: PLR2004 - a bound, so that hostile ids cannot grow it
                self._placed[model_id] = expected
        if raw.partition != expected:
            raise DecodeError(
                Reason.WRONG_PARTITION,
                f"this model_id belongs to partition {expected} of {self._partitions}: "
                "key records by model_id and set the producer's partitioner to murmur2_random",
            )


def _ahead(broker: int, sender: int) -> DecodeError:
    ahead = (sender - broker) / 1000
    return DecodeError(Reason.FUTURE_TIMESTAMP, f"timestamp: {ahead:.0f} s ahead of the broker; set the sender's clock")


def claimed_model(raw: RawRecord) -> str | None:
    """Return the model that a bad record seems to be about: by its first bytes, or else by its key.

    A record with the wrong key is about the model that its value names.
    """
    match = _MODEL_ID.search((raw.value or b"")[:_SEARCHED])
    for text in (None if match is None else match[1], raw.key):
        name = (text or b"").decode(errors="replace")
        if 1 <= len(name) <= MAX_NAME:
            return name
    return None
