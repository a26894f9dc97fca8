"""What the join knows of ids: a table of entries, payloads and queues, and what is to be told of it.

`driftline.models.kernels.join` has the rules, `join_store` what checkpoints ask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from driftline.models.kernels import expiry, ids
from driftline.models.kernels.borrowed import borrowed
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.feeds import FEED
from driftline.models.kernels.ids import NONE

if TYPE_CHECKING:
    from driftline.models.kernels.types import Bytes, Doubles, Indices, Integers, Record, Records, Word

PENDING, EARLY, JOINED, EXPIRED, LATE, MET = range(1, 7)
"""The states of an entry; `driftline.models.join.entry.EntryState` has them with their meaning."""

TOMBSTONES, WAITING, UNMET = range(3)
"""What is bounded and expires apart; of those due at one moment the first goes first.

Early labels have a bound of their own: the labels of predictions that were never logged, or were given up, must not
push out predictions that wait.
"""

ENTRY = np.dtype(
    [
        ("low", "u8"),
        ("high", "u8"),
        ("expires", "i8"),
        ("prediction_offset", "i8"),
        ("label_offset", "i8"),
        ("token", "u8"),
        ("payload", "i4"),
        ("child", "i4"),
        ("next", "i4"),
        ("previous", "i4"),
        ("state", "u1"),
        ("stored", "u1"),
        ("changed", "u1"),
        ("in_row", "u1"),
    ],
    align=True,
)
"""What is known of an id: its first 8 bytes, its last 4 before the number of its model, and what came of it.

`token` is a hash of its label, 0 if none has come; `payload` is where the prediction or the label that waits is, and
`NONE` if only the store has it; the links are those of its queue, or of the entries that are free.
"""

COUNTS = (
    "predictions",
    "duplicate_predictions",
    "labels",
    "joined",
    "duplicate_labels",
    "contradicting_labels",
    "early_labels",
    "late_labels",
    "expired",
    "evicted",
    "forgotten",
)

JOIN = np.dtype(
    [
        *((name, "i8") for name in COUNTS),
        ("timeout", "i8"),
        ("most", "i8"),
        ("watermark", "i8"),
        ("earliest", "i8"),
        ("elsewhere", "i8"),
        ("exceeded", "i8"),
        ("wary", "i8"),
        ("size", "i8", 3),
        ("first", "i4", 3),
        ("last", "i4", 3),
        ("root", "i4", 3),
        ("seen", "i8", 2),
        ("next", "i8", 2),
        ("last_label", "i8"),
        ("is_unsaved", "i8"),
        ("feeds", FEED, 2),
    ],
    align=True,
)
"""The join of one model: counts, settings, and its queues; the next offsets of what it was restored from, and of
what has been taken by now; where the newest label stood; whether it has changed since it was saved last; and when
predictions and labels came.

Nothing is due before `earliest`; `elsewhere` predictions wait whose payload only the store has; `exceeded` is 1 + the
group that may be over its bound; `wary` says that an id that changes may be one that was given up.
"""

PAYLOAD = np.dtype(
    [
        ("at", "i8"),
        ("serial", "i8"),
        ("entry", "i4"),
        ("next", "i4"),
        ("offset", "i8"),
        ("owner", "i8"),
        ("number", "i8"),
        ("score", "f8"),
        ("challenger", "f8"),
        ("predicted", "f8"),
        ("version", "i4"),
        ("value", "i4"),
        ("segments", "i4"),
        ("inputs", "i4"),
        ("probabilities", "i4"),
        ("classes", "i4"),
        ("told", "i4"),
        ("row", "i4"),
        ("row_inputs", "i4"),
        ("in_columns", "i4"),
    ],
    align=True,
)
"""A prediction or a label that waits. `serial` is set once it is stored too.

