"""What of a batch is new: the watermark and the offsets of a partition and of its models, record by record.

`driftline.models.pipeline` says what for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels import feeds
from driftline.models.kernels import join_table as join
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.ids import NONE

if TYPE_CHECKING:
    from driftline.models.kernels.types import Integers, Records

WATERMARK, NEXT, SETTLED, IS_NEW, IS_AWAITED, DUE, END = 0, 1, 3, 5, 6, 7, 8
NUMBERS = 10
"""The numbers of a partition: the watermark, -1 before there is one, and by topic the next offsets, of all records
and of what belongs to no model, which are ahead while records come again; when the next feed may be silent; and by
topic from which offset on there are no records, after which none is missing.

`IS_NEW` and `IS_AWAITED` are of the record at hand if it is a batch: whether it is new to the partition, and whether
its model awaits it, -1 as long as no row has told. All rows are taken as the first is, which moves the offsets that
they share: by these the others would seem to have come before.
"""

BEGUN = np.dtype([("join", "i8"), ("next", "i8", 2), ("watermark", "i8")], align=True)
"""A model that has changed first since it was saved, and the place in both topics before the record that changed it."""

ALL, SILENT, BACK = range(3)
"""Why no more records were admitted: there are no more; before the next one a feed is silent; with the last one a feed
has come again that was."""


@kernel
def admit(position: Integers, joins: Records, rows: Records, begun: Records) -> tuple[int, int, int, int]:
    """Take records in order; mark as skipped what its model has taken before. What is OTHER has been judged already.

    Return how many were taken, and why no more, how many of them belong to no model's past, and how many models are in
    `begun`.
    """
    counted = changed = 0
    for place in range(len(rows)):
        row = rows[place]
        topic = row.topic
        before = position[WATERMARK]
        now = max(before, row.at) if row.what != join.OTHER else before
        if now >= position[DUE]:
            position[DUE] = feeds.next_due(joins, row.join, topic, over(position))
            if now >= position[DUE]:
                return place, SILENT, counted, changed
        model = joins[row.join]
        is_awaited = 1
        if row.what != join.OTHER:
            position[WATERMARK] = row.watermark = now
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
        if now < 0:
            continue
        is_back = feeds.hear(model.feeds, topic, now)
        for each in range(2):
            if position[NEXT + each] < position[END + each]:
                position[DUE] = min(position[DUE], feeds.deadline(model.feeds, each))
        if is_back:
            return place + 1, BACK, counted, changed
    return len(rows), ALL, counted, changed


@kernel
def over(position: Integers) -> Integers:
    """Return of each topic whether it has come to an end."""
    are_over = np.zeros(2, np.int64)
    for topic in range(2):
        are_over[topic] = position[NEXT + topic] >= position[END + topic]
    return are_over


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
