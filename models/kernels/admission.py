"""What of a batch is new: the watermark and the offsets of a partition and of its models, record by record.

`driftline.models.pipeline` says what for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels import join_table as join
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.ids import NONE

if TYPE_CHECKING:
    from driftline.models.kernels.types import Integers, Records

WATERMARK, NEXT, SETTLED, IS_NEW, IS_AWAITED = 0, 1, 3, 5, 6
"""The numbers of a partition: the watermark, -1 before there is one, and by topic the next offsets, of all records
and of what belongs to no model, which are ahead while records come again.

The last two are of the record at hand if it is a batch: whether it is new to the partition, and whether its model
awaits it, -1 as long as no row has told. All rows are taken as the first is, which moves the offsets that they share:
by these the others would seem to have come before.
"""

BEGUN = np.dtype([("join", "i8"), ("next", "i8", 2), ("watermark", "i8")], align=True)
"""A model that has changed first since it was saved, and the place in both topics before the record that changed it."""


@kernel
def admit(position: Integers, joins: Records, rows: Records, begun: Records) -> tuple[int, int]:
    """Take records in order; mark as skipped what its model has taken before. What is OTHER has been judged already.

    Return how many of them belong to no model's past, and how many models are in `begun`.
    """
    counted = changed = 0
    for place in range(len(rows)):
        row = rows[place]
        topic = row.topic
        before = position[WATERMARK]
        model = joins[row.join]
        is_awaited = 1
        if row.what != join.OTHER:
            position[WATERMARK] = max(before, row.at)
            row.watermark = position[WATERMARK]
            position[NEXT + topic] = max(position[NEXT + topic], row.offset + 1)
            is_new, is_awaited = judge(
                position, row.row, row.offset >= position[SETTLED + topic], row.offset >= model.next[topic]
            )
            if is_new:
                position[SETTLED + topic] = row.offset + 1
                counted += row.watermark > 0  # no alert can be dated before the first event of a file
        if not is_awaited:
            row.what = join.SKIPPED
            continue
        model.next[topic] = row.offset + 1
        if not model.is_unsaved:
            model.is_unsaved = 1
            begun[changed].join = row.join
            begun[changed].next[0] = position[NEXT]
            begun[changed].next[1] = position[NEXT + 1]
            begun[changed].next[topic] = row.offset
            begun[changed].watermark = before
            changed += 1
    return counted, changed


@kernel
def judge(position: Integers, row: int, is_new: int, is_awaited: int) -> tuple[int, int]:
    """Return whether a record is new to the partition and awaited by its model, by what their offsets say of it.

    `is_awaited` is -1 of one whose model is not known.
    """
    if row == NONE:
        return is_new, is_awaited
    if row == 0:
        position[IS_NEW], position[IS_AWAITED] = is_new, NONE
    if position[IS_AWAITED] == NONE:
        position[IS_AWAITED] = is_awaited
    return position[IS_NEW], position[IS_AWAITED]
