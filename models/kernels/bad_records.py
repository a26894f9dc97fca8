"""How many of the last 500 to 1,000 records could not be used, in two panes.

`driftline.models.policy.bad_records` says what for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels.compiled import kernel

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record, Records

PANE = 500

BAD_RECORDS = np.dtype([("total", "i8"), ("records", "i8", 2), ("bad", "i8", 2), ("first", "i8", (2, 4))], align=True)
"""Of the pane before and of the one that is being filled; `first` is where the first bad record of each stood."""


@kernel
def count(panes: Record, records: int) -> None:
    """Count so many records, in a new pane where one is full."""
    while records > 0:
        if panes.records[1] == PANE:
            panes.records[0] = panes.records[1]
            panes.bad[0] = panes.bad[1]
            for place in range(4):
                panes.first[0, place] = panes.first[1, place]
            panes.records[1] = 0
            panes.bad[1] = 0
        taken = min(records, PANE - panes.records[1])
        panes.records[1] += taken
        records -= taken


@kernel
def count_at(rows: Records, index: int, records: int) -> None:
    """Do what `count` does with the field `bad` of a record, for Python."""
    count(rows[index].bad, records)
