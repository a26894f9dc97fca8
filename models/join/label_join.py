"""Prediction ⋈ label by prediction_id, for one model, in any order of arrival.

The rules: the first prediction of an id wins, and so does the first label, even if it comes before its prediction. A
prediction waits until its own time + timeout. What joined or expired leaves a tombstone, so that repeats are known.
Whatever ends otherwise than in a pair is counted.

The payload of a pending prediction may live in the checkpoint store alone (after a restart it does): `needs` tells
whether a label will ask for it, and the caller then hands it in.

The store may be ahead of the snapshot that a join is restored from: entries are written before the snapshot of their
checkpoint, which may never have come, and the newest snapshot may be damaged, so that the one before must do. Therefore
entries are only ever added at a checkpoint, and what they replace is deleted one checkpoint late; and of what is found
in the store, what the snapshot cannot have known is left out: by offsets, by the watermark, and by the list of what was
given up.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from driftline.models.join.entry import (
    FIELD_BYTES,
    KEY_BYTES,
    NONE,
    Entry,
    EntryState,
    Pending,
    Truth,
    entry_field,
    fields_of,
    id_hash,
    model_prefix,
    pack_entry,
    unpack_entry,
    unpack_mark,
)
from driftline.models.join.expiry import ExpiryQueue
from driftline.models.join.payload_cache import Elsewhere
from driftline.schemas.classes import class_token
from driftline.schemas.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.join.payload_cache import PayloadCache
    from driftline.schemas.events import Label, Prediction


class Group(IntEnum):
    """What is bounded and expires apart; of those due at one moment the first goes first.

    Early labels have a bound of their own: the labels of predictions that were never logged, or were given up, must not
    push out predictions that wait.
    """

    TOMBSTONES = 0
    PENDING = 1
    EARLY = 2


_GROUPS = {EntryState.PENDING: Group.PENDING, EntryState.EARLY: Group.EARLY}


class Seen(NamedTuple):
    """The next offsets of both topics: records below have been taken."""

    predictions: int
    labels: int


class Joined(NamedTuple):
    """A prediction with its label."""

    pending: Pending
    truth: Truth


@dataclass(slots=True)
class JoinCounts:
    """What became of the records of a model; see `driftline.schemas.state.Counts`."""

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

    Examples
    --------
    >>> from driftline.models.join.payload_cache import PayloadCache
    >>> from driftline.schemas.events import Label, Prediction
    >>> join = LabelJoin("m", PayloadCache(), timeout=60_000, max_pending=1000)
    >>> key = join.admit(Prediction(model_id="m", model_version="1", prediction_id="p", timestamp=0, prediction=1))
    >>> join.hold(key, Pending(0, 0, "1", prediction=1))
    >>> join.label(Label(model_id="m", prediction_id="p", timestamp=9, label=0), offset=0, found={}).truth.label
    0
    >>> join.counts.joined, join.pending
    (1, 0)

    """

    def __init__(self, model_id: str, payloads: PayloadCache, *, timeout: int, max_pending: int) -> None:
        self.counts = JoinCounts()
        self._prefix = model_prefix(model_id)
        self._timeout = timeout
        self._max_pending = max_pending
        self._entries: dict[bytes, Entry] = {}
        self._sizes = dict.fromkeys(Group, 0)
        self._payloads = payloads
        self._elsewhere = Elsewhere()
        # Without `self`, or a join that is given up would be garbage that only the collector finds.
        self._queues = {group: ExpiryQueue(partial(_is_live, self._entries, group)) for group in Group}
        self._watermark = 0
        self._seen = Seen(0, 0)  # of what is restored
        self._changed: dict[bytes, None] = {}
        self._given_up: dict[bytes, None] = {}  # fields, since the last checkpoint, and not because of their time
        self._leaving: list[bytes] = []  # fields that are of no use any more, since the last checkpoint
        self._left: list[bytes] = []  # and those before: no snapshot needs them

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

    def hold(self, key: bytes, pending: Pending) -> Joined | None:
        """Keep an admitted prediction until its label comes; return the pair if that came early."""
        entry = self._entries.get(key)
        if entry is None:
            expires = pending.at + self._timeout
            self._put(key, Entry(EntryState.PENDING, expires, pending, prediction_offset=pending.offset))
            return None
        truth = entry.payload
        assert isinstance(truth, Truth)  # noqa: S101 - `admit` let only a waiting label through
        self.counts.early_labels += 1
        return self._pair(key, pending, truth)

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
        token = class_token(label.label)
        if entry is None:
            self.counts.labels += 1
            self._put(key, Entry(EntryState.EARLY, truth.at + self._timeout, truth, token, label_offset=offset))
            return None
        if entry.state is EntryState.PENDING:
            self.counts.labels += 1
            return self._pair(key, _payload(key, entry, found), truth)
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
                entry = self._drop(key)
                if not (entry.waits or entry.stored):  # what it was made of may be stored, and look alive
                    self._give_up(key, entry)

    # -- entries ------------------------------------------------------------------------------------------------------

    def _pair(self, key: bytes, pending: Pending, truth: Truth) -> Joined:
        self.counts.joined += 1
        token, expires = class_token(truth.label), pending.at + self._timeout
        self._put(key, Entry(EntryState.JOINED, expires, None, token, pending.offset, truth.offset))
        return Joined(pending, truth)

    def _put(self, key: bytes, entry: Entry) -> None:
        self._place(key, entry)
        self._changed[key] = None
        if self._given_up:  # the same record comes again after a restart
            self._given_up.pop(entry_field(key, entry), None)
        group = _group_of(entry)
        while self._sizes[group] > self._max_pending:
            if group is Group.PENDING:
                self.counts.evicted += 1
            else:
                self.counts.forgotten += 1
            first = self._queues[group].first()
            self._give_up(first, self._drop(first))

    def _place(self, key: bytes, entry: Entry) -> None:
        before = self._entries.get(key)
        if before is not None:
            self._count(before, -1)
            field = entry_field(key, before)
            if field == entry_field(key, entry):  # a late label changes its tombstone in place
                entry.stored = before.stored
            elif before.stored:
                self._leaving.append(field)
            before.payload = None
        self._count(entry, 1)
        self._entries[key] = entry
        group = _group_of(entry)
        self._queues[group].push(key, entry.expires, live=self._sizes[group])

    def _drop(self, key: bytes) -> Entry:
        entry = self._entries.pop(key)
        self._count(entry, -1)
        entry.payload = None
        self._changed.pop(key, None)
        if entry.stored:
            self._leaving.append(entry_field(key, entry))
        return entry

    def _give_up(self, key: bytes, entry: Entry) -> None:
        self._given_up |= dict.fromkeys(fields_of(key, entry))

    def _count(self, entry: Entry, by: int) -> None:
        self._sizes[_group_of(entry)] += by
        self._elsewhere.count += by if _is_elsewhere(entry) else 0

    # -- state --------------------------------------------------------------------------------------------------------

    def take_entries(self) -> dict[bytes, bytes]:
        """Return the fields to write; that may be done ahead of the snapshot, to have their payloads out of memory."""
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
        """Return the fields to delete with the snapshot that was taken just now; `take_entries` comes before."""
        gone = [field for field in dict.fromkeys(self._left) if not self._is_stored(field)]
        self._left, self._leaving = self._leaving, []
        self._given_up = {}
        return gone

    def _is_stored(self, field: bytes) -> bool:
        """Return whether the store is to have a field: what was given up may have come again."""
        key = field[:KEY_BYTES]
        entry = self._entries.get(key)
        return entry is not None and entry.stored and entry_field(key, entry) == field

    def snapshot(self) -> dict[str, Any]:
        """Return the counts, and what tells which of the stored entries there were by now; what is due goes first."""
        self.expire(self._watermark)
        given_up = b64encode(b"".join(self._given_up)).decode()
        return {"counts": asdict(self.counts), "watermark": self._watermark, "given_up": given_up}

    def restore(self, snapshot: dict[str, Any], *, seen: Seen) -> None:
        """Take over a snapshot, and the next offsets that belong to it; the entries follow by `restore_entry`."""
        self.counts = JoinCounts(**snapshot["counts"])
        self._watermark = snapshot["watermark"]
        self._seen = seen
        fields = b64decode(snapshot["given_up"])
        starts = range(0, len(fields), FIELD_BYTES)
        self._given_up = dict.fromkeys(fields[start : start + FIELD_BYTES] for start in starts)

    def restore_entry(self, field: bytes, packed: bytes) -> None:
        """Take over one stored entry; the payload of a pending prediction stays in the store until it is needed."""
        key, entry = field[:KEY_BYTES], unpack_mark(packed)
        there = self._entries.get(key)
        if not self._was_known(field, entry) or (entry.waits and there is not None and not there.waits):
            self._left.append(field)
            return
        entry.stored = True
        if entry.state is EntryState.EARLY:
            entry.payload, entry.token = (early := unpack_entry(packed)).payload, early.token
        self._place(key, entry)  # a bound that it may be over holds from the next record on, when all are back

    def _was_known(self, field: bytes, entry: Entry) -> bool:
        """Return whether a stored entry stood when the snapshot was taken; a late label since then is taken back."""
        if entry.prediction_offset >= self._seen.predictions or field in self._given_up:
            return False
        if entry.state is EntryState.LATE and entry.label_offset >= self._seen.labels:
            entry.state, entry.token, entry.label_offset = EntryState.EXPIRED, None, NONE
        if entry.label_offset >= self._seen.labels:
            return False
        has_expired = entry.state in {EntryState.EXPIRED, EntryState.LATE}
        return entry.expires >= self._watermark and not (
            has_expired and entry.expires - self._timeout >= self._watermark
        )


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
