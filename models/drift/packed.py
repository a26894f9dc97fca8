"""Records and numbers as text, exactly: what a snapshot holds of them."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Final
from zlib import compress, decompress

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from driftline.models.kernels.types import Record

_FASTEST: Final = 1  # of zlib's levels: others take three times as long for a tenth less


def pack_record(record: Record, *without: str) -> str:
    """Write a record of a bank; what is zero in it, as room that is not used yet, takes hardly any space.

    Fields that are indices into other banks mean nothing elsewhere, and are to be left out.

    Examples
    --------
    >>> record = np.zeros(1, np.dtype([("count", "i8"), ("sums", "f8", 100)]))[0]
    >>> record["count"] = 7
    >>> again = np.zeros(1, record.dtype)
    >>> unpack_record(pack_record(record), again[0])
    >>> int(again[0]["count"]), len(pack_record(record)) < 50
    (7, True)

    """
    raw = np.frombuffer(bytearray(record.tobytes()), np.uint8)
    for name in without:
        dtype, offset, *_ = record.dtype.fields[name]
        raw[offset : offset + dtype.itemsize] = 0
    # Bytes of equal weight side by side, as numbers of one kind have the upper ones in common.
    return pack_bytes(raw.reshape(-1, 8).T)


def unpack_record(text: str, into: Record) -> None:
    """Read what `pack_record` wrote of a record of the same type."""
    raw = np.ascontiguousarray(unpack_bytes(text).reshape(8, -1).T)
    (record,) = raw.reshape(-1).view(into.dtype)
    for name in into.dtype.names:
        into[name] = record[name]


def pack_bytes(values: NDArray[np.uint8]) -> str:
    """Write bytes."""
    return b64encode(compress(values.tobytes(), _FASTEST)).decode()


def unpack_bytes(text: str) -> NDArray[np.uint8]:
    """Read what `pack_bytes` wrote, in one dimension."""
    return np.frombuffer(decompress(b64decode(text)), np.uint8)
