"""What the join remembers of one prediction_id, and how that is written to the checkpoint store.

What waits, a prediction or an early label, is ``state (1 byte) | expires (8 bytes, big-endian) | offset (8) | length of
the JSON (4) | JSON | inputs of the challenger (8 each, IEEE 754, little-endian) | CRC-32``; a tombstone ``state (1) |
expires (8) | offset of the prediction (8) | of the label (8) | a hash of the label (8) | CRC-32``. Each stands in a
field of its own, `field_of`, that names the record it is of. So nothing overwrites what it was made of, and the
offsets tell what a snapshot of the model can have known of.
"""

from __future__ import annotations

import json
import struct
from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final
from zlib import crc32

from msgspec import Struct
from msgspec.json import Decoder, Encoder

from driftline.models.snapshot import DamagedError
from driftline.schemas.classes import class_token
from driftline.schemas.fields import Scalar

_WAITING_HEADER: Final = struct.Struct(">BqqI")
_TOMBSTONE: Final = struct.Struct(">BqqqQ")
_FIELD: Final = struct.Struct(">QIsq")
_CHECKSUM: Final = struct.Struct(">I")
NONE: Final = -1
"""The offset of a record that has not come."""
PREFIX_BYTES: Final = 8
_ID_BYTES: Final = 12
_new_hash: Final = blake2b(digest_size=_ID_BYTES).copy  # a quarter cheaper than to be given the size each time
KEY_BYTES: Final = PREFIX_BYTES + _ID_BYTES
FIELD_BYTES: Final = PREFIX_BYTES + _FIELD.size


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
    MET = 6
    """Both have come, the label first; stands as long as `JOINED`."""


_PENDING: Final = EntryState.PENDING  # looking up a member of an enum takes as long as a call
_EARLY: Final = EntryState.EARLY


class Pending(Struct, gc=False):
    """What of a prediction is needed when its label comes.

    `at` and `offset` are the prediction's event time (epoch milliseconds) and Kafka offset, `segments` the values of
    the attributes that were configured then, `inputs` and `challenger` what the challenger model was given (already
    scaled, doubles in its own order) and what it predicted: these are known once the prediction's batch has run.
    `number` tells which of the model's predictions it is, from 1: the rows of one record share their offset.
    """

    at: int
    offset: int
    version: str
    prediction: Scalar
    score: float | None = None
    probabilities: dict[str, float] | None = None
    segments: dict[str, str] | None = None
    inputs: bytes | None = None
    challenger: float | None = None
    number: int = 0


class Truth(Struct, frozen=True, gc=False):
    """A label: its event time (epoch milliseconds), Kafka offset, value and weight."""

    at: int
    offset: int
    label: Scalar
    weight: float = 1.0


class Entry(Struct, gc=False):
    """One prediction_id as it is stored; the payload is there if it waits."""

    state: EntryState
    expires: int
    payload: Pending | Truth | None = None
    token: int = 0
    prediction_offset: int = NONE
    label_offset: int = NONE

    @property
    def waits(self) -> bool:
        """Whether it is what waits, and no tombstone."""
        return self.state is _PENDING or self.state is _EARLY


def model_prefix(model_id: str) -> bytes:
    """Return the first 8 bytes of all store keys of a model."""
    return blake2b(model_id.encode(), digest_size=PREFIX_BYTES).digest()


def id_hash(prediction_id: str) -> bytes:
    """Return the 12 bytes by which a prediction is known within its model."""
    hashed = _new_hash()
    hashed.update(prediction_id.encode())
    return hashed.digest()


def hash_ids(text: bytes, firsts: list[int], ends: list[int]) -> bytes:
    """Return the hashes of ids, one after the other, that stand in a text from each of `firsts` to before `ends`."""
    hashes = []
    new = _new_hash
    for first, end in zip(firsts, ends, strict=True):
        hashed = new()
        hashed.update(text[first:end])
        hashes.append(hashed.digest())
    return b"".join(hashes)


def field_of(prefix: bytes, low: int, high: int, kind: int, offset: int) -> bytes:
    """Return a field of a model by what a table has of it: the words of the id, the letter, and the offset."""
    return prefix + _FIELD.pack(low, high >> 32, kind.to_bytes(), offset)


def field_parts(field: bytes, model: int) -> tuple[int, int, int, int]:
    """Return what `field_of` was given, of the model with this number."""
    low, high, kind, offset = _FIELD.unpack_from(field, PREFIX_BYTES)
    return low, high << 32 | model, kind[0], offset


