"""The join as it was written first: one entry replaces another, every queue is a heap, and nothing is remembered twice.

Slower than `driftline.models.join`, which must do the same by shorter ways.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections import deque
from dataclasses import asdict, dataclass
from enum import IntEnum
from functools import partial
from heapq import heapify, heappop, heappush
from struct import Struct
from typing import TYPE_CHECKING, Any, Final
from zlib import crc32

from msgspec import structs

from driftline.models.join.entry import (
    FIELD_BYTES,
    KEY_BYTES,
    NONE,
    EntryState,
    Pending,
    Truth,
    id_hash,
    model_prefix,
    pending_fields,
    token_of,
    truth_fields,
)
from driftline.models.join.entry import Entry as Stored
from driftline.models.join.entry import unpack_entry as unpack_stored
from driftline.models.join.entry import unpack_mark as unpack_stored_mark
from driftline.models.join.label_join import Joined
from driftline.models.join.stored import Seen
from driftline.schemas.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.schemas.events import Label, Prediction

_SLACK: Final = 1024
_WAITING_HEADER: Final = Struct(">BqqI")
_TOMBSTONE_HEADER: Final = Struct(">BqqqQ")
_CHECKSUM: Final = Struct(">I")
_TAIL: Final = Struct(">sq")


@dataclass
class Entry:
    """One prediction_id, and whether that is stored. `payload` is None where only the store holds it."""

    state: EntryState
    expires: int
    payload: Pending | Truth | None = None
    token: int = 0
    prediction_offset: int = NONE
    label_offset: int = NONE
    stored: bool = False

    @property
    def waits(self) -> bool:
        """Whether it is what waits, and no tombstone."""
        return self.state in {EntryState.PENDING, EntryState.EARLY}


def unpack_entry(packed: bytes) -> Entry:
    """Read what `pack_entry` wrote."""
    return Entry(**structs.asdict(unpack_stored(packed)))


def unpack_mark(packed: bytes) -> Entry:
    """Read what `pack_entry` wrote, but for the payload of one that waits."""
    return Entry(**structs.asdict(unpack_stored_mark(packed)))


def entry_field(key: bytes, entry: Entry) -> bytes:
    """Return the field of an entry in the store."""
    if entry.state is EntryState.EARLY:
        return early_field(key, entry)
    return key + _TAIL.pack(b"p" if entry.state is EntryState.PENDING else b"t", entry.prediction_offset)


def early_field(key: bytes, entry: Entry) -> bytes:
    """Return the field of the label that waited for the prediction of an entry."""
    return key + _TAIL.pack(b"e", entry.label_offset)


def fields_of(key: bytes, entry: Entry) -> list[bytes]:
    """Return the field of an entry, and those of what it was made of."""
    fields = [entry_field(key, entry)]
    if not entry.waits:
        fields.append(key + b"p" + entry.prediction_offset.to_bytes(8, "big", signed=True))
    if entry.state is EntryState.MET:
        fields.append(early_field(key, entry))
    return fields


@dataclass
class JoinCounts:
    """What became of the records of a model."""

    predictions: int = 0
    duplicate_predictions: int = 0
    labels: int = 0
    joined: int = 0
    duplicate_labels: int = 0
    contradicting_labels: int = 0
    early_labels: int = 0
    late_labels: int = 0
    expired: int = 0
    evicted: int = 0
    forgotten: int = 0


class Elsewhere:
    """How many predictions of a model wait with a payload that only the store has."""

    def __init__(self) -> None:
        self.count = 0


class PayloadCache:
    """Takes the payload from the entries that have had it for longest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._cached: deque[tuple[Entry, Elsewhere]] = deque()

    def add(self, entry: Entry, _size: int, elsewhere: Elsewhere) -> None:
        """Keep the payload of an entry that is about to be stored."""
        self._cached.append((entry, elsewhere))

    def trim(self) -> None:
        """Let the oldest go that are too many; all of them must be stored by now."""
        while len(self._cached) > self._most:
            entry, elsewhere = self._cached.popleft()
            if entry.payload is not None:
                entry.payload = None
                elsewhere.count += 1


