"""Columns of whole numbers in few bytes, for snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_BYTES: Final = (1, 2, 4, 8)


def pack(columns: Iterable[NDArray[np.int64]]) -> bytes:
    r"""Return columns of numbers at least 0: of each the bytes of a number, then the numbers.

    Examples
    --------
    >>> pack([np.array([1, 2, 3]), np.array([700, 0, 0])])
    b'\x01\x01\x02\x03\x02\xbc\x02\x00\x00\x00\x00'

    """
    parts = []
    for column in columns:
        most = int(column.max(initial=0))
        width = next(width for width in _BYTES if most < 1 << 8 * width)
        parts.append(bytes([width]) + column.astype(f"<u{width}").tobytes())
    return b"".join(parts)


def unpack(packed: bytes, length: int, columns: int) -> list[NDArray[np.int64]]:
    """Return the columns, each of `length` numbers."""
    unpacked = []
    at = 0
    for _ in range(columns):
        width = packed[at]
        unpacked.append(np.frombuffer(packed, f"<u{width}", length, at + 1).astype(np.int64))
        at += 1 + length * width
    return unpacked
