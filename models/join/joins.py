"""The joins of all models of a partition: what comes of a batch of records, and what of that the store is to have.

The payload of a pending prediction may live in the checkpoint store alone (after a restart it does): `needed` tells
which ones a batch will ask for, and the caller then hands them in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.join.entry import (
    NONE,
    PREFIX_BYTES,
    Entry,
    EntryState,
    Pending,
    Truth,
    field_of,
    field_parts,
    pack_entry,
    token_of,
    unpack_entry,
    unpack_mark,
)
from driftline.models.join.label_join import LabelJoin
from driftline.models.join.payload_cache import PayloadCache
from driftline.models.join.table import JoinTable
from driftline.models.kernels import join_table as kernels
from driftline.models.kernels.templates import FLOATING
from driftline.schemas.errors import SnapshotError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy.typing as npt

    from driftline.schemas.fields import Scalar

_STATES: Final = {state.value: state for state in EntryState}
_KINDS: Final = {EntryState.PENDING.value: ord("p"), EntryState.EARLY.value: ord("e")}
_COLUMNS: Final = (
    "at",
    "offset",
    "number",
    "score",
    "challenger",
    "predicted",
    "version",
    "value",
    "segments",
    "inputs",
    "probabilities",
    "told",
)
_WRITTEN: Final = ("low", "high", "expires", "prediction_offset", "label_offset", "token", "payload", "state")


class Joins:
    """The joins of a partition.

    Attributes
    ----------
    versions, values, segments, told
        What the numbers stand for that payloads in columns have; `told` are names of classes.

    Examples
    --------
    >>> import numpy as np
    >>> from driftline.models.join.entry import Pending, Truth, id_hash
    >>> joins = Joins()
    >>> join = joins.open("m", timeout=60_000, max_pending=1000)
    >>> rows = np.zeros(2, kernels.TAKEN)
    >>> rows["id"] = np.frombuffer(id_hash("p"), np.uint8)
    >>> rows["what"], rows["at"], rows["watermark"] = (kernels.PREDICTION, kernels.LABEL), (0, 9), (0, 9)
    >>> joins.take(rows)
    >>> [["nothing", "waits", "a pair"][result] for result in rows["result"]]
    ['waits', 'a pair']
    >>> join.counts.joined, join.pending
    (1, 0)

    """

    def __init__(self) -> None:
        self.table = JoinTable()
        self._joins: list[LabelJoin] = []
        self._by_prefix: dict[bytes, LabelJoin] = {}
        self._cache = PayloadCache(self.table)
        self.versions: list[str] = []
        self.values: list[Scalar] = []
        self.segments: list[dict[str, str] | None] = []
        self.told: list[tuple[str, ...]] = []

    def open(self, model_id: str, *, timeout: int, max_pending: int) -> LabelJoin:
        """Begin with a model, anew if it is there."""
        join = LabelJoin(model_id, self.table, timeout=timeout, max_pending=max_pending)
        self._joins.append(join)
        self._by_prefix[join.prefix] = join
        return join

    def pending(self, place: int) -> Pending:
        """Return the prediction that waits in a place, or has done so since `recycle`."""
        payload = self.table.payloads[place]
        if payload is None:
            payload = next(self._payloads_of(np.array([place], np.int32)))
        assert isinstance(payload, Pending)  # noqa: S101 - by the rules of the join
        return payload

    def truth(self, place: int) -> Truth:
        """Return the label that has waited in a place."""
        payload = self.table.payloads[place]
        assert isinstance(payload, Truth)  # noqa: S101 - by the rules of the join
        return payload

    def is_running(self, place: int) -> bool:
        """Return whether the row of a prediction waits, so that it is not known yet what the challenger says of it."""
        return self.table.payloads[place] is None and self.table.payload(place)["row"] != NONE

    def combination(self, place: int, owner: int) -> int:
        """Return the number of the segments of a prediction in columns, `NONE` if it has none or is another's."""
        columns = self.table.payload(place)
        return int(columns["segments"]) if columns["in_columns"] and columns["owner"] == owner else NONE

    def unfold(self) -> None:
        """Turn all payloads in columns into objects; the numbers may stand for other things from here on."""
        places = self.table.in_columns()
        for place, payload in zip(places.tolist(), self._payloads_of(places), strict=True):
            self.table.payloads[place] = payload
            self.table.payload(place)["in_columns"] = 0
        self.versions, self.values, self.segments, self.told = [], [], [], []

    # -- records ------------------------------------------------------------------------------------------------------

    @property
    def payloads(self) -> list[Pending | Truth | None]:
        """What waits, by the place that its record was given: to be put there, and to be found there by its pair."""
        return self.table.payloads

    @property
    def are_elsewhere(self) -> bool:
        """Whether any payload is in the store only."""
        return self.table.are_elsewhere

    def needed(self, rows: npt.NDArray[np.void]) -> dict[bytes, int]:
        """Return the fields whose payloads a batch will ask for and only the store has, with their entries."""
        found = self.table.elsewhere(rows)
        found = np.unique(found[found != NONE])
        entries = self.table.entries(found)
        columns = (entries[name].tolist() for name in ("low", "high", "prediction_offset"))
        return {
            self._field(low, high, _KINDS[EntryState.PENDING], offset): index
            for index, low, high, offset in zip(found.tolist(), *columns, strict=True)
        }

    def load(self, needed: Mapping[bytes, int], found: Mapping[bytes, bytes]) -> list[int]:
        """Take payloads that `needed` has named from what the store had; return their places.

        Raises
        ------
        SnapshotError
            If one is not there: the store has lost it.

        """
        loaded = [self._unpacked(found.get(field)) for field in needed]
        return self.table.load(list(needed.values()), loaded)

    @staticmethod
    def _unpacked(packed: bytes | None) -> Pending:
        pending = None if packed is None else unpack_entry(packed).payload
        if not isinstance(pending, Pending):
            raise SnapshotError(
                "the store has lost a prediction that waits for its label: restore it, or delete the state"
            )
        return pending

    def take(self, rows: npt.NDArray[np.void]) -> None:
        """Take records of type TAKEN, in order; they say what came of them."""
        self.table.take(rows)

    def recycle(self) -> None:
        """Say that nobody needs any more what has been joined or given up."""
        self.table.recycle()

    def _field(self, low: int, high: int, kind: int, offset: int) -> bytes:
        return field_of(self._joins[high & 0xFFFFFFFF].prefix, low, high, kind, offset)

    # -- state --------------------------------------------------------------------------------------------------------

    def take_entries(self) -> dict[bytes, bytes]:
        """Return the fields to write; that may be done ahead of snapshots, to have their payloads out of memory."""
        written: dict[bytes, bytes] = {}
        entries = self.table.entries(self.table.written())
        payloads, places, sizes = self._payloads_of(entries["payload"]), [], []
        columns = (entries[name].tolist() for name in _WRITTEN)
        for low, high, expires, prediction_offset, label_offset, token, place, state, payload in zip(
            *columns, payloads, strict=True
        ):
            packed = pack_entry(Entry(_STATES[state], expires, payload, token, prediction_offset, label_offset))
            kind = _KINDS.get(state, ord("t"))
            offset = label_offset if kind == ord("e") else prediction_offset
            written[self._field(low, high, kind, offset)] = packed
            if kind == ord("p"):
                places.append(place)
                sizes.append(len(packed))
        if places:
            self._cache.add(np.array(places, np.int32), np.array(sizes, np.int64))
        return written

    def _payloads_of(self, places: npt.NDArray[np.int32]) -> Iterator[Pending | Truth | None]:
        """Yield what waits in places: many at once take a fifth of the time that each would by itself."""
        columns, shown = self.table.payload(places), self.table.arrays.inputs[places]
        objects = self.table.payloads
        of_all = zip(places.tolist(), *(columns[name].tolist() for name in _COLUMNS), strict=True)
        for nth, row in enumerate(of_all):
            place, at, offset, number, score, said, given, version, value, segments, inputs, count, told = row
            if place == NONE or objects[place] is not None:
                yield None if place == NONE else objects[place]
                continue
            behind = max(inputs, 0)
            probabilities = shown[nth, behind : behind + count].tolist() if count else ()
            yield Pending(
                at,
                offset,
                self.versions[version],
                self.values[value] if value >= 0 else given if value == FLOATING else int(given),
                None if score != score else score,  # noqa: PLR0124 - NaN is what differs from itself
                dict(zip(self.told[told], probabilities, strict=True)) if count else None,
                None if segments == NONE else self.segments[segments],
                None if inputs == NONE else shown[nth, :inputs].tobytes(),
                None if inputs == NONE else said,
                number,
            )

    def saved(self) -> None:
        """Say that what was to be written is stored: memory need not hold all of it any more."""
        self._cache.trim()

    def restore(self, entries: Iterable[tuple[bytes, bytes]]) -> None:
        """Take over stored entries of models that are open; payloads of predictions stay in the store till needed.

        Raises
        ------
        DamagedError
            If the bytes of one are not those that were written.

        """
        stored = [(field, packed, unpack_mark(packed)) for field, packed in entries]
        restored = np.zeros(len(stored), kernels.ENTRY)
        is_given_up = np.zeros(len(stored), np.uint8)
        early: list[tuple[int, Truth]] = []
        for n, (field, packed, entry) in enumerate(stored):
            join = self._by_prefix[field[:PREFIX_BYTES]]
            low, high, *_ = field_parts(field, join.index)
            token = entry.token
            if entry.state is EntryState.EARLY:
                truth: Any = unpack_entry(packed).payload
                early.append((n, truth))
                token = token_of(truth.label)
            row = restored[n]
            row["low"], row["high"], row["expires"], row["token"] = low, high, entry.expires, token
            row["prediction_offset"], row["label_offset"] = entry.prediction_offset, entry.label_offset
            row["state"], row["payload"] = entry.state, NONE
            is_given_up[n] = self.table.stored[join.index].is_given_up(field)
        left_out = self.table.restore(restored, is_given_up)
        for n, truth in early:
            if not left_out[n]:
                self.table.payloads[restored[n]["payload"]] = truth
        for n in np.flatnonzero(left_out).tolist():
            field = stored[n][0]
            self._by_prefix[field[:PREFIX_BYTES]].leave_out(field)
        self.table.recycle()
