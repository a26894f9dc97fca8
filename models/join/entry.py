"""What the join remembers of one prediction_id, and how that is written to the checkpoint store.

A packed entry is ``state (1 byte) | expires (8 bytes, big-endian) | JSON``: the payload of a pending prediction, the
label of an early label or a tombstone.
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

_HEADER: Final = Struct(">Bq")
PREFIX_BYTES: Final = 8
_ID_BYTES: Final = 12


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
    """One prediction_id. `payload` is None where only the checkpoint store holds it."""

    state: EntryState
    expires: int
    payload: Pending | Truth | None = None
    token: str | None = None
    stored: bool = False


def model_prefix(model_id: str) -> bytes:
    """Return the first 8 bytes of all store keys of a model."""
    return blake2b(model_id.encode(), digest_size=PREFIX_BYTES).digest()


def id_hash(prediction_id: str) -> bytes:
    """Return the 12 bytes by which a prediction is known within its model."""
    return blake2b(prediction_id.encode(), digest_size=_ID_BYTES).digest()


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
    """Write an entry whose payload is present.

    Examples
    --------
    >>> entry = Entry(EntryState.JOINED, 5000, token="1")
    >>> unpack_entry(pack_entry(entry)) == entry
    True

    """
    match entry.payload:
        case Pending() as p:
            body = pending_fields(p)
        case Truth() as t:
            body = truth_fields(t)
        case None:
            body = []
    text = json.dumps([entry.token, *body], ensure_ascii=False, separators=(",", ":"))
    return _HEADER.pack(entry.state, entry.expires) + text.encode()


def unpack_entry(packed: bytes) -> Entry:
    """Read what `pack_entry` wrote."""
    state, expires = _HEADER.unpack_from(packed)
    token, *body = json.loads(packed[_HEADER.size :])
    entry = Entry(EntryState(state), expires, token=token)
    match entry.state:
        case EntryState.PENDING:
            entry.payload = pending_of(body)
        case EntryState.EARLY:
            entry.payload = Truth(*body)
        case _:
            pass
    return entry
