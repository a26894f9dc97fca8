"""The rules of the join: what a prediction, a label and time do to what is known of an id.

`driftline.models.join` says what they are for. The entries of all models of a partition stand in one table, and a
batch of records passes through it in one call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.models.kernels import expiry, ids
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.ids import NONE
from driftline.models.kernels.join_table import (
    EARLY,
    EXPIRED,
    HELD,
    JOINED,
    LABEL,
    LATE,
    LOST,
    MET,
    NOTHING,
    OF_LABEL,
    OF_PREDICTION,
    PAIRED,
    PENDING,
    PREDICTION,
    SEED,
    SKIPPED,
    TOMBSTONES,
    UNMET,
    WAITING,
    Table,
    borrow,
    change,
    dequeue,
    enqueue,
    give_up,
    has_room,
    id_of,
    kind_of,
    leave_store,
    new_entry,
    new_payload,
    offset_of,
    release,
    remove,
)

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record, Records


@kernel
def take(table: Table, rows: Records, start: int) -> tuple[int, bool]:
    """Take records in order, from `start` on; return which is the next, and whether all has been done.

    If not, `notes` or `changes` are full. There must be a free entry and a free payload for each record.
    """
    table = borrow(table)
    if start > 0 and rows[start - 1].what != SKIPPED and not _keep_bound(table, rows[start - 1].join):
        return start, False
    for place in range(start, len(rows)):
        row = rows[place]
        row.result = NOTHING
        if row.what == SKIPPED:
            continue
        if not _expire(table, row.join, row.watermark) or not has_room(table):
            return place, False
        if row.what == PREDICTION:
            _take_prediction(table, row)
        elif row.what == LABEL:
            _take_label(table, row)
        if not _keep_bound(table, row.join):
            return place + 1, False
    return len(rows), True


@kernel
def expire(table: Table, model: int, watermark: int) -> bool:
    """Give up what was due before the watermark; return whether all has been done, as `take` does."""
    return _expire(borrow(table), model, watermark)


# -- records ----------------------------------------------------------------------------------------------------------


@kernel
def _take_prediction(table: Table, row: Record) -> None:
    entries, join = table.entries, table.joins[row.join]
    low, high = id_of(row.id, row.join)
    index = ids.find(entries, table.places, table.numbers[SEED], low, high)
    if index == NONE:
        join.predictions += 1
        index = new_entry(table, low, high, PENDING, row.at + join.timeout)
        entry = entries[index]
        entry.prediction_offset = row.offset
        entry.payload = new_payload(table, index, row.at)
        row.result, row.payload = HELD, entry.payload
        enqueue(table, join, WAITING, index)
        return
    entry = entries[index]
    if entry.state != EARLY:
        join.duplicate_predictions += 1
        return
    join.predictions += 1
    join.early_labels += 1
    join.joined += 1
    leave_store(table, entry)
    dequeue(table, join, UNMET, index)
    row.result, row.payload = PAIRED, entry.payload
    release(table, entry)
    entry.state = MET
    entry.expires = row.at + join.timeout
    entry.prediction_offset = row.offset
    enqueue(table, join, TOMBSTONES, index)


@kernel
def _take_label(table: Table, row: Record) -> None:
    entries, join = table.entries, table.joins[row.join]
    low, high = id_of(row.id, row.join)
    index = ids.find(entries, table.places, table.numbers[SEED], low, high)
    if index == NONE:
        join.labels += 1
        index = new_entry(table, low, high, EARLY, row.at + join.timeout)
        entry = entries[index]
        entry.token, entry.label_offset = row.token, row.offset
        entry.payload = new_payload(table, index, row.at)
        row.result, row.payload = HELD, entry.payload
        enqueue(table, join, UNMET, index)
        return
    entry = entries[index]
    if entry.state != PENDING:
        _repeated(table, join, index, row)
        return
    join.labels += 1
    if entry.payload == NONE:
        row.result = LOST
        return
    join.joined += 1
    leave_store(table, entry)
    dequeue(table, join, WAITING, index)
    row.result, row.payload = PAIRED, entry.payload
    entry.state = JOINED
    entry.expires = table.payloads[entry.payload].at + join.timeout
    entry.token, entry.label_offset = row.token, row.offset
    release(table, entry)
    enqueue(table, join, TOMBSTONES, index)


@kernel
def _repeated(table: Table, join: Record, index: int, row: Record) -> None:
    """Count the label of a prediction that has one, or has expired."""
    entry = table.entries[index]
    if entry.state == EXPIRED:
        join.labels += 1
        join.late_labels += 1
        entry.state, entry.token, entry.label_offset = LATE, row.token, row.offset
        change(table, join, index)  # in the same field, so that it stays stored
        join.exceeded = 1 + TOMBSTONES  # perhaps, since before a restart
    elif entry.token == row.token:
        join.duplicate_labels += 1
    else:
        join.contradicting_labels += 1


# -- time and bounds --------------------------------------------------------------------------------------------------


@kernel
def _expire(table: Table, model: int, watermark: int) -> bool:
    entries, join = table.entries, table.joins[model]
    join.watermark = max(join.watermark, watermark)
    if watermark <= join.earliest:
        return True
    now = watermark - 1
    while True:
        if not _keep_bound(table, model) or not has_room(table):
            return False
        waiting, unmet = expiry.moment(entries, join, WAITING), expiry.moment(entries, join, UNMET)
        until = min(now, waiting, unmet)
        over = expiry.earliest(entries, join, TOMBSTONES)
        if over != NONE and entries[over].expires <= until:
            _expire_tombstone(table, join, over)
        elif waiting == until:
            _expire_prediction(table, join, expiry.earliest(entries, join, WAITING))
        elif unmet == until:
            remove(table, join, UNMET, expiry.earliest(entries, join, UNMET))
        else:
            break
    join.earliest = min(waiting, unmet, expiry.moment(entries, join, TOMBSTONES))
    return True


@kernel
def _expire_prediction(table: Table, join: Record, index: int) -> None:
    entry = table.entries[index]
    join.expired += 1
    join.elsewhere -= entry.payload == NONE
    leave_store(table, entry)
    dequeue(table, join, WAITING, index)
    release(table, entry)
    entry.state = EXPIRED
    entry.expires += join.timeout
    enqueue(table, join, TOMBSTONES, index)


@kernel
def _expire_tombstone(table: Table, join: Record, index: int) -> None:
    """Forget what came to its time.

    An early label has more time than its tombstone, whose time is the prediction's: it may still be stored, and look
    alive.
    """
    entry = table.entries[index]
    if entry.state == MET:
        give_up(table, join, entry, OF_LABEL, entry.label_offset)
    remove(table, join, TOMBSTONES, index)


@kernel
def _keep_bound(table: Table, model: int) -> bool:
    """Give up what is too much of the group that may be; return whether all has been done."""
    join = table.joins[model]
    while join.exceeded:
        group = join.exceeded - 1
        if join.size[group] <= join.most:
            join.exceeded = 0
            break
        if not has_room(table):
            return False
        index = expiry.earliest(table.entries, join, group)
        entry = table.entries[index]
        if group == WAITING:
            join.evicted += 1
            join.elsewhere -= entry.payload == NONE
        else:
            join.forgotten += 1
        # What did not come to its time: nothing but this will say so.
        give_up(table, join, entry, kind_of(entry), offset_of(entry))
        if group == TOMBSTONES:
            give_up(table, join, entry, OF_PREDICTION, entry.prediction_offset)
            if entry.state == MET:
                give_up(table, join, entry, OF_LABEL, entry.label_offset)
        remove(table, join, group, index)
    return True