All after `next` is of a prediction whose row `driftline.models.kernels.fast` has made, which is `in_columns`: numbers
of names and whose they are, what was `predicted` if that is a number and no name, how many inputs the challenger has,
`NONE` if it was shown nothing, how many probabilities there are behind these, where they are by class, and the number
of their names; and as long as its row waits, which that is and where its inputs are.
"""

LEFT, GIVEN_UP, CHANGED = range(3)

NOTE = np.dtype(
    [
        ("what", "i8"),
        ("model", "i8"),
        ("low", "u8"),
        ("high", "u8"),
        ("kind", "i8"),
        ("offset", "i8"),
    ],
    align=True,
)
"""What `driftline.models.join.stored` must know: that a field was left, or given up, or is that of an id that changed.

`kind` is the letter of the field, and `offset` that of the record it is of.
"""

TAKEN = np.dtype(
    [
        ("join", "i8"),
        ("what", "i8"),
        ("topic", "i8"),
        ("row", "i8"),
        ("watermark", "i8"),
        ("offset", "i8"),
        ("at", "i8"),
        ("token", "u8"),
        ("id", "u1", 12),
        ("result", "i4"),
        ("payload", "i8"),
    ],
    align=True,
)
"""A record that comes to the join, and after `take` what came of it.

`topic` is the one that it stands in, `row` which row of a batch it is, `NONE` if it is a record of its own.
"""

PREDICTION, LABEL, OTHER, SKIPPED = range(4)
"""What a record is. With another one only time passes, and one that was skipped is not there."""

NOTHING, HELD, PAIRED, LOST = range(4)
"""What comes of a record: nothing more; it waits, and its payload is to be put where `payload` says; it makes a pair
with what is there; and it would, but the payload is only in the store."""

SEED, FREE, USED, FREE_PAYLOAD, USED_PAYLOADS, RELEASED, NOTES, CHANGES, SERIAL = range(9)
"""The numbers of a table: how ids are scattered, what is free and in use, and how much of `notes` and `changes` is."""

_MOST_NOTES = 8
"""More than any one step makes."""

OF_PREDICTION, OF_LABEL, OF_BOTH = (ord(letter) for letter in "pet")
"""The letters of fields: of a prediction or a label that waits, and of a tombstone."""


class Table(NamedTuple):
    """The entries of all models of a partition, and what is to be told of them."""

    entries: Records
    places: Indices
    joins: Records
    payloads: Records
    numbers: Integers
    notes: Records
    changes: Indices
    inputs: Doubles


@kernel
def borrow(table: Table) -> Table:
    """Return the table with borrowed arrays."""
    return Table(
        borrowed(table.entries),
        borrowed(table.places),
        borrowed(table.joins),
        borrowed(table.payloads),
        borrowed(table.numbers),
        borrowed(table.notes),
        borrowed(table.changes),
        borrowed(table.inputs),
    )


@kernel
def id_of(name: Bytes, model: int) -> tuple[Word, Word]:
    """Return the words of an id: 12 bytes, and the number of its model."""
    low: Word = np.uint64(0)
    high: Word = np.uint64(0)
    for place in range(8):
        low = low << np.uint64(8) | np.uint64(name[place])
    for place in range(8, 12):
        high = high << np.uint64(8) | np.uint64(name[place])
    return low, high << np.uint64(32) | np.uint64(model)


@kernel
def model_of(entry: Record) -> int:
    """Return the number of the model that an entry is of."""
    model: Word = np.int64(entry.high & np.uint64(0xFFFFFFFF))
    return model


@kernel
def has_room(table: Table) -> bool:
    """Return whether a step more may be done: it makes notes of one id, and changes one entry."""
    numbers = table.numbers
    return numbers[NOTES] + _MOST_NOTES <= len(table.notes) and numbers[CHANGES] < len(table.changes)


# -- entries ----------------------------------------------------------------------------------------------------------


@kernel
def new_entry(table: Table, low: Word, high: Word, state: int, expires: int) -> int:
    """Take a free entry for an id that has none."""
    numbers = table.numbers
    index = numbers[FREE]
    entry = table.entries[index]
    numbers[FREE] = entry.next
    numbers[USED] += 1
    entry.low, entry.high, entry.state, entry.expires = low, high, state, expires
    entry.prediction_offset = entry.label_offset = entry.payload = NONE
    entry.token = entry.stored = entry.changed = 0
    ids.put(table.entries, table.places, numbers[SEED], index)
    return index


@kernel
def new_payload(table: Table, index: int, at: int) -> int:
    """Take a free payload."""
    numbers = table.numbers
    place = numbers[FREE_PAYLOAD]
    payload = table.payloads[place]
    numbers[FREE_PAYLOAD] = payload.next
    numbers[USED_PAYLOADS] += 1
    payload.at, payload.serial, payload.entry = at, 0, index
    payload.in_columns, payload.row = 0, NONE
    return place


@kernel
def release(table: Table, entry: Record) -> None:
    """Let go of a payload: it stays where it is until `recycle`, for whoever has just been told of it."""
    if entry.payload != NONE:
        payload = table.payloads[entry.payload]
        payload.serial = 0
        payload.next = table.numbers[RELEASED]
        table.numbers[RELEASED] = entry.payload
        entry.payload = NONE


@kernel
def enqueue(table: Table, join: Record, group: int, index: int) -> None:
    """Take an entry up in a queue of its model."""
    expiry.push(table.entries, join, group, index)
    join.size[group] += 1
    if join.size[group] > join.most:
        join.exceeded = 1 + group
    join.earliest = min(join.earliest, table.entries[index].expires)
    change(table, join, index)


@kernel
def dequeue(table: Table, join: Record, group: int, index: int) -> None:
    """Take an entry out of its queue."""
    expiry.remove(table.entries, join, group, index)
    join.size[group] -= 1


@kernel
def remove(table: Table, join: Record, group: int, index: int) -> None:
    """Forget an entry that is in a queue."""
    entry, numbers = table.entries[index], table.numbers
    dequeue(table, join, group, index)
    leave_store(table, entry)
    release(table, entry)
    ids.take_out(table.entries, table.places, numbers[SEED], index)
    entry.state = entry.changed = 0
    entry.next = numbers[FREE]
    numbers[FREE] = index
    numbers[USED] -= 1


@kernel
def waits(state: int) -> bool:
    """Return whether an entry in this state waits, and is no tombstone."""
    return state == PENDING or state == EARLY


@kernel
def group_of(state: int) -> int:
    """Return the queue of entries in this state."""
    return WAITING if state == PENDING else UNMET if state == EARLY else TOMBSTONES


# -- what the store has -----------------------------------------------------------------------------------------------


@kernel
def kind_of(entry: Record) -> int:
    """Return the letter of the field that an entry stands in."""
    return OF_PREDICTION if entry.state == PENDING else OF_LABEL if entry.state == EARLY else OF_BOTH


@kernel
def offset_of(entry: Record) -> int:
    """Return the offset in the field that an entry stands in."""
    return entry.label_offset if entry.state == EARLY else entry.prediction_offset


@kernel
def change(table: Table, join: Record, index: int) -> None:
    """Note that an entry is new or has changed."""
    entry, numbers = table.entries[index], table.numbers
    if not entry.changed:
        entry.changed = 1
        table.changes[numbers[CHANGES]] = index
        numbers[CHANGES] += 1
    if join.wary:
        add_note(table, CHANGED, entry, kind_of(entry), offset_of(entry))


@kernel
def leave_store(table: Table, entry: Record) -> None:
    """Note that what is stored of an entry is of no use any more: it is about to be something else, or nothing."""
    if entry.stored:
        entry.stored = 0
        add_note(table, LEFT, entry, kind_of(entry), offset_of(entry))


@kernel
def give_up(table: Table, join: Record, entry: Record, kind: int, offset: int) -> None:
    """Note that a field is given up."""
    join.wary = 1
    add_note(table, GIVEN_UP, entry, kind, offset)


@kernel
def add_note(table: Table, what: int, entry: Record, kind: int, offset: int) -> None:
    """Note something of a field."""
    note = table.notes[table.numbers[NOTES]]
    table.numbers[NOTES] += 1
    note.what, note.model, note.low, note.high = what, model_of(entry), entry.low, entry.high
    note.kind, note.offset = kind, offset
