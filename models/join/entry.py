"""What the join remembers of one prediction_id, and how that is written to the checkpoint store.

What waits, a prediction or an early label, is ``state (1 byte) | expires (8 bytes, big-endian) | offset (8) | JSON``; a
tombstone ``state (1) | expires (8) | offset of the prediction (8) | of the label (8) | the label's token``. Each stands
in a field of its own, `entry_field`, that names the record it is of. So nothing overwrites what it was made of, and the
offsets tell what a snapshot of the model can have known of.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from driftline.schemas.fields import Scalar

_WAITING_HEADER: Final = Struct(">Bqq")
_TOMBSTONE_HEADER: Final = Struct(">Bqqq")
_FIELD_TAIL: Final = Struct(">sq")
NONE: Final = -1
"""The offset of a record that has not come."""
PREFIX_BYTES: Final = 8
_ID_BYTES: Final = 12
KEY_BYTES: Final = PREFIX_BYTES + _ID_BYTES
FIELD_BYTES: Final = KEY_BYTES + _FIELD_TAIL.size


class EntryState(IntEnum):
    """Where a prediction_id stands."""

    PENDING = 1
    """The prediction waits for its label."""
    EARLY = 2
    """The label waits for its prediction."""
    JOINED = 3
    """Both have come; stands until the prediction's time + timeout."""
    EXPIRED = 4
    """The label has not come in time; stands for another timeout, so that a late label is known as such."""
    LATE = 5
    """The same, and the label has come since."""


@dataclass(frozen=True, slots=True)
class Pending:
    """What of a prediction is needed when its label comes.

    `at` and `offset` are the prediction's event time (epoch milliseconds) and Kafka offset, `segments` the values of
    the attributes that were configured then, `inputs` and `challenger` what the challenger model was given (already
    scaled, in its own order) and what it predicted.
    """

    at: int
    offset: int
    version: str
    prediction: Scalar
    score: float | None = None
    probabilities: dict[str, float] | None = None
    segments: dict[str, str] | None = None
    inputs: tuple[float, ...] | None = None
    challenger: float | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """A label: its event time (epoch milliseconds), Kafka offset, value and weight."""

    at: int
    offset: int
    label: Scalar
    weight: float = 1.0


@dataclass(slots=True)
class Entry:
    """One prediction_id, and whether that is stored. `payload` is None where only the store holds it."""

    state: EntryState
    expires: int
    payload: Pending | Truth | None = None
    token: str | None = None
    prediction_offset: int = NONE
    label_offset: int = NONE
    stored: bool = False

    @property
    def waits(self) -> bool:
        """Whether it is what waits, and no tombstone."""
        return self.state in {EntryState.PENDING, EntryState.EARLY}


def model_prefix(model_id: str) -> bytes:
    """Return the first 8 bytes of all store keys of a model."""
    return blake2b(model_id.encode(), digest_size=PREFIX_BYTES).digest()


def id_hash(prediction_id: str) -> bytes:
    """Return the 12 bytes by which a prediction is known within its model."""
    return blake2b(prediction_id.encode(), digest_size=_ID_BYTES).digest()


def entry_field(key: bytes, entry: Entry) -> bytes:
    """Return the field of an entry in the store: the id's key, what it is, and the offset of the record it is of."""
    if entry.state is EntryState.EARLY:
        return key + _FIELD_TAIL.pack(b"e", entry.label_offset)
    return key + _FIELD_TAIL.pack(b"p" if entry.waits else b"t", entry.prediction_offset)


def fields_of(key: bytes, entry: Entry) -> list[bytes]:
    """Return the field of an entry, and those of what it was made of."""
    fields = [entry_field(key, entry)]
    if not entry.waits:
        fields.append(key + _FIELD_TAIL.pack(b"p", entry.prediction_offset))
        if entry.label_offset != NONE:
            fields.append(key + _FIELD_TAIL.pack(b"e", entry.label_offset))
    return fields


def pending_fields(p: Pending) -> list[Any]:
    """Return a pending prediction as plain values."""
    return [p.at, p.offset, p.version, p.prediction, p.score, p.probabilities, p.segments, p.inputs, p.challenger]


def pending_of(fields: list[Any]) -> Pending:
    """Rebuild what `pending_fields` returned."""
    at, offset, version, prediction, score, probabilities, segments, inputs, challenger = fields
    inputs = None if inputs is None else tuple(inputs)
    return Pending(at, offset, version, prediction, score, probabilities, segments, inputs, challenger)


def truth_fields(t: Truth) -> list[Any]:
    """Return a label as plain values."""
    return [t.at, t.offset, t.label, t.weight]


def pack_entry(entry: Entry) -> bytes:
    """Write an entry; the payload of one that waits must be present.

    Examples
    --------
    >>> entry = Entry(EntryState.JOINED, 5000, token="1", prediction_offset=3, label_offset=7)
    >>> unpack_entry(pack_entry(entry)) == entry
    True

    """
    match entry.payload:
        case Pending() as p:
            body, offset = pending_fields(p), entry.prediction_offset
        case Truth() as t:
            body, offset = truth_fields(t), entry.label_offset
        case None:
            offsets = entry.prediction_offset, entry.label_offset
            return _TOMBSTONE_HEADER.pack(entry.state, entry.expires, *offsets) + (entry.token or "").encode()
    text = json.dumps([entry.token, *body], ensure_ascii=False, separators=(",", ":"))
    return _WAITING_HEADER.pack(entry.state, entry.expires, offset) + text.encode()


def unpack_entry(packed: bytes) -> Entry:
    """Read what `pack_entry` wrote."""
    state = EntryState(packed[0])
    if state not in {EntryState.PENDING, EntryState.EARLY}:
        _, expires, prediction_offset, label_offset = _TOMBSTONE_HEADER.unpack_from(packed)
        token = packed[_TOMBSTONE_HEADER.size :].decode() or None
        return Entry(state, expires, None, token, prediction_offset, label_offset)
    _, expires, offset = _WAITING_HEADER.unpack_from(packed)
    token, *body = json.loads(packed[_WAITING_HEADER.size :])
    if state is EntryState.PENDING:
        return Entry(state, expires, pending_of(body), token, prediction_offset=offset)
    return Entry(state, expires, Truth(*body), token, label_offset=offset)
