"""Prediction ⋈ label by prediction_id, for one model, in any order of arrival.

The rules: the first prediction of an id wins, and so does the first label, even if it comes before its prediction. A
prediction waits until its own time + timeout. What joined or expired leaves a tombstone, so that repeats are known.
Whatever ends otherwise than in a pair is counted.

The payload of a pending prediction may live in the checkpoint store alone (after a restart it does): `needs` tells
whether a label will ask for it, and the caller then hands it in. `driftline.models.join.stored` knows what is there.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.models.join.entry import (
    KEY_BYTES,
    Entry,
    EntryState,
    Pending,
    Truth,
    entry_field,
    id_hash,
    model_prefix,
    unpack_entry,
    unpack_mark,
)
from driftline.models.join.expiry import ExpiryQueue
from driftline.models.join.payload_cache import Elsewhere
from driftline.models.join.stored import StoredEntries
from driftline.schemas.classes import class_token
from driftline.schemas.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.join.payload_cache import PayloadCache
    from driftline.models.join.stored import Seen
    from driftline.models.wire import WireLabel, WirePrediction
    from driftline.schemas.events import Label, Prediction
    from driftline.schemas.fields import Scalar


class Group(IntEnum):
    """What is bounded and expires apart; of those due at one moment the first goes first.

    Early labels have a bound of their own: the labels of predictions that were never logged, or were given up, must not
    push out predictions that wait.
    """

    TOMBSTONES = 0
    PENDING = 1
    EARLY = 2


_MOST_TOKENS: Final = 1024


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
        self._sizes = [0] * len(Group)
        self._next_due = math.inf  # nothing is due before
        self._tokens: dict[Scalar, str] = {}
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

    def admit(self, prediction: Prediction | WirePrediction) -> bytes | None:
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
            self._open(key, Entry(EntryState.PENDING, expires, pending, None, pending.offset), Group.PENDING)
            return None
        truth = entry.payload
        assert isinstance(truth, Truth)  # noqa: S101 - `admit` let only a waiting label through
        self.counts.early_labels += 1
        return self._pair(key, pending, truth, EntryState.MET)

    def needs(self, label: Label | WireLabel) -> bytes | None:
        """Return the field whose payload this label will ask for and only the store has, if any."""
        if not self._elsewhere.count:
            return None
        key = self._prefix + id_hash(label.prediction_id)
        entry = self._entries.get(key)
        return entry_field(key, entry) if entry is not None and _is_elsewhere(entry) else None

    def label(self, label: Label | WireLabel, *, offset: int, found: Mapping[bytes, bytes]) -> Joined | None:
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
        token = self._token(label.label)
        if entry is None:
            self.counts.labels += 1
            expires = truth.at + self._timeout
            self._open(key, Entry(EntryState.EARLY, expires, truth, token, label_offset=offset), Group.EARLY)
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
        if watermark <= self._next_due:
            return
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
        self._next_due = min(queue.soonest for queue in self._queues.values())

    def _token(self, label: Scalar) -> str:
        """Return the token of a label; those that came first, of which there are few, are remembered."""
        token = self._tokens.get(label)  # Python's 1, 1.0 and True are one key, as they are one class
        if token is None:
            token = class_token(label)
            if len(self._tokens) < _MOST_TOKENS:
                self._tokens[label] = token
        return token

    # -- entries ------------------------------------------------------------------------------------------------------

    def _pair(self, key: bytes, pending: Pending, truth: Truth, state: EntryState) -> Joined:
        self.counts.joined += 1
        token, expires = self._token(truth.label), pending.at + self._timeout
        self._put(key, Entry(state, expires, None, token, pending.offset, truth.offset))
        return Joined(pending, truth)

    def _put(self, key: bytes, entry: Entry) -> None:
        """Let an entry take the place of the one that there is."""
        before = self._entries[key]
        self._count(before, -1)
        self._stored.replace(key, before, entry)
        self._open(key, entry, _group_of(entry))

    def _open(self, key: bytes, entry: Entry, group: Group) -> None:
        self._enter(key, entry, group)
        self._stored.change(key, entry)
        while self._sizes[group] > self._max_pending:
            if group is Group.PENDING:
                self.counts.evicted += 1
            else:
                self.counts.forgotten += 1
            first = self._queues[group].first()
            self._stored.give_up(first, self._drop(first))

    def _enter(self, key: bytes, entry: Entry, group: Group) -> None:
        sizes = self._sizes
        sizes[group] += 1
        self._entries[key] = entry
        expires = entry.expires
        self._next_due = min(self._next_due, expires)
        self._queues[group].push(key, expires, live=sizes[group])

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
        if there is not None:
            self._count(there, -1)
            self._stored.replace(key, there, entry)
        self._elsewhere.count += _is_elsewhere(entry)
        self._enter(key, entry, _group_of(entry))  # a bound that it may be over holds from the next record on

    def _is_over(self, entry: Entry) -> bool:
        """Return whether an entry is of what had not come to pass, or was over, when the watermark stood here."""
        has_expired = entry.state in {EntryState.EXPIRED, EntryState.LATE}
        return entry.expires < self._watermark or (has_expired and entry.expires - self._timeout >= self._watermark)


def _is_live(entries: Mapping[bytes, Entry], group: Group, key: bytes, at: int) -> bool:
    entry = entries.get(key)
    return entry is not None and entry.expires == at and _group_of(entry) is group


def _group_of(entry: Entry) -> Group:
    state = entry.state
    if state is EntryState.PENDING:
        return Group.PENDING
    return Group.EARLY if state is EntryState.EARLY else Group.TOMBSTONES


def _is_elsewhere(entry: Entry) -> bool:
    return entry.payload is None and entry.state is EntryState.PENDING


def _payload(key: bytes, entry: Entry, found: Mapping[bytes, bytes]) -> Pending:
    pending = entry.payload
    if pending is None and (packed := found.get(entry_field(key, entry))) is not None:
        pending = unpack_entry(packed).payload
    if not isinstance(pending, Pending):
        raise SnapshotError("the store has lost a prediction that waits for its label: restore it, or delete the state")
    return pending
