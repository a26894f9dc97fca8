"""Snapshots are plain data: MessagePack behind a version and a checksum. Nothing is ever unpickled."""

from __future__ import annotations

from struct import Struct
from typing import Any, Final
from zlib import crc32

from msgspec.msgpack import decode, encode

from driftline.schemas.errors import SnapshotError

_VERSION: Final = 14
_HEADER: Final = Struct(">4sHI")  # magic, version, CRC-32 of the rest
_MAGIC: Final = b"DRFT"


class DamagedError(SnapshotError):
    """The bytes of a snapshot are not those that were written."""


def seal(state: dict[str, Any]) -> bytes:
    """Write plain values as a snapshot: those of JSON, integers of at most 64 bits, and bytes.

    Examples
    --------
    >>> unseal(seal({"count": 3}))
    {'count': 3}

    """
    body = encode(state)
    return _HEADER.pack(_MAGIC, _VERSION, crc32(body)) + body


def unseal(snapshot: bytes) -> dict[str, Any]:
    """Read what `seal` wrote.

    Raises
    ------
    DamagedError
        If the bytes are not those that were written.
    SnapshotError
        If another version wrote them, which this one cannot read.

    """
    if len(snapshot) < _HEADER.size:
        msg = "the snapshot is cut off"
        raise DamagedError(msg)
    magic, version, checksum = _HEADER.unpack_from(snapshot)
    body = snapshot[_HEADER.size :]
    if magic != _MAGIC:
        msg = "the snapshot is damaged: it does not begin as one"
        raise DamagedError(msg)
    if version != _VERSION:
        msg = f"the snapshot was written by another version of Driftline (format {version}, this one reads {_VERSION})"
        raise SnapshotError(msg)
    if crc32(body) != checksum:
        msg = "the snapshot is damaged: its checksum does not match"
        raise DamagedError(msg)
    state: dict[str, Any] = decode(body)
    return state
