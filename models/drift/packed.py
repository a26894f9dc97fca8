"""Records as bytes, exactly: what a snapshot holds of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.models.kernels.types import Record


def pack_record(record: Record, *without: str) -> bytes:
    """Write a record of a bank; what is zero in it, as room that is not used yet, takes hardly any space.

    Fields are left out that mean nothing elsewhere, as indices into other banks do, or are kept in another way.

    Examples
    --------
    >>> record = np.zeros(1, np.dtype([("count", "i8"), ("sums", "f8", 100)]))[0]
    >>> record["count"] = 7
    >>> again = np.zeros(1, record.dtype)
    >>> unpack_record(pack_record(record), again[0])
    >>> int(again[0]["count"]), len(pack_record(record))
    (7, 102)

    """
    raw = np.frombuffer(bytearray(record.tobytes()), np.uint8)
    for name in without:
        dtype, offset, *_ = record.dtype.fields[name]
        raw[offset : offset + dtype.itemsize] = 0
    return pack_bytes(raw)


def unpack_record(packed: bytes, into: Record) -> None:
    """Read what `pack_record` wrote of a record of the same type."""
    (record,) = unpack_bytes(packed, into.dtype.itemsize).view(into.dtype)
    for name in into.dtype.names:
        into[name] = record[name]


def pack_bytes(values: NDArray[np.uint8]) -> bytes:
    """Write bytes: a bit for each whether it is not zero, and those that are not.

    Compression would halve what is left, which is mostly numbers of the events, in ten times as long.
    """
    is_there = values != 0
    packed: bytes = np.packbits(is_there).tobytes() + values[is_there].tobytes()
    return packed


def unpack_bytes(packed: bytes, size: int) -> NDArray[np.uint8]:
    """Read so many bytes that `pack_bytes` wrote."""
    values = np.zeros(size, np.uint8)
    bits = -(-size // 8)
    is_there = np.unpackbits(np.frombuffer(packed, np.uint8, bits), count=size).astype(bool)
    values[is_there] = np.frombuffer(packed, np.uint8, offset=bits)
    return values
