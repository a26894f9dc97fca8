"""All rows of a record, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from driftline.models.record import Record


class Admission:
    """Whether the rows of the record at hand are taken: as the first of them was, whose offset they share.

    That row moves the offsets that records are compared with; the others would seem to have come before.
    """

    def __init__(self) -> None:
        self._is_new = False
        self._is_awaited: bool | None = None

    def of(self, record: Record, *, is_new: bool, is_awaited: bool | None) -> tuple[bool, bool]:
        """Return whether a row is new to the partition, and whether its model awaits it.

        Parameters
        ----------
        record
            The rows of one come in order, and no other in between.
        is_new, is_awaited
            What its offset says: of use for the first row; None where the model is not known yet, which a bad row may
            come before.

        """
        if record.row == 0:
            self._is_new, self._is_awaited = is_new, None
        if self._is_awaited is None:
            self._is_awaited = is_awaited
        return self._is_new, bool(self._is_awaited)
