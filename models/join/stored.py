"""What the checkpoint store has of a join: what is to be written and deleted, and what a snapshot can have known of.

The store may be ahead of the snapshot that a join is restored from: entries are written before the snapshot of their
checkpoint, which may never have come, and the newest snapshot may be damaged, so that the one before must do. Therefore
entries are only ever added, and what they replace is deleted one checkpoint of the model late; and of what is found in
the store, what the snapshot cannot have known is left out: by offsets, by the watermark, and by the list of what was
given up.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, NamedTuple

from driftline.models.join.entry import (
    FIELD_BYTES,
    KEY_BYTES,
    NONE,
    EntryState,
    early_field,
    entry_field,
    fields_of,
    pack_entry,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.models.join.entry import Entry
    from driftline.models.join.payload_cache import Elsewhere, PayloadCache


class Seen(NamedTuple):
    """The next offsets of both topics: records below have been taken."""

    predictions: int
    labels: int


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
        self._may_come_again: set[bytes] = set()  # their keys: after a restart the same records come once more
        self._leaving: dict[bytes, None] = {}  # fields that are of no use any more, since the last checkpoint
        self._left: dict[bytes, None] = {}  # and those before: no snapshot needs them

    def change(self, key: bytes, entry: Entry) -> None:
        """Note that an entry is new or has changed."""
        self._changed[key] = None
        if key in self._may_come_again:
            self._given_up.pop(entry_field(key, entry), None)

    def leave(self, key: bytes, entry: Entry) -> None:
        """Note that what is stored of an entry is of no use any more: it is about to be something else, or nothing."""
        if entry.stored:
            self._leaving[entry_field(key, entry)] = None
            entry.stored = False

    def replace(self, key: bytes, before: Entry, entry: Entry) -> None:
        """Note that a stored entry takes the place of another."""
        if entry_field(key, before) != entry_field(key, entry):
            self.leave(key, before)

    def drop(self, key: bytes, entry: Entry) -> None:
        """Note that an entry is over."""
        self._changed.pop(key, None)
        if entry.stored:
            self._leaving[entry_field(key, entry)] = None
        entry.payload = None  # the cache may hold the entry for longer

    def give_up(self, key: bytes, entry: Entry) -> None:
        """Note that an entry which is over did not come to its time: nothing but this list will say so."""
        given_up = self._given_up
        for field in fields_of(key, entry):
            given_up[field] = None
        self._may_come_again.add(key)

    def expire(self, key: bytes, entry: Entry) -> None:
        """Note that an entry which is over came to its time.

        An early label has more time than its tombstone, whose time is the prediction's: it may still be stored, and
        look alive.
        """
        if entry.state is EntryState.MET:
            self._given_up[early_field(key, entry)] = None
            self._may_come_again.add(key)

    # -- checkpoints --------------------------------------------------------------------------------------------------

    def take_entries(self) -> dict[bytes, bytes]:
        """Return the fields to write."""
        written, entries, pending = {}, self._entries, EntryState.PENDING
        for key in self._changed:
            entry = entries[key]
            packed = written[entry_field(key, entry)] = pack_entry(entry)
            entry.stored = True
            if entry.state is pending:
                self._payloads.add(entry, len(packed), self._elsewhere)
        self._changed = {}
        return written

    def take_dropped(self) -> list[bytes]:
        """Return the fields to delete."""
        gone = [field for field in self._left if not self._is_stored(field)]
        self._left, self._leaving = self._leaving, {}
        self._given_up = {}
        self._may_come_again = set()
        return gone

    def _is_stored(self, field: bytes) -> bool:
        """Return whether the store is to have a field: what was given up may have come again."""
        key = field[:KEY_BYTES]
        entry = self._entries.get(key)
        return entry is not None and entry.stored and entry_field(key, entry) == field

    def snapshot(self) -> str:
        """Return what was given up since the last checkpoint."""
        return b64encode(b"".join(self._given_up)).decode()

    def restore(self, given_up: str, seen: Seen) -> None:
        """Take over what `snapshot` returned, and the next offsets that belong to it."""
        self._seen = seen
        fields = b64decode(given_up)
        starts = range(0, len(fields), FIELD_BYTES)
        self._given_up = dict.fromkeys(fields[start : start + FIELD_BYTES] for start in starts)
        self._may_come_again = {field[:KEY_BYTES] for field in self._given_up}

    def was_known(self, field: bytes, entry: Entry) -> bool:
        """Return whether the snapshot can have known a stored entry; a late label since then is taken back."""
        if entry.prediction_offset >= self._seen.predictions or field in self._given_up:
            return False
        if entry.state is EntryState.LATE and entry.label_offset >= self._seen.labels:
            entry.state, entry.token, entry.label_offset = EntryState.EXPIRED, None, NONE
        return entry.label_offset < self._seen.labels

    def leave_out(self, field: bytes) -> None:
        """Delete a field that is stored and belongs to nothing here, at the next checkpoint."""
        self._left[field] = None