def pack_entry(entry: Entry | Stored) -> bytes:
    """Write an entry; the payload of one that waits must be present."""
    packed = _pack(entry)
    return packed + _CHECKSUM.pack(crc32(packed))


def _pack(entry: Entry | Stored) -> bytes:
    match entry.payload:
        case Pending() as p:
            body, inputs, offset = pending_fields(p), p.inputs, entry.prediction_offset
        case Truth() as t:
            body, inputs, offset = truth_fields(t), None, entry.label_offset
        case None:
            offsets = entry.prediction_offset, entry.label_offset
            return _TOMBSTONE_HEADER.pack(entry.state, entry.expires, *offsets, entry.token)
    text = json.dumps([inputs is not None, *body], ensure_ascii=False, separators=(",", ":")).encode()
    header = _WAITING_HEADER.pack(entry.state, entry.expires, offset, len(text))
    return header + text + (inputs or b"")


class ExpiryQueue:
    """A heap of (moment, key) that forgets keys which are no longer live.

    Parameters
    ----------
    is_live
        Whether a key still expires at that moment; keys are never removed from the middle, they cease to be live.

    """

    __slots__ = ("_heap", "_is_live")

    def __init__(self, is_live: Callable[[bytes, int], bool]) -> None:
        self._heap: list[tuple[int, bytes]] = []
        self._is_live = is_live

    def __len__(self) -> int:
        """Return how many entries are held, live or not; after a push at most twice the live ones and 1,025."""
        return len(self._heap)

    def push(self, key: bytes, moment: int, *, live: int) -> None:
        """Add a key; `live` is how many live keys there are, by which memory is bounded."""
        if len(self._heap) > 2 * live + _SLACK:
            self._heap = [entry for entry in self._heap if self._is_live(entry[1], entry[0])]
            heapify(self._heap)
        heappush(self._heap, (moment, key))

    def due(self, now: int) -> int | None:
        """Return the moment of the live key that expires first, if that is `now` or earlier."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            moment, key = heap[0]
            if self._is_live(key, moment):
                return moment
            heappop(heap)
        return None

    def first(self) -> bytes:
        """Remove and return the live key that expires first.

        Raises
        ------
        IndexError
            If no key is live.

        """
        while True:
            moment, key = heappop(self._heap)
            if self._is_live(key, moment):
                return key


class StoredEntries:
    """Keeps account of the entries of one model.

    Parameters
    ----------
    entries
        The join's own, by key: looked at, never changed but for `stored` and `payload` of an entry.
    payloads, elsewhere
        Which stored predictions memory holds too, and how many of this model's only the store has.

    """

    def __init__(self, entries: Mapping[bytes, Entry], payloads: PayloadCache, elsewhere: Elsewhere) -> None:
        self._entries = entries
        self._payloads = payloads
        self._elsewhere = elsewhere
        self._seen = Seen(0, 0)  # of what is restored
        self._changed: dict[bytes, None] = {}
        self._given_up: dict[bytes, None] = {}  # fields, since the last checkpoint, and not because of their time
        self._given_up_before: dict[bytes, None] = {}  # in the checkpoint before: they may not have been deleted
        self._leaving: dict[bytes, None] = {}  # fields that are of no use any more, since the last checkpoint
        self._left: dict[bytes, None] = {}  # and those before: no snapshot needs them

    def change(self, key: bytes, entry: Entry) -> None:
        """Note that an entry is new or has changed."""
        self._changed[key] = None
        if self._given_up or self._given_up_before:  # the same record comes again after a restart
            self._given_up.pop(entry_field(key, entry), None)
            self._given_up_before.pop(entry_field(key, entry), None)

    def replace(self, key: bytes, before: Entry, entry: Entry) -> None:
        """Note that an entry takes the place of another."""
        field = entry_field(key, before)
        if field == entry_field(key, entry):  # a late label changes its tombstone in place
            entry.stored = before.stored
        elif before.stored:
            self._leaving[field] = None
        before.payload = None

    def drop(self, key: bytes, entry: Entry) -> None:
        """Note that an entry is over."""
        self._changed.pop(key, None)
        if entry.stored:
            self._leaving[entry_field(key, entry)] = None
        entry.payload = None

    def give_up(self, key: bytes, entry: Entry) -> None:
        """Note that an entry which is over did not come to its time: nothing but this list will say so."""
        self._given_up |= dict.fromkeys(fields_of(key, entry))

    def expire(self, key: bytes, entry: Entry) -> None:
        """Note that an entry which is over came to its time.

        An early label has more time than its tombstone, whose time is the prediction's: it may still be stored, and
        look alive.
        """
        if entry.state is EntryState.MET:
            self._given_up[early_field(key, entry)] = None

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def take_entries(self) -> dict[bytes, bytes]:
        """Return the fields to write."""
        written = {}
        for key in self._changed:
            entry = self._entries[key]
            packed = written[entry_field(key, entry)] = pack_entry(entry)
            entry.stored = True
            if entry.state is EntryState.PENDING:
                self._payloads.add(entry, len(packed), self._elsewhere)
        self._changed = {}
        return written

    def take_dropped(self) -> list[bytes]:
        """Return the fields to delete."""
        gone = [field for field in self._left if not self._is_stored(field)]
        self._left, self._leaving = self._leaving, {}
        self._given_up_before, self._given_up = self._given_up, {}
        return gone

    def _is_stored(self, field: bytes) -> bool:
        """Return whether the store is to have a field: what was given up may have come again."""
        key = field[:KEY_BYTES]
        entry = self._entries.get(key)
        return entry is not None and entry.stored and entry_field(key, entry) == field

    def snapshot(self) -> str:
        """Return what was given up since the checkpoint before the last one."""
        return b64encode(b"".join(self._given_up_before | self._given_up)).decode()

    def restore(self, given_up: str, seen: Seen) -> None:
        """Take over what `snapshot` returned, and the next offsets that belong to it."""
        self._seen = seen
        fields = b64decode(given_up)
        starts = range(0, len(fields), FIELD_BYTES)
        self._given_up = dict.fromkeys(fields[start : start + FIELD_BYTES] for start in starts)

    def was_known(self, field: bytes, entry: Entry) -> bool:
        """Return whether the snapshot can have known a stored entry; a late label since then is taken back."""
        if entry.prediction_offset >= self._seen.predictions or field in self._given_up:
            return False
        if entry.state is EntryState.LATE and entry.label_offset >= self._seen.labels:
            entry.state, entry.token, entry.label_offset = EntryState.EXPIRED, 0, NONE
        return entry.label_offset < self._seen.labels

    def leave_out(self, field: bytes) -> None:
        """Delete a field that is stored and belongs to nothing here, at the next checkpoint."""
        self._left[field] = None


class Group(IntEnum):
    """What is bounded and expires apart; of those due at one moment the first goes first.

    Early labels have a bound of their own: the labels of predictions that were never logged, or were given up, must not
    push out predictions that wait.
    """

    TOMBSTONES = 0
    PENDING = 1
    EARLY = 2


_GROUPS = {EntryState.PENDING: Group.PENDING, EntryState.EARLY: Group.EARLY}


class LabelJoin:
    """The join of one model.

    Parameters
    ----------
    model_id
        All keys of the join begin with a hash of it.
    payloads
        Says which stored predictions memory holds too, for all models of a partition.
    timeout
        Milliseconds of event time that a prediction waits for its label.
    max_pending
        How many predictions may wait; beyond it the one that would expire first is given up. As many early labels may
        wait, and as many tombstones are kept.

    """

    def __init__(self, model_id: str, payloads: PayloadCache, *, timeout: int, max_pending: int) -> None:
        self.counts = JoinCounts()
        self._prefix = model_prefix(model_id)
        self._timeout = timeout
        self._max_pending = max_pending
        self._entries: dict[bytes, Entry] = {}
        self._sizes = dict.fromkeys(Group, 0)
        self._elsewhere = Elsewhere()
        self._stored = StoredEntries(self._entries, payloads, self._elsewhere)
        # Without `self`, or a join that is given up would be garbage that only the collector finds.
        self._queues = {group: ExpiryQueue(partial(_is_live, self._entries, group)) for group in Group}
        self._watermark = 0

    @property
    def pending(self) -> int:
        """Return how many predictions wait for their label."""
        return self._sizes[Group.PENDING]

    @property
    def orphans(self) -> int:
        """Return how many labels have not met their prediction, whether they still wait or were given up."""
        return self.counts.labels - self.counts.joined - self.counts.late_labels

    def __len__(self) -> int:
        """Return how many ids are remembered: at most `max_pending` of each group."""
        return len(self._entries)

    # -- records ------------------------------------------------------------------------------------------------------

    def admit(self, prediction: Prediction) -> bytes | None:
        """Count a prediction; return the key under which it must be given to `hold`, None if its id was seen before."""
        key = self._prefix + id_hash(prediction.prediction_id)
        entry = self._entries.get(key)
        if entry is not None and entry.state is not EntryState.EARLY:
            self.counts.duplicate_predictions += 1
            return None
        self.counts.predictions += 1
        return key

    def has_early(self, key: bytes) -> bool:
        """Return whether the label of an admitted prediction has come already."""
        return key in self._entries

    def hold(self, key: bytes, pending: Pending) -> Joined | None:
        """Keep an admitted prediction until its label comes; return the pair if that came early."""
        entry = self._entries.get(key)
        if entry is None:
            expires = pending.at + self._timeout
            self._put(key, Entry(EntryState.PENDING, expires, pending, prediction_offset=pending.offset))
            return None
        truth = entry.payload
        assert isinstance(truth, Truth)  # `admit` let only a waiting label through
        self.counts.early_labels += 1
        return self._pair(key, pending, truth, EntryState.MET)

    def needs(self, label: Label) -> bytes | None:
        """Return the field whose payload this label will ask for and only the store has, if any."""
        if not self._elsewhere.count:
            return None
        key = self._prefix + id_hash(label.prediction_id)
        entry = self._entries.get(key)
        return entry_field(key, entry) if entry is not None and _is_elsewhere(entry) else None

    def label(self, label: Label, *, offset: int, found: Mapping[bytes, bytes]) -> Joined | None:
        """Take a label; return the pair if its prediction waits.

        Parameters
        ----------
        label, offset
            The event and where it stood.
        found
            Packed entries by field, for those that `needs` has named.

        Raises
        ------
        SnapshotError
            If the prediction waits and `found` lacks it: the store has lost it.

        """
        key = self._prefix + id_hash(label.prediction_id)
        entry = self._entries.get(key)
        truth = Truth(label.timestamp, offset, label.label, 1.0 if label.weight is None else label.weight)
        token = token_of(label.label)
        if entry is None:
            self.counts.labels += 1
            self._put(key, Entry(EntryState.EARLY, truth.at + self._timeout, truth, token, label_offset=offset))
            return None
        if entry.state is EntryState.PENDING:
            self.counts.labels += 1
            return self._pair(key, _payload(key, entry, found), truth, EntryState.JOINED)
        if entry.state is EntryState.EXPIRED:
            self.counts.labels += 1
            self.counts.late_labels += 1
            self._put(key, Entry(EntryState.LATE, entry.expires, None, token, entry.prediction_offset, offset))
        elif entry.token == token:
            self.counts.duplicate_labels += 1
        else:
            self.counts.contradicting_labels += 1
        return None

    def expire(self, watermark: int) -> None:
        """Give up what was due before the watermark, in epoch milliseconds.

        All goes in the order of event time, so that it does not matter how often this is called on the way.
        """
        self._watermark = max(self._watermark, watermark)
        now = watermark - 1
        while due := [(at, group) for group, queue in self._queues.items() if (at := queue.due(now)) is not None]:
            _, group = min(due)
            key = self._queues[group].first()
            if group is Group.PENDING:
                entry = self._entries[key]
                self.counts.expired += 1
                expires = entry.expires + self._timeout
                self._put(key, Entry(EntryState.EXPIRED, expires, prediction_offset=entry.prediction_offset))
            else:
                self._stored.expire(key, self._drop(key))

    # -- entries ------------------------------------------------------------------------------------------------------

    def _pair(self, key: bytes, pending: Pending, truth: Truth, state: EntryState) -> Joined:
        self.counts.joined += 1
        token, expires = token_of(truth.label), pending.at + self._timeout
        self._put(key, Entry(state, expires, None, token, pending.offset, truth.offset))
        return Joined(pending, truth)

    def _put(self, key: bytes, entry: Entry) -> None:
        self._place(key, entry)
        self._stored.change(key, entry)
        group = _group_of(entry)
        while self._sizes[group] > self._max_pending:
            if group is Group.PENDING:
                self.counts.evicted += 1
            else:
                self.counts.forgotten += 1
            first = self._queues[group].first()
            self._stored.give_up(first, self._drop(first))

    def _place(self, key: bytes, entry: Entry) -> None:
        before = self._entries.get(key)
        if before is not None:
            self._count(before, -1)
            self._stored.replace(key, before, entry)
        self._count(entry, 1)
        self._entries[key] = entry
        group = _group_of(entry)
        self._queues[group].push(key, entry.expires, live=self._sizes[group])

    def _drop(self, key: bytes) -> Entry:
        entry = self._entries.pop(key)
        self._count(entry, -1)
        self._stored.drop(key, entry)
        return entry

    def _count(self, entry: Entry, by: int) -> None:
        self._sizes[_group_of(entry)] += by
        self._elsewhere.count += by if _is_elsewhere(entry) else 0

    # -- state --------------------------------------------------------------------------------------------------------

    def take_entries(self) -> dict[bytes, bytes]:
        """Return the fields to write; that may be done ahead of the snapshot, to have their payloads out of memory."""
        return self._stored.take_entries()

    def take_dropped(self) -> list[bytes]:
        """Return the fields to delete with the snapshot that was taken just now; `take_entries` comes before."""
        return self._stored.take_dropped()

    def snapshot(self) -> dict[str, Any]:
        """Return the counts, and what tells which of the stored entries there were by now; what is due goes first."""
        self.expire(self._watermark)
        return {"counts": asdict(self.counts), "watermark": self._watermark, "given_up": self._stored.snapshot()}

    def restore(self, snapshot: dict[str, Any], *, seen: Seen) -> None:
        """Take over a snapshot, and the next offsets that belong to it; the entries follow by `restore_entry`."""
        self.counts = JoinCounts(**snapshot["counts"])
        self._watermark = snapshot["watermark"]
        self._stored.restore(snapshot["given_up"], seen)

    def leave_out(self, field: bytes) -> None:
        """Delete a field at the next checkpoint that was stored for this model before it had any snapshot."""
        self._stored.leave_out(field)

    def restore_entry(self, field: bytes, packed: bytes) -> None:
        """Take over one stored entry; the payload of a pending prediction stays in the store until it is needed."""
        key, entry = field[:KEY_BYTES], unpack_mark(packed)
        there = self._entries.get(key)
        superseded = entry.waits and there is not None and not there.waits
        if superseded or not self._stored.was_known(field, entry) or self._is_over(entry):
            self._stored.leave_out(field)
            return
        entry.stored = True
        if entry.state is EntryState.EARLY:
            entry.payload, entry.token = (early := unpack_entry(packed)).payload, early.token
        self._place(key, entry)  # a bound that it may be over holds from the next record on, when all are back

    def _is_over(self, entry: Entry) -> bool:
        """Return whether an entry is of what had not come to pass, or was over, when the watermark stood here."""
        has_expired = entry.state in {EntryState.EXPIRED, EntryState.LATE}
        return entry.expires < self._watermark or (has_expired and entry.expires - self._timeout >= self._watermark)


def _is_live(entries: Mapping[bytes, Entry], group: Group, key: bytes, at: int) -> bool:
    entry = entries.get(key)
    return entry is not None and entry.expires == at and _group_of(entry) is group


def _group_of(entry: Entry) -> Group:
    return _GROUPS.get(entry.state, Group.TOMBSTONES)


def _is_elsewhere(entry: Entry) -> bool:
    return entry.payload is None and entry.state is EntryState.PENDING


def _payload(key: bytes, entry: Entry, found: Mapping[bytes, bytes]) -> Pending:
    pending = entry.payload
    if pending is None and (packed := found.get(entry_field(key, entry))) is not None:
        pending = unpack_entry(packed).payload
    if not isinstance(pending, Pending):
        raise SnapshotError("the store has lost a prediction that waits for its label: restore it, or delete the state")
    return pending
