"""Prediction ⋈ label by prediction_id, for one model, in any order of arrival.

The rules: the first prediction of an id wins, and so does the first label, even if it comes before its prediction. A
prediction waits until its own time + timeout. What joined or expired leaves a tombstone, so that repeats are known.
Whatever ends otherwise than in a pair is counted.

The payload of a pending prediction may live in the checkpoint store alone (after a restart it does): `needs` tells
whether a label will ask for it, and the caller then hands it in.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from driftline.models.join.entry import (
    Entry,
    EntryState,
    Pending,
    Truth,
    id_hash,
    model_prefix,
    pack_entry,
    unpack_entry,
)
from driftline.models.join.expiry import ExpiryQueue
from driftline.schemas.classes import class_token
from driftline.schemas.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    timeout
        Milliseconds of event time that a prediction waits for its label.
    max_pending
        How many predictions may wait; beyond it the one that would expire first is given up. As many early labels may
        wait, and as many tombstones are kept.

    Examples
    --------
    >>> from driftline.schemas.events import Label, Prediction
    >>> join = LabelJoin("m", timeout=60_000, max_pending=1000)
    >>> key = join.admit(Prediction(model_id="m", model_version="1", prediction_id="p", timestamp=0, prediction=1))
    >>> join.hold(key, Pending(0, 0, "1", prediction=1))
    >>> join.label(Label(model_id="m", prediction_id="p", timestamp=9, label=0), offset=0, found={}).truth.label
    0
    >>> join.counts.joined, join.pending
    (1, 0)

    """

    def __init__(self, model_id: str, *, timeout: int, max_pending: int) -> None:
        self.counts = JoinCounts()
        self._prefix = model_prefix(model_id)
        self._timeout = timeout
        self._max_pending = max_pending
        self._entries: dict[bytes, Entry] = {}
        self._sizes = dict.fromkeys(Group, 0)
        self._elsewhere = 0  # pending predictions whose payload only the store has
        # Without `self`, or a join that is given up would be garbage that only the collector finds.
        self._queues = {group: ExpiryQueue(partial(_is_live, self._entries, group)) for group in Group}
        self._changed: dict[bytes, None] = {}
        self._gone: list[bytes] = []

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
            self._put(key, Entry(EntryState.PENDING, pending.at + self._timeout, pending))
            return None
        truth = entry.payload
        assert isinstance(truth, Truth)  # noqa: S101 - `admit` let only a waiting label through
        self.counts.early_labels += 1
        return self._pair(key, entry, pending, truth)

    def needs(self, label: Label) -> bytes | None:
        """Return the key of the entry whose payload this label will ask for and only the store has, if any."""
        if not self._elsewhere:
            return None
        key = self._prefix + id_hash(label.prediction_id)
        entry = self._entries.get(key)
        return key if entry is not None and _is_elsewhere(entry) else None

    def label(self, label: Label, *, offset: int, found: Mapping[bytes, bytes]) -> Joined | None:
        """Take a label; return the pair if its prediction waits.

        Parameters
        ----------
        label, offset
            The event and where it stood.
        found
            Packed entries by key, for the keys that `needs` has named.

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
            self._put(key, Entry(EntryState.EARLY, truth.at + self._timeout, truth, token))
            return None
        if entry.state is EntryState.PENDING:
            self.counts.labels += 1
            return self._pair(key, entry, _payload(key, entry, found), truth)
        if entry.state is EntryState.EXPIRED:
            self.counts.labels += 1
            self.counts.late_labels += 1
            self._put(key, Entry(EntryState.LATE, entry.expires, None, token, entry.stored))
        elif entry.token == token:
            self.counts.duplicate_labels += 1
        else:
            self.counts.contradicting_labels += 1
        return None

    def expire(self, watermark: int) -> None:
        """Give up what was due before the watermark, in epoch milliseconds.

        All goes in the order of event time, so that it does not matter how often this is called on the way.
        """
        now = watermark - 1
        while due := [(at, group) for group, queue in self._queues.items() if (at := queue.due(now)) is not None]:
            _, group = min(due)
            key = self._queues[group].first()
            if group is Group.PENDING:
                entry = self._entries[key]
                self.counts.expired += 1
                self._put(key, Entry(EntryState.EXPIRED, entry.expires + self._timeout, stored=entry.stored))
            else:
                self._drop(key)

    # -- entries ------------------------------------------------------------------------------------------------------

    def _pair(self, key: bytes, entry: Entry, pending: Pending, truth: Truth) -> Joined:
        self.counts.joined += 1
        token = class_token(truth.label)
        self._put(key, Entry(EntryState.JOINED, pending.at + self._timeout, None, token, entry.stored))
        return Joined(pending, truth)

    def _put(self, key: bytes, entry: Entry) -> None:
        self._count(self._entries.get(key), -1)
        self._count(entry, 1)
        self._entries[key] = entry
        self._changed[key] = None
        group = _group_of(entry)
        self._queues[group].push(key, entry.expires, live=self._sizes[group])
        while self._sizes[group] > self._max_pending:
            if group is Group.PENDING:
                self.counts.evicted += 1
            else:
                self.counts.forgotten += 1
            self._drop(self._queues[group].first())

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key)
        self._count(entry, -1)
        self._changed.pop(key, None)
        if entry.stored:
            self._gone.append(key)

    def _count(self, entry: Entry | None, by: int) -> None:
        if entry is not None:
            self._sizes[_group_of(entry)] += by
            self._elsewhere += by if _is_elsewhere(entry) else 0

    # -- state --------------------------------------------------------------------------------------------------------

    def take_changes(self) -> tuple[dict[bytes, bytes], list[bytes]]:
        """Return the entries to write and the keys to delete since the last call, for one checkpoint."""
        written = {}
        for key in self._changed:
            entry = self._entries[key]
            written[key] = pack_entry(entry)
            entry.stored = True
        gone = [key for key in self._gone if key not in written]
        self._changed, self._gone = {}, []
        return written, gone

    def snapshot(self) -> dict[str, int]:
        """Return the counts; the entries are in the store one by one."""
        return asdict(self.counts)

    def restore(self, counts: dict[str, int]) -> None:
        """Take over the counts of `snapshot`; the entries follow by `restore_entry`."""
        self.counts = JoinCounts(**counts)

    def restore_entry(self, key: bytes, packed: bytes) -> None:
        """Take over one stored entry; the payload of a pending prediction stays in the store until it is needed."""
        entry = unpack_entry(packed)
        entry.stored = True
        if entry.state is EntryState.PENDING:
            entry.payload = None
        self._put(key, entry)
        self._changed.pop(key, None)  # or it was over a bound that has become smaller, and is gone already


def _is_live(entries: Mapping[bytes, Entry], group: Group, key: bytes, at: int) -> bool:
    entry = entries.get(key)
    return entry is not None and entry.expires == at and _group_of(entry) is group


def _group_of(entry: Entry) -> Group:
    return _GROUPS.get(entry.state, Group.TOMBSTONES)


def _is_elsewhere(entry: Entry) -> bool:
    return entry.payload is None and entry.state is EntryState.PENDING


def _payload(key: bytes, entry: Entry, found: Mapping[bytes, bytes]) -> Pending:
    pending = entry.payload
    if pending is None and key in found:
        pending = unpack_entry(found[key]).payload
    if not isinstance(pending, Pending):
        raise SnapshotError("the store has lost a prediction that waits for its label: restore it, or delete the state")
    return pending
