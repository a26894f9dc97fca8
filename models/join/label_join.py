"""Prediction ⋈ label by prediction_id, for one model, in any order of arrival.

The rules: the first prediction of an id wins, and so does the first label, even if it comes before its prediction. A
prediction waits until its own time + timeout. What joined or expired leaves a tombstone, so that repeats are known.
Whatever ends otherwise than in a pair is counted.

The payload of a pending prediction may live in the checkpoint store alone (after a restart it does): `needs` tells
whether a label will ask for it, and the caller then hands it in. `driftline.models.join.stored` knows what is there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.models.join.entry import (
    KEY_BYTES,
    NONE,
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
from driftline.models.join.expiry import NEVER, ExpiryQueue
from driftline.models.join.payload_cache import Elsewhere
from driftline.models.join.stored import StoredEntries
from driftline.schemas.classes import class_token
from driftline.schemas.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.models.join.payload_cache import PayloadCache
    from driftline.models.join.stored import Seen
    from driftline.models.wire import WireLabel, WirePrediction
    from driftline.schemas.events import Label, Prediction


class Group(IntEnum):
    """What is bounded and expires apart; of those due at one moment the first goes first.

    Early labels have a bound of their own: the labels of predictions that were never logged, or were given up, must not
    push out predictions that wait.
    """

    TOMBSTONES = 0
    PENDING = 1
    EARLY = 2


_PENDING: Final = EntryState.PENDING  # looking up a member of an enum takes as long as a call
_EARLY: Final = EntryState.EARLY
_JOINED: Final = EntryState.JOINED
_EXPIRED: Final = EntryState.EXPIRED

_token_of: Final = lru_cache(maxsize=256)(class_token)  # a label of another type is equal only if its token is the same


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
        self._elsewhere = Elsewhere()
        self._stored = StoredEntries(self._entries, payloads, self._elsewhere)
        # Without `self`, or a join that is given up would be garbage that only the collector finds.
        self._over = ExpiryQueue(_liveness_of_tombstones(self._entries))
        self._waiting = ExpiryQueue(_liveness_of(self._entries, _PENDING))
        self._early = ExpiryQueue(_liveness_of(self._entries, _EARLY))
        self._queues = {Group.TOMBSTONES: self._over, Group.PENDING: self._waiting, Group.EARLY: self._early}
        self._tombstones = 0
        self._pending = 0
        self._early_labels = 0
        self._earliest = NEVER  # nothing is due before it
        self._watermark = 0

    @property
    def pending(self) -> int:
        """Return how many predictions wait for their label."""
        return self._pending

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
        if entry is not None and entry.state is not _EARLY:
            self.counts.duplicate_predictions += 1
            return None
        self.counts.predictions += 1
        return key

    def hold(self, key: bytes, pending: Pending) -> Joined | None:
        """Keep an admitted prediction until its label comes; return the pair if that came early."""
        entry = self._entries.get(key)
        expires = pending.at + self._timeout
        if entry is None:
            self._add_pending(key, Entry(_PENDING, expires, pending, None, pending.offset))
            return None
        truth = entry.payload
        assert isinstance(truth, Truth)  # noqa: S101 - `admit` let only a waiting label through
        self.counts.early_labels += 1
        self.counts.joined += 1
        self._stored.leave(key, entry)
        self._early_labels -= 1
        entry.state, entry.expires = EntryState.MET, expires
        entry.payload, entry.prediction_offset = None, pending.offset
        self._bury(key, entry)
        return Joined(pending, truth)

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
        value = label.label
        token = _token_of(value)
        if entry is not None and entry.state is not _PENDING:
            self._repeated(key, entry, token, offset)
            return None
        self.counts.labels += 1
        truth = Truth(label.timestamp, offset, value, 1.0 if label.weight is None else label.weight)
        if entry is None:
            self._add_early(key, Entry(_EARLY, truth.at + self._timeout, truth, token, NONE, offset))
            return None
        pending = entry.payload
        if pending is None:
            pending = _fetched(key, entry, found)
            self._elsewhere.count -= 1
        self.counts.joined += 1
        if entry.stored:
            self._stored.leave(key, entry)
        self._pending -= 1
        # In its place: whoever still holds the entry, the cache of payloads, sees that there is nothing to take.
        entry.state = _JOINED
        entry.expires = pending.at + self._timeout
        entry.payload = None
        entry.token = token
        entry.label_offset = offset
        self._bury(key, entry)
        return Joined(pending, truth)  # type: ignore[arg-type]  # by its state

    def _repeated(self, key: bytes, entry: Entry, token: str, offset: int) -> None:
        """Count the label of a prediction that has one, or has expired."""
        if entry.state is _EXPIRED:
            self.counts.labels += 1
            self.counts.late_labels += 1
            entry.state, entry.token, entry.label_offset = EntryState.LATE, token, offset
            self._stored.change(key, entry)  # in the same field, so that it stays stored
            self._keep_bound()  # there may be too many from before a restart
        elif entry.token == token:
            self.counts.duplicate_labels += 1
        else:
            self.counts.contradicting_labels += 1

    def expire(self, watermark: int) -> None:
        """Give up what was due before the watermark, in epoch milliseconds.

        All goes in the order of event time, so that it does not matter how often this is called on the way.
        """
        if watermark > self._watermark:  # noqa: PLR1730 - max() and min() take three times as long
            self._watermark = watermark
        if watermark > self._earliest:
            self._expire(watermark - 1)

    def _expire(self, now: int) -> None:
        over, waiting, early = self._over, self._waiting, self._early
        while True:
            pending_at, early_at = waiting.due(now), early.due(now)
            until = now
            if pending_at is not None:
                until = pending_at
            if early_at is not None and early_at < until:
                until = early_at
            while (key := over.take(until)) is not None:
                self._stored.expire(key, self._drop(key))
            if pending_at is not None and pending_at == until:
                self._expire_prediction(waiting.first())
            elif early_at is not None:
                self._drop(early.first())
            else:
                break
        self._earliest = min(over.earliest(), waiting.earliest(), early.earliest())

    def _expire_prediction(self, key: bytes) -> None:
        entry = self._entries[key]
        self.counts.expired += 1
        self._elsewhere.count -= _is_elsewhere(entry)
        self._stored.leave(key, entry)
        self._pending -= 1
        entry.state, entry.expires, entry.payload = _EXPIRED, entry.expires + self._timeout, None
        self._bury(key, entry)

    # -- entries ------------------------------------------------------------------------------------------------------

    def _add_pending(self, key: bytes, entry: Entry) -> None:
        """Add a prediction; beyond the bound, give up the one that would expire first."""
        self._entries[key] = entry
        self._pending = pending = self._pending + 1
        expires = entry.expires
        self._waiting.push(key, expires, pending)
        if expires < self._earliest:  # noqa: PLR1730 - as in `expire`
            self._earliest = expires
        self._stored.change(key, entry)
        while self._pending > self._max_pending:
            self.counts.evicted += 1
            self._give_up(self._waiting.first())

    def _add_early(self, key: bytes, entry: Entry) -> None:
        """Add a label that waits for its prediction; the rest as above."""
        self._entries[key] = entry
        self._early_labels += 1
        self._early.push(key, entry.expires, self._early_labels)
        self._earliest = min(self._earliest, entry.expires)
        self._stored.change(key, entry)
        while self._early_labels > self._max_pending:
            self.counts.forgotten += 1
            self._give_up(self._early.first())

    def _bury(self, key: bytes, entry: Entry) -> None:
        """Take an entry that has just become a tombstone among them; the rest as above."""
        self._tombstones = tombstones = self._tombstones + 1
        expires = entry.expires
        self._over.push(key, expires, tombstones)
        if expires < self._earliest:  # noqa: PLR1730 - as in `expire`
            self._earliest = expires
        self._stored.change(key, entry)
        if self._tombstones > self._max_pending:
            self._keep_bound()

    def _keep_bound(self) -> None:
        """Forget the tombstones that are too many."""
        while self._tombstones > self._max_pending:
            self.counts.forgotten += 1
            self._give_up(self._over.first())

    def _give_up(self, key: bytes) -> None:
        self._stored.give_up(key, self._drop(key))

    def _drop(self, key: bytes) -> Entry:
        entry = self._entries.pop(key)
        self._count(entry, -1)
        self._stored.drop(key, entry)
        return entry

    def _count(self, entry: Entry, by: int) -> None:
        if entry.state is _PENDING:
            self._pending += by
            self._elsewhere.count += by if entry.payload is None else 0
        elif entry.state is _EARLY:
            self._early_labels += by
        else:
            self._tombstones += by

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
            there.payload = None
        self._entries[key] = entry
        self._count(entry, 1)
        # A bound that it may be over holds from the next record on, when all are back.
        if entry.state is _PENDING:
            self._waiting.push(key, entry.expires, self._pending)
        elif entry.state is _EARLY:
            self._early.push(key, entry.expires, self._early_labels)
        else:
            self._over.push(key, entry.expires, self._tombstones)
        self._earliest = min(self._earliest, entry.expires)

    def _is_over(self, entry: Entry) -> bool:
        """Return whether an entry is of what had not come to pass, or was over, when the watermark stood here."""
        has_expired = entry.state in {EntryState.EXPIRED, EntryState.LATE}
        return entry.expires < self._watermark or (has_expired and entry.expires - self._timeout >= self._watermark)


def _liveness_of(entries: Mapping[bytes, Entry], state: EntryState) -> Callable[[bytes, int], bool]:
    """Return what tells whether an id is in this state still, and expires at that moment."""
    entry_of = entries.get

    def is_live(key: bytes, at: int) -> bool:
        entry = entry_of(key)
        return entry is not None and entry.state is state and entry.expires == at

    return is_live


def _liveness_of_tombstones(entries: Mapping[bytes, Entry]) -> Callable[[bytes, int], bool]:
    """Return what tells whether an id does not wait, and expires at that moment."""
    entry_of = entries.get

    def is_live(key: bytes, at: int) -> bool:
        entry = entry_of(key)
        return entry is not None and entry.expires == at and not (entry.state is _PENDING or entry.state is _EARLY)

    return is_live


def _is_elsewhere(entry: Entry) -> bool:
    return entry.payload is None and entry.state is _PENDING


def _fetched(key: bytes, entry: Entry, found: Mapping[bytes, bytes]) -> Pending:
    packed = found.get(entry_field(key, entry))
    pending = None if packed is None else unpack_entry(packed).payload
    if not isinstance(pending, Pending):
        raise SnapshotError("the store has lost a prediction that waits for its label: restore it, or delete the state")
    return pending
