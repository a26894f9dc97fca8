"""What checkpoints ask of the join, and what they give back to it: `driftline.models.join.stored` says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.models.kernels import expiry, ids
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.ids import NONE
from driftline.models.kernels.join_table import (
    CHANGES,
    EXPIRED,
    FREE,
    FREE_PAYLOAD,
    LABEL,
    LATE,
    PENDING,
    RELEASED,
    SEED,
    SERIAL,
    UNMET,
    USED_PAYLOADS,
    WAITING,
    Table,
    dequeue,
    group_of,
    id_of,
    kind_of,
    leave_store,
    model_of,
    new_entry,
    new_payload,
    offset_of,
    release,
    waits,
)

if TYPE_CHECKING:
    from driftline.models.kernels.types import Bytes, Indices, Integers, Record, Records


@kernel
def find(table: Table, rows: Records, found: Indices) -> None:
    """Find the entries of records: those of predictions that wait and whose payload only the store has, else `NONE`."""
    for place in range(len(rows)):
        row = rows[place]
        found[place] = NONE
        if row.what != LABEL or row.join == NONE:
            continue
        low, high = id_of(row.id, row.join)
        index = ids.find(table.entries, table.places, table.numbers[SEED], low, high)
        is_elsewhere = index != NONE and table.entries[index].state == PENDING and table.entries[index].payload == NONE
        found[place] = index if is_elsewhere else NONE


@kernel
def load(table: Table, indices: Indices, times: Integers, places: Indices) -> None:
    """Write where payloads of predictions of these times are to be put that the store had; there must be free ones."""
    for nth in range(len(indices)):
        index = indices[nth]
        entry = table.entries[index]
        table.joins[model_of(entry)].elsewhere -= 1
        places[nth] = entry.payload = new_payload(table, index, times[nth])


@kernel
def recycle(table: Table, ended: Indices) -> int:
    """Make released payloads free; write which they were, and return how many."""
    count, place = 0, table.numbers[RELEASED]
    while place != NONE:
        payload = table.payloads[place]
        ended[count] = place
        count += 1
        after = payload.next
        payload.next = table.numbers[FREE_PAYLOAD]
        table.numbers[FREE_PAYLOAD] = place
        place = after
    table.numbers[RELEASED] = NONE
    table.numbers[USED_PAYLOADS] -= count
    return count


@kernel
def let_go(table: Table, places: Indices, serials: Integers) -> None:
    """Release payloads that are stored, unless they have been already."""
    for n in range(len(places)):
        payload = table.payloads[places[n]]
        if payload.serial == serials[n]:
            entry = table.entries[payload.entry]
            table.joins[model_of(entry)].elsewhere += 1
            release(table, entry)


@kernel
def written(table: Table, wanted: Indices) -> int:
    """Return how many entries have changed; `wanted` gets them. From here on they count as stored and unchanged."""
    for place in range(table.numbers[CHANGES] - 1, -1, -1):
        entry = table.entries[table.changes[place]]
        if not entry.changed:  # it is over, or has come to be another's since, and is here twice
            table.changes[place] = NONE
        entry.changed = 0
    count = 0
    for place in range(table.numbers[CHANGES]):
        index = table.changes[place]
        if index == NONE:
            continue
        entry = table.entries[index]
        entry.stored = 1
        wanted[count] = index
        count += 1
        if entry.state == PENDING:
            table.numbers[SERIAL] += 1
            table.payloads[entry.payload].serial = table.numbers[SERIAL]
    table.numbers[CHANGES] = 0
    return count


@kernel
def are_stored(table: Table, fields: Records, stored: Bytes) -> None:
    """Tell for each of some fields, in the shape of notes, whether the store is to have it."""
    for place in range(len(fields)):
        field = fields[place]
        index = ids.find(table.entries, table.places, table.numbers[SEED], field.low, field.high)
        entry = table.entries[index if index != NONE else 0]
        stored[place] = (
            index != NONE and entry.stored and kind_of(entry) == field.kind and offset_of(entry) == field.offset
        )


@kernel
def restore(table: Table, restored: Records, is_given_up: Bytes, left_out: Bytes) -> None:
    """Take over stored entries; `left_out` gets which of them the snapshot cannot have known.

    `payload` gets where that of an early label is to be put. There must be a free entry, a free payload, and room for a
    note for each.
    """
    entries = table.entries
    for n in range(len(restored)):
        stored = restored[n]
        join = table.joins[model_of(stored)]
        index = ids.find(entries, table.places, table.numbers[SEED], stored.low, stored.high)
        superseded = index != NONE and waits(stored.state) and not waits(entries[index].state)
        left_out[n] = superseded or is_given_up[n] or not _was_known(join, stored)
        if left_out[n]:
            continue
        group = group_of(stored.state)
        if index == NONE:
            index = new_entry(table, stored.low, stored.high, stored.state, stored.expires)
        else:
            there = entries[index]
            dequeue(table, join, group_of(there.state), index)
            join.elsewhere -= there.state == PENDING and there.payload == NONE
            if kind_of(there) != kind_of(stored) or offset_of(there) != offset_of(stored):
                leave_store(table, there)
            release(table, there)
        entry = entries[index]
        entry.state, entry.expires, entry.token, entry.stored = stored.state, stored.expires, stored.token, 1
        entry.prediction_offset, entry.label_offset = stored.prediction_offset, stored.label_offset
        if group == UNMET:
            entry.payload = stored.payload = new_payload(table, index, 0)
        join.elsewhere += group == WAITING
        # A bound that it may be over holds from the next record on, when all are back.
        expiry.push(entries, join, group, index)
        join.size[group] += 1
        join.earliest = min(join.earliest, entry.expires)


@kernel
def _was_known(join: Record, stored: Record) -> bool:
    """Return whether a snapshot can have known a stored entry as alive; a late label since then is taken back."""
    if stored.prediction_offset >= join.seen[0]:
        return False
    if stored.state == LATE and stored.label_offset >= join.seen[1]:
        stored.state, stored.token, stored.label_offset = EXPIRED, 0, NONE
    # What had not come to pass, or was over, when the watermark stood here.
    has_expired = stored.state == EXPIRED or stored.state == LATE
    is_over = stored.expires < join.watermark or (has_expired and stored.expires - join.timeout >= join.watermark)
    return stored.label_offset < join.seen[1] and not is_over


@kernel
def free_entries(table: Table, start: int) -> None:
    """Make entries from `start` to the last free, in order."""
    for index in range(len(table.entries) - 1, start - 1, -1):
        table.entries[index].next = table.numbers[FREE]
        table.numbers[FREE] = index


@kernel
def free_payloads(table: Table, start: int) -> None:
    """Make payloads from `start` to the last free, in order."""
    for place in range(len(table.payloads) - 1, start - 1, -1):
        table.payloads[place].next = table.numbers[FREE_PAYLOAD]
        table.numbers[FREE_PAYLOAD] = place


@kernel
def scatter(table: Table) -> None:
    """Find places for all entries in use, when there are more of those than there were; all are free."""
    for index in range(len(table.entries)):
        if table.entries[index].state:
            ids.put(table.entries, table.places, table.numbers[SEED], index)
