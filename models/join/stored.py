"""What the checkpoint store has of a join: what is to be written and deleted, and what a snapshot can have known of.

The store may be ahead of the snapshot that a join is restored from: entries are written before the snapshot of their
checkpoint, which may never have come, and the newest snapshot may be damaged, so that the one before must do. Therefore
entries are only ever added, and what they replace is deleted one checkpoint of the model late, after its snapshot; and
of what is found in the store, what the snapshot cannot have known is left out: by offsets, by the watermark, and by the
list of what was given up.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from driftline.models.join.entry import FIELD_BYTES, KEY_BYTES, field_of, field_parts
from driftline.models.kernels import join_table as kernels

if TYPE_CHECKING:
    import numpy.typing as npt


class Seen(NamedTuple):
    """The next offsets of both topics: records below have been taken."""

    predictions: int
    labels: int


class StoredEntries:
    """Keeps account of the stored fields of one model.

    Parameters
    ----------
    prefix, model
        With what all fields of the model begin, and its number in the table.

    """

    def __init__(self, prefix: bytes, model: int) -> None:
        self._prefix = prefix
        self._model = model
        self._given_up: dict[bytes, None] = {}  # fields, since the last checkpoint, and not because of their time
        self._given_up_before: dict[bytes, None] = {}  # in the checkpoint before: they may not have been deleted
        self._may_come_again: set[bytes] = set()  # their keys: after a restart the same records come once more
        # Fields that are of no use any more, since the last checkpoint; and those before: no snapshot needs them. They
        # stand one after the other, since of a thousand models each waits long for its turn, and gathers many.
        self._leaving = bytearray()
        self._left = bytearray()

    def note(self, what: int, low: int, high: int, kind: int, offset: int) -> None:
        """Take what the table notes of a field."""
        field = field_of(self._prefix, low, high, kind, offset)
        if what == kernels.LEFT:
            self._leaving += field
        elif what == kernels.GIVEN_UP:
            self._given_up[field] = None
            self._may_come_again.add(field[:KEY_BYTES])
        elif field[:KEY_BYTES] in self._may_come_again:
            self._given_up.pop(field, None)
            self._given_up_before.pop(field, None)

    def take_dropped(self) -> tuple[list[bytes], npt.NDArray[np.void]]:
        """Return the fields to delete unless they are stored again, and the same in the shape of notes."""
        left = list(dict.fromkeys(_fields_of(self._left)))
        fields = np.zeros(len(left), kernels.NOTE)
        for place, field in enumerate(left):
            fields[place] = (0, self._model, *field_parts(field, self._model))
        self._left, self._leaving = self._leaving, bytearray()
        self._given_up_before, self._given_up = self._given_up, {}
        self._may_come_again = {field[:KEY_BYTES] for field in self._given_up_before}
        return left, fields

    def snapshot(self) -> str:
        """Return what was given up since the checkpoint before the last one."""
        return b64encode(b"".join(self._given_up_before | self._given_up)).decode()

    def restore(self, given_up: str) -> None:
        """Take over what `snapshot` returned."""
        self._given_up = dict.fromkeys(_fields_of(b64decode(given_up)))
        self._may_come_again = {field[:KEY_BYTES] for field in self._given_up}

    @property
    def is_wary(self) -> bool:
        """Whether something was given up that may come again."""
        return bool(self._may_come_again)

    def is_given_up(self, field: bytes) -> bool:
        """Return whether a stored field was given up when the snapshot was made."""
        return field in self._given_up

    def leave_out(self, field: bytes) -> None:
        """Delete a field that is stored and belongs to nothing here, at the next checkpoint."""
        self._left += field


def _fields_of(joined: bytes | bytearray) -> list[bytes]:
    """Return the fields that stand one after the other."""
    return [bytes(joined[start : start + FIELD_BYTES]) for start in range(0, len(joined), FIELD_BYTES)]