@lru_cache(maxsize=256)  # a value of another type is equal only if its token is the same
def token_of(label: Scalar) -> int:
    """Return the hash by which a label is compared with another, which is never 0."""
    return int.from_bytes(blake2b(class_token(label).encode(), digest_size=8).digest()) or 1


def pending_fields(p: Pending) -> list[Any]:
    """Return a pending prediction as plain values, but for the inputs of the challenger."""
    return [p.at, p.offset, p.version, p.prediction, p.score, p.probabilities, p.segments, p.challenger, p.number]


def pending_of(fields: list[Any], inputs: bytes | None = None) -> Pending:
    """Rebuild what `pending_fields` returned."""
    at, offset, version, prediction, score, probabilities, segments, challenger, number = fields
    return Pending(at, offset, version, prediction, score, probabilities, segments, inputs, challenger, number)


def truth_fields(t: Truth) -> list[Any]:
    """Return a label as plain values."""
    return [t.at, t.offset, t.label, t.weight]


def pack_entry(entry: Entry) -> bytes:
    """Write an entry; the payload of one that waits must be present.

    Examples
    --------
    >>> entry = Entry(EntryState.JOINED, 5000, token=token_of("1"), prediction_offset=3, label_offset=7)
    >>> unpack_entry(pack_entry(entry)) == entry
    True

    """
    payload = entry.payload
    if payload is None:
        packed = _TOMBSTONE.pack(entry.state, entry.expires, entry.prediction_offset, entry.label_offset, entry.token)
    elif isinstance(payload, Pending):
        inputs = payload.inputs
        text = _text_of([inputs is not None, *pending_fields(payload)])
        packed = _WAITING_HEADER.pack(entry.state, entry.expires, entry.prediction_offset, len(text)) + text
        if inputs is not None:
            packed += inputs
    else:
        text = _text_of([False, *truth_fields(payload)])
        packed = _WAITING_HEADER.pack(entry.state, entry.expires, entry.label_offset, len(text)) + text
    return packed + _CHECKSUM.pack(crc32(packed))


_encode: Final = Encoder().encode
_decode: Final = Decoder(list).decode
_encode_any: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_AS_THEY_ARE: Final = frozenset({str, int, bool, type(None)})
_DIGITS_FROM: Final = 1e-4
_DIGITS_TO: Final = 1e16


def _text_of(fields: list[Any]) -> bytes:
    """Write plain values as `json.dumps` does; msgspec takes an eighth of the time, and writes 1e-05 as 0.00001."""
    for value in fields:
        kind = type(value)
        if kind in _AS_THEY_ARE:
            continue
        if kind is dict:
            if not all(type(v) is str or _is_written_alike(v) for v in value.values()):
                break
        elif not _is_written_alike(value):
            break
    else:
        return _encode(fields)
    return _encode_any(fields).encode()


def _is_written_alike(value: object) -> bool:
    """Return whether a number is a float that msgspec and Python write with the same digits."""
    return type(value) is float and (value == 0 or _DIGITS_FROM <= abs(value) < _DIGITS_TO)


def unpack_entry(packed: bytes) -> Entry:
    """Read what `pack_entry` wrote.

    Raises
    ------
    DamagedError
        If the bytes are not those that were written.

    """
    entry = unpack_mark(packed)
    if entry.waits:
        *_, length = _WAITING_HEADER.unpack_from(packed)
        end = _WAITING_HEADER.size + length
        has_inputs, *body = _decode(packed[_WAITING_HEADER.size : end])
        if entry.state is EntryState.PENDING:
            entry.payload = pending_of(body, packed[end : -_CHECKSUM.size] if has_inputs else None)
        else:
            entry.payload = truth = Truth(*body)
            entry.token = token_of(truth.label)
    return entry


def unpack_mark(packed: bytes) -> Entry:
    """Read what `pack_entry` wrote, but for the payload of one that waits.

    Raises
    ------
    DamagedError
        If the bytes are not those that were written.

    """
    end = len(packed) - _CHECKSUM.size
    if end < _WAITING_HEADER.size or _CHECKSUM.unpack_from(packed, end)[0] != crc32(packed[:end]):
        msg = "an entry of the join is damaged"
        raise DamagedError(msg)
    state = EntryState(packed[0])
    if state is _PENDING or state is _EARLY:
        _, expires, offset, _ = _WAITING_HEADER.unpack_from(packed)
        if state is _PENDING:
            return Entry(state, expires, prediction_offset=offset)
        return Entry(state, expires, label_offset=offset)
    _, expires, prediction_offset, label_offset, token = _TOMBSTONE.unpack_from(packed)
    return Entry(state, expires, None, token, prediction_offset, label_offset)
