"""The records of a batch: read into columns where they are of the common form, and one by one where they are not."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import compress
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, overload

import numpy as np

from driftline.models.fast.sheets import sheet_of
from driftline.models.intake import MAX_AHEAD_MS
from driftline.models.join.entry import hash_ids, id_hash, token_of
from driftline.models.kernels import templates
from driftline.models.kernels.fast import fill
from driftline.models.kernels.ids import NONE
from driftline.models.kernels.join_table import TAKEN
from driftline.models.record import BatchRecord, BatchRow, RawRecord, Record, Refusal
from driftline.schemas.batches import is_arrow
from driftline.schemas.decoding import MAX_BYTES
from driftline.schemas.topics import LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from driftline.models.fast.book import Book
    from driftline.models.fast.sheets import Sheet
    from driftline.models.intake import Intake
    from driftline.models.model import Model

Given: TypeAlias = Record | BatchRecord | RawRecord
"""A record that was read, and maybe holds many events, or one as it came."""

Row: TypeAlias = Record | BatchRow | RawRecord
"""A record that was read, a row of a batch that can be, or a record as it came that is in columns."""

_NEVER: Final = 2**62
_READ: Final = frozenset((Record, BatchRecord))
_PARTS: Final = attrgetter("topic", "offset", "timestamp", "value", "headers")


class _Rows(NamedTuple):
    """Records, what each came as, and its bytes; a batch counts with the last of its rows."""

    records: list[Row]
    raws: Sequence[RawRecord]
    sizes: list[int]
    is_last: list[bool] | None  # row of its batch; None if no record is one

    def part(self, start: int, stop: int) -> _Rows:
        return _Rows(
            self.records[start:stop],
            self.raws[start:stop],
            self.sizes[start:stop],
            None if self.is_last is None else self.is_last[start:stop],
        )


class Reading(Sequence[Record]):
    """Records in order, each row of a batch as one.

    Attributes
    ----------
    rows
        What the join takes of each; of those that are `alone` once `belongs` has said whose they are.
    columns, features
        What was read into columns; `template` is `NONE` of those that are alone.
    alone
        The places of the records that are not in columns.

    """

    def __init__(
        self,
        given: _Rows,
        intake: Intake | None,
        rows: npt.NDArray[np.void],
        columns: npt.NDArray[np.void],
        features: npt.NDArray[np.float64],
    ) -> None:
        self._given = given
        self._intake = intake
        self.rows = rows
        self.columns = columns
        self.features = features
        self.alone: list[int] = []
        self.book_size = 0  # when they were read

    @classmethod
    def read(cls, given: Sequence[Given], intake: Intake | None, book: Book, models: Mapping[str, Model]) -> Reading:
        """Read records; what is not of a form that is in the book is left to the intake, unless it has been read."""
        raws, (topics, offsets, times, values, headers) = _parts_of(given)
        is_label, sizes = [topic == LABELS for topic in topics], [len(value or b"") for value in values]
        texts = _texts_of(given, raws, values, headers)
        columns, features, hashes = _columns_of(texts, is_label, times, book)
        records: list[Row] = []
        alone: list[int] = []
        sheets: list[tuple[BatchRecord, int, Sheet]] = []  # where each begins among the records
        of_given: list[int] = []  # which each of the records is of
        done, has_rows = 0, raws is not given
        for place in np.flatnonzero(columns["template"] == NONE).tolist():
            records += given[done:place]  # type: ignore[arg-type]  # batches are in no book
            of_given += range(done, place)
            first, done, one = len(records), place + 1, given[place]
            if not isinstance(one, Record | BatchRecord):
                assert intake is not None  # noqa: S101 - else they have been read
                one = intake.read_any(one)
            has_rows |= isinstance(one, BatchRecord)
            model = models.get(one.batch.model_id) if isinstance(one, BatchRecord) else None
            sheet = None if model is None or not isinstance(one, BatchRecord) else sheet_of(one.batch, model, book)
            if sheet is None or not isinstance(one, BatchRecord):
                records += one.records()
                alone += range(first, len(records))
            else:
                records += one.rows()
                sheets.append((one, first, sheet))
            of_given += [place] * (len(records) - first)
        records += given[done:]  # type: ignore[arg-type]  # as above
        of_given += range(done, len(given))
        rows = np.zeros(len(records), TAKEN)
        rows["row"] = NONE
        is_last = None
        if has_rows:
            columns = columns[of_given]
            raws, offsets = [raws[at] for at in of_given], [offsets[at] for at in of_given]
            is_label, sizes = [is_label[at] for at in of_given], [sizes[at] for at in of_given]
            rows["row"], is_last = [_row_of(record) for record in records], [_ends(record) for record in records]
            sizes = [size if ends else 0 for size, ends in zip(sizes, is_last, strict=True)]
        rows["offset"], rows["topic"], rows["what"] = offsets, is_label, is_label
        rows["id"][columns["template"] != NONE] = hashes
        for one, first, sheet in sheets:
            places = first + one.batch.places
            sheet.columns["features"] = len(features) + sheet.features.shape[1] * np.arange(len(places))
            features = np.concatenate([features, sheet.features.ravel()])
            columns["template"][first : first + one.batch.rows] = NONE
            columns[places] = sheet.columns
            rows["id"][places] = _hashed(one.batch.prediction_id)
            # As a list: a list and an array would be added up.
            alone += (np.flatnonzero(columns["template"][first : first + one.batch.rows] == NONE) + first).tolist()
        _fill(rows, columns, book)
        reading = cls(_Rows(records, raws, sizes, is_last), intake, rows, columns, features)
        reading.alone = sorted(map(int, alone))
        reading.book_size = book.size
        return reading

    def belongs(self, place: int, join: int) -> None:
        """Say whose a record is that is alone."""
        event = self[place].event
        assert not isinstance(event, Refusal)  # noqa: S101 - it has a model
        row = self.rows[place]
        row["join"], row["at"] = join, event.timestamp
        row["id"] = np.frombuffer(id_hash(event.prediction_id), np.uint8)
        if row["topic"]:
            row["token"] = token_of(event.label)  # type: ignore[union-attr]  # by its topic

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._given.records)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> Reading: ...

    def __getitem__(self, place: int | slice) -> Record | Reading:
        """Return a record, read whole; or some of them, which share their rows with these."""
        if isinstance(place, slice):
            return self._part(place)
        record = self._given.records[place]
        if isinstance(record, BatchRow):
            record = self._given.records[place] = record.record()
        elif not isinstance(record, Record):
            assert self._intake is not None  # noqa: S101 - as above
            record = self._given.records[place] = self._intake.read(record)
        return record

    def _part(self, place: slice) -> Reading:
        start, stop, _ = place.indices(len(self))
        rows, columns = self.rows[start:stop], self.columns[start:stop]
        part = Reading(self._given.part(start, stop), self._intake, rows, columns, self.features)
        part.book_size = self.book_size
        first, last = bisect_left(self.alone, start), bisect_left(self.alone, stop)
        part.alone = [at - start for at in self.alone[first:last]]
        return part

    @property
    def refused(self) -> list[int]:
        """The places of the records that cannot be used."""
        return [place for place in self.alone if isinstance(self[place].event, Refusal)]

    @property
    def ended(self) -> Sequence[RawRecord]:
        """The records as they came that have no more rows than are here."""
        raws, is_last = self._given.raws, self._given.is_last
        return raws if is_last is None else list(compress(raws, is_last))

    @property
    def sizes(self) -> list[int]:
        """How many bytes the records have; a batch counts with the last of its rows."""
        return self._given.sizes

    @property
    def is_whole(self) -> bool:
        """Whether the last record has no more rows than are here."""
        return not self._given.is_last or self._given.is_last[-1]


def _fill(rows: npt.NDArray[np.void], columns: npt.NDArray[np.void], book: Book) -> None:
    """Give the join what was read of records, but for the hashes of their ids."""
    fill(rows, columns, book.known.values)
    numbers = np.flatnonzero((columns["value"] < NONE) & (columns["template"] != NONE) & (rows["topic"] == 1))
    if len(numbers):
        rows["token"][numbers] = list(map(token_of, columns["number"][numbers].tolist()))


def _row_of(record: Row) -> int:
    return NONE if not isinstance(record, Record | BatchRow) or record.row is None else record.row


def _ends(record: Row) -> bool:
    return not isinstance(record, Record | BatchRow) or record.is_last


def _hashed(ids: list[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(map(id_hash, ids)), np.uint8).reshape(-1, 12)


def _parts_of(given: Sequence[Given]) -> tuple[Sequence[RawRecord], Sequence[Sequence[Any]]]:
    """Return the records as they came, and topics, offsets, times, values and headers."""
    raws: Sequence[RawRecord] = given  # type: ignore[assignment]  # as nearly always
    if not _READ.isdisjoint(map(type, given)):
        raws = [one.raw if isinstance(one, Record | BatchRecord) else one for one in given]
    return raws, list(zip(*map(_PARTS, raws), strict=True)) or [()] * 5


def _texts_of(
    given: Sequence[Given], raws: Sequence[RawRecord], values: Sequence[bytes | None], headers: Sequence[Any]
) -> Sequence[bytes]:
    """Return the values of records that may be events in the common form, of others nothing."""
    if raws is given and None not in values and not any(headers) and max(map(len, values), default=0) <= MAX_BYTES:  # type: ignore[arg-type]  # as nearly always
        return values  # type: ignore[return-value]  # none is None
    return [raw.value or b"" if _may_be_read(one, raw) else b"" for one, raw in zip(given, raws, strict=True)]


def _columns_of(
    values: Sequence[bytes], is_label: Sequence[bool], times: Sequence[int | None], book: Book
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    """Return what could be read of records, with their features, and the hashes of the ids of those."""
    columns = np.zeros(len(values), templates.READ)
    if book.is_empty:
        columns["template"] = NONE
        return columns, np.zeros(0), np.zeros((0, 12), np.uint8)
    text = b"".join(values) + b"\0"
    starts = np.zeros(len(values) + 1, np.int64)
    np.cumsum([len(value) for value in values], out=starts[1:])
    latest = np.array([_NEVER if time is None or time < 0 else time + MAX_AHEAD_MS for time in times], np.int64)
    features = np.empty(len(values) * book.most_features + 1)
    topics = np.array(is_label, np.uint8)
    templates.read(book.templates, np.frombuffer(text, np.uint8), starts, topics, latest, columns, features)
    is_read = columns["template"] != NONE
    firsts = columns["id"][is_read]
    hashes = hash_ids(text, firsts.tolist(), (firsts + columns["id_length"][is_read]).tolist())
    return columns, features, np.frombuffer(hashes, np.uint8).reshape(-1, 12)


def _may_be_read(one: Given, raw: RawRecord) -> bool:
    """Return whether a record may be an event in the common form, and was not found to be something else."""
    if isinstance(one, BatchRecord) or (isinstance(one, Record) and isinstance(one.event, Refusal)):
        return False
    if raw.value is not None and len(raw.value) > MAX_BYTES:
        return False
    return not (raw.headers and is_arrow(raw.headers))
