"""A window over the last pairs of a model of any task: panes of equal size in a ring, of which one is being filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.compiled import inlined

if TYPE_CHECKING:
    from driftline.models.kernels.types import Records

WINDOW: Final = np.dtype([("size", np.int64), ("pane", np.int32)], align=True)
"""A window: the pairs of a pane, and the record of the pane that is being filled.

Panes are records of counters, with `pairs` and, as `next`, the pane that follows in the ring.
"""


@inlined
def turn(records: Records, windows: Records, window: int) -> tuple[int, bool]:
    """Return the pane that the next pair belongs to, and whether it is the oldest one, which is to be begun anew."""
    record = windows[window]
    is_full = records[record.pane].pairs == record.size
    if is_full:
        record.pane = records[record.pane].next
    return int(record.pane), is_full
