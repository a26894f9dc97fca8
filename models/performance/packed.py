"""Columns of whole numbers as short text, for snapshots."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_BYTES: Final = (1, 2, 4, 8)


def pack(columns: Iterable[NDArray[np.int64]]) -> str:
    """Return columns of numbers at least 0 as base64: of each the bytes of a number, then the numbers.

    Examples
    --------
    >>> pack([np.array([1, 2, 3]), np.array([700, 0, 0])])
    'AQECAwK8AgAAAAA='

    """
    parts = []
    for column in columns:
        most = int(column.max(initial=0))
        width = next(width for width in _BYTES if most < 1 << 8 * width)
        parts.append(bytes([width]) + column.astype(f"<u{width}").tobytes())
    return b64encode(b"".join(parts)).decode()


def unpack(packed: str, length: int, columns: int) -> list[NDArray[np.int64]]:
    """Return the columns, each of `length` numbers."""
    raw = b64decode(packed)
    unpacked = []
    at = 0
    for _ in range(columns):
        width = raw[at]
        unpacked.append(np.frombuffer(raw, f"<u{width}", length, at + 1).astype(np.int64))
        at += 1 + length * width
    return unpacked
