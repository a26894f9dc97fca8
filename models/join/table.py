"""The entries of all models of a partition: kernels change them, a batch at a time; this makes room for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.join.stored import StoredEntries
from driftline.models.kernels import join, join_store
from driftline.models.kernels import join_table as kernels
from driftline.models.kernels.expiry import NEVER
from driftline.models.kernels.ids import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from driftline.models.join.entry import Pending, Truth
    from driftline.models.kernels.types import Record

_ENTRIES: Final = 64
_PAYLOADS: Final = 64
_NOTES: Final = 1024
_NUMBERS: Final = 9
_MOST_NOTES: Final = 65_536  # that are kept room for, once they have been told


class JoinTable:
    """Entries, payloads, and what is to be told of them; all of it grows as it must.

    Attributes
    ----------
    payloads
        What waits, by the place that a record was given: a prediction, or a label that came before it.
    stored
        The fields that each model has in the store, as of the last `account`.

    """

    def __init__(self) -> None:
        self.payloads: list[Pending | Truth | None] = [None] * _PAYLOADS
        self.stored: list[StoredEntries] = []
        self._arrays = kernels.Table(
            np.zeros(_ENTRIES, kernels.ENTRY),
            np.full(2 * _ENTRIES, NONE, np.int32),
            np.zeros(1, kernels.JOIN),
            np.zeros(_PAYLOADS, kernels.PAYLOAD),
            np.zeros(_NUMBERS, np.int64),
            np.zeros(_NOTES, kernels.NOTE),
            np.zeros(_NOTES, np.int32),
            np.zeros((_PAYLOADS, 0)),
        )
        numbers = self._arrays.numbers
        numbers[kernels.SEED] = hash("driftline")  # another one in each process: nobody can aim at one place
        numbers[[kernels.FREE, kernels.FREE_PAYLOAD, kernels.RELEASED]] = NONE
        join_store.free_entries(self._arrays, 0)
        join_store.free_payloads(self._arrays, 0)

    def __len__(self) -> int:
        """Return how many ids are remembered."""
        return int(self._arrays.numbers[kernels.USED])

    # -- models -------------------------------------------------------------------------------------------------------

    def open(self, prefix: bytes, timeout: int, most: int) -> int:
        """Return the number of a new model, whose fields in the store begin with a prefix."""
        model = len(self.stored)
        self.stored.append(StoredEntries(prefix, model))
        if model == len(self._arrays.joins):
            self._arrays = self._arrays._replace(joins=_grown(self._arrays.joins, 2 * model))
        record = self.join(model)
        record["timeout"], record["most"], record["earliest"] = timeout, most, NEVER
        for name in ("first", "last", "root", "last_label"):
            record[name] = NONE
        return model

    def join(self, model: int) -> Record:
        """Return the record of a model's join; the next `open` may move it."""
        return self._arrays.joins[model]

    @property
    def arrays(self) -> kernels.Table:
        """What kernels are given; the next record may move it."""
        return self._arrays

    def payload(self, place: int | npt.NDArray[np.int32]) -> Record:
        """Return the columns of a payload, or of some."""
        return self._arrays.payloads[place]

    def in_columns(self) -> npt.NDArray[np.int32]:
        """Return the payloads that wait in columns."""
        entries, payloads = self._arrays.entries, self._arrays.payloads
        places = entries["payload"][(entries["state"] == kernels.PENDING) & (entries["payload"] != NONE)]
        waiting: npt.NDArray[np.int32] = places[payloads["in_columns"][places] != 0]
        return waiting

    def fit(self, inputs: int) -> None:
        """Have room for so many inputs of a challenger, and probabilities, with each payload."""
        before = self._arrays.inputs
        if inputs > before.shape[1]:
            grown = np.zeros((len(before), inputs))
            grown[:, : before.shape[1]] = before
            self._arrays = self._arrays._replace(inputs=grown)

    # -- records ------------------------------------------------------------------------------------------------------

    def take(self, rows: npt.NDArray[np.void]) -> None:
        """Take records, in order; they say what came of them. Payloads that are let go stay until `recycle`."""
        self._make_room(len(rows))
        start, is_done = 0, False
        while not is_done:
            start, is_done = join.take(self._arrays, rows, start)
            if not is_done:
                self._make_room_for_notes()

    def expire(self, model: int, watermark: int) -> None:
        """Give up what was due before the watermark."""
        self._repeat(lambda: join.expire(self._arrays, model, watermark))

    def recycle(self) -> None:
        """Say that nobody needs any more what was let go."""
        ended = np.empty(len(self._arrays.payloads), np.int32)
        payloads = self.payloads
        for place in ended[: join_store.recycle(self._arrays, ended)].tolist():
            payloads[place] = None

    @property
    def are_elsewhere(self) -> bool:
        """Whether any payload is in the store only."""
        return bool(self._arrays.joins["elsewhere"].any())

    def elsewhere(self, rows: npt.NDArray[np.void]) -> npt.NDArray[np.int32]:
        """Return the entries that records will ask for and only the store has the payloads of, else `NONE`."""
        found = np.empty(len(rows), np.int32)
        join_store.find(self._arrays, rows, found)
        return found

    def load(self, indices: Sequence[int], loaded: Sequence[Pending]) -> list[int]:
        """Put back the payloads of entries that only the store had; return their places."""
        self._make_room(len(loaded))
        times, places = np.array([pending.at for pending in loaded], np.int64), np.empty(len(loaded), np.int32)
        join_store.load(self._arrays, np.array(indices, np.int32), times, places)
        for place, pending in zip(places.tolist(), loaded, strict=True):
            self.payloads[place] = pending
        listed: list[int] = places.tolist()
        return listed

    def _repeat(self, step: Callable[[], bool]) -> None:
        while not step():
            self._make_room_for_notes()

    # -- state --------------------------------------------------------------------------------------------------------

    def entries(self, indices: npt.NDArray[np.int32]) -> npt.NDArray[np.void]:
        """Return entries."""
        return self._arrays.entries[indices]

    def written(self) -> npt.NDArray[np.int32]:
        """Return the entries that have changed; from here on they count as stored."""
        wanted = np.empty(int(self._arrays.numbers[kernels.CHANGES]), np.int32)
        return wanted[: join_store.written(self._arrays, wanted)]

    def serials(self, places: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
        """Return by which number each of some payloads was stored."""
        serials: npt.NDArray[np.int64] = self._arrays.payloads["serial"][places]
        return serials

    def let_go(self, places: npt.NDArray[np.int32], serials: npt.NDArray[np.int64]) -> None:
        """Leave payloads to the store that were stored by these numbers, as far as they still wait."""
        join_store.let_go(self._arrays, places, serials)
        self.recycle()

    def account(self) -> None:
        """Tell `stored` what has become of fields since this was done last."""
        arrays = self._arrays
        count = int(arrays.numbers[kernels.NOTES])
        arrays.numbers[kernels.NOTES] = 0
        if len(arrays.notes) > _MOST_NOTES:
            self._arrays = arrays._replace(notes=np.zeros(_NOTES, kernels.NOTE))
        for what, model, *field in arrays.notes[:count].tolist():
            self.stored[model].note(what, *field)

    def discard(self) -> None:
        """Forget what would have to be written and deleted: there is no store."""
        self._arrays.numbers[[kernels.NOTES, kernels.CHANGES]] = 0

    def dropped(self, model: int) -> list[bytes]:
        """Return the fields of a model to delete with the snapshot that was taken just now."""
        self.account()
        left, fields = self.stored[model].take_dropped()
        self.join(model)["wary"] = self.stored[model].is_wary
        is_kept = np.zeros(len(left), np.uint8)  # what was given up may have come again
        join_store.are_stored(self._arrays, fields, is_kept)
        return [field for field, kept in zip(left, is_kept.tolist(), strict=True) if not kept]

    def restore(self, restored: npt.NDArray[np.void], is_given_up: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Take over stored entries; return which were left out. `payload` says where early labels are to be put."""
        self._make_room(len(restored))
        self._make_room_for_notes(len(restored))
        left_out = np.empty(len(restored), np.uint8)
        join_store.restore(self._arrays, restored, is_given_up, left_out)
        return left_out

    # -- room ---------------------------------------------------------------------------------------------------------

    def _make_room(self, records: int) -> None:
        numbers = self._arrays.numbers
        size = len(self._arrays.entries)
        if size - numbers[kernels.USED] < records:
            more = _size(size, int(numbers[kernels.USED]) + records)
            places = np.full(2 * more, NONE, np.int32)
            self._arrays = self._arrays._replace(entries=_grown(self._arrays.entries, more), places=places)
            join_store.scatter(self._arrays)
            join_store.free_entries(self._arrays, size)
        size = len(self._arrays.payloads)
        if size - numbers[kernels.USED_PAYLOADS] < records:
            more = _size(size, int(numbers[kernels.USED_PAYLOADS]) + records)
            inputs = np.zeros((more, self._arrays.inputs.shape[1]))
            inputs[:size] = self._arrays.inputs
            self._arrays = self._arrays._replace(payloads=_grown(self._arrays.payloads, more), inputs=inputs)
            self.payloads += [None] * (more - size)
            join_store.free_payloads(self._arrays, size)

    def _make_room_for_notes(self, more: int = _NOTES) -> None:
        arrays, numbers = self._arrays, self._arrays.numbers
        for name, number in (("notes", kernels.NOTES), ("changes", kernels.CHANGES)):
            array = getattr(arrays, name)
            needed = int(numbers[number]) + more
            if len(array) < needed:
                arrays = arrays._replace(**{name: _grown(array, _size(len(array), needed))})
        self._arrays = arrays


def _size(before: int, needed: int) -> int:
    """Return a power of two that has room: for so many at least, and so that growing is seldom."""
    size = before
    while size < needed:
        size *= 2
    return size


def _grown(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    grown = np.zeros(size, array.dtype)
    raw = array.view(np.uint8).reshape(len(array), array.itemsize)
    grown.view(np.uint8).reshape(size, array.itemsize)[: len(array)] = raw
    return grown
