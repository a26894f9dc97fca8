"""Where in event time and in Kafka a stream stood when it held its n-th value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from driftline.models.drift.packed import pack_record, unpack_record
from driftline.models.kernels.trail import SIZES, STARTS, STRIDES

if TYPE_CHECKING:
    from driftline.models.bank import Bank
    from driftline.models.kernels.types import Record


class Mark(NamedTuple):
    """A place in a stream.

    `nth` values had been taken; the newest was of `at` (epoch milliseconds) and came with these offsets: of the
    prediction, and of its label or, in a stream of predictions, of the newest label before it (-1: none).
    """

    nth: int
    at: int
    prediction_offset: int
    label_offset: int = -1


class Trail:
    """The marks of a stream, or of streams that have each value at the same place, such as the qualities of features.

    Parameters
    ----------
    bank
        Where its record is, of the type TRAIL. Each stream is to `hold` it, and gives it back by `release`.

    """

    __slots__ = ("_bank", "_held", "index")

    def __init__(self, bank: Bank) -> None:
        self._bank = bank
        self._held = 0
        self.index = bank.allocate()

    @property
    def record(self) -> Record:
        """Its record."""
        return self._bank.rows[self.index]

    def hold(self) -> Trail:
        """Return the trail, to a stream that needs it until it gives it back."""
        self._held += 1
        return self

    def release(self) -> None:
        """Give it back: the last one gives the record back."""
        self._held -= 1
        if self._held == 0:
            self._bank.free(self.index)

    def snapshot(self) -> bytes:
        """Return plain values."""
        return pack_record(self.record)

    def restore(self, snapshot: bytes) -> None:
        """Take over what `snapshot` returned."""
        unpack_record(snapshot, self.record)


def around(trail: Record, earliest: int, latest: int, *, now: Mark) -> tuple[Mark, Mark]:
    """Return places between which all lies that came after the `earliest` and up to the `latest` value.

    The first is that of the last mark not after `earliest`, moved back to the earliest place up to the second; the
    second that of the first mark not before `latest` (else `now`), moved on to the latest place so far. Values need not
    come in the order of event time and offsets: pairs come in the order of their labels. So these are bounds.

    Examples
    --------
    >>> import numpy as np
    >>> from driftline.models.kernels.trail import TRAIL, note
    >>> trail = np.zeros(1, TRAIL)[0]
    >>> for n in range(1, 1001):
    ...     note(trail, n, n * 10, n, -1)
    >>> start, end = around(trail, 900, 901, now=Mark(1000, 10_000, 1000))
    >>> start.nth, start.at, end.nth, end.at
    (896, 8960, 904, 9040)

    """
    kept = marks(trail)
    start = next((mark for mark in reversed(kept) if mark.nth <= earliest), kept[0] if kept else now)
    end = next((mark for mark in kept if mark.nth >= latest), now)
    passed = [*(mark for mark in kept if mark.nth < end.nth), end]
    between = [mark for mark in passed if mark.nth >= start.nth] or [end]
    return (
        Mark(start.nth, *map(min, zip(*(mark[1:] for mark in between), strict=True))),
        Mark(end.nth, *map(max, zip(*(mark[1:] for mark in passed), strict=True))),
    )


def marks(trail: Record) -> list[Mark]:
    """Return all marks that are kept, the oldest first."""
    first, newest = trail["first"].tolist(), int(trail["newest"])
    places = ((trail["high"].astype(np.int64) << 32) + trail["low"]).tolist()
    kept = {Mark(*first)} if first[0] else set()
    for stride, size, start in zip(STRIDES, SIZES, STARTS, strict=True):
        last = newest // stride
        for block in range(max(last - size, 0) + 1, last + 1):
            slot = start + block % size
            kept.add(Mark(block * stride, *places[slot]))
    return sorted(kept)
