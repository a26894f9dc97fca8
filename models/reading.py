"""The records of a batch: read into columns where they are of the common form, and one by one where they are not."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, overload

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

_NEVER = 2**62


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
        records: list[Row],
        intake: Intake | None,
        rows: npt.NDArray[np.void],
        columns: npt.NDArray[np.void],
        features: npt.NDArray[np.float64],
    ) -> None:
        self._records = records
        self._intake = intake
        self.rows = rows
        self.columns = columns
        self.features = features
        self.alone: list[int] = []
        self.book_size = 0  # when they were read

    @classmethod
    def read(cls, given: Sequence[Given], intake: Intake | None, book: Book, models: Mapping[str, Model]) -> Reading:
        """Read records; what is not of a form that is in the book is left to the intake, unless it has been read."""
        raws = [record.raw if isinstance(record, Record | BatchRecord) else record for record in given]
        columns, features, hashes = _columns_of(given, raws, book)
        is_read = (columns["template"] != NONE).tolist()
        records: list[Row] = []
        alone: list[int] = []
        sheets: list[tuple[BatchRecord, int, Sheet]] = []  # where each begins among the records
        of_given: list[int] = []  # which each of the records is of
        for place, one in enumerate(given):
            first = len(records)
            if is_read[place]:
                records.append(one)  # type: ignore[arg-type]  # batches are in no book
                of_given.append(place)
                continue
            if not isinstance(one, Record | BatchRecord):
                assert intake is not None  # noqa: S101 - else they have been read
                one = intake.read_any(one)  # noqa: PLW2901 - the same, read
            model = models.get(one.batch.model_id) if isinstance(one, BatchRecord) else None
            sheet = None if model is None or not isinstance(one, BatchRecord) else sheet_of(one.batch, model, book)
            if sheet is None or not isinstance(one, BatchRecord):
                records += one.records()
                alone += range(first, len(records))
            else:
                records += one.rows()
                sheets.append((one, first, sheet))
            of_given += [place] * (len(records) - first)
        if len(of_given) > len(given) or sheets:
            columns = columns[of_given]
        rows = np.zeros(len(records), TAKEN)
        rows["offset"] = [raws[place].offset for place in of_given]
        rows["topic"] = rows["what"] = [raws[place].topic == LABELS for place in of_given]
        rows["row"] = [NONE if record.row is None else record.row for record in map(_as_row, records)]
        rows["id"][columns["template"] != NONE] = hashes
        for one, first, sheet in sheets:
            places = first + one.batch.places
            sheet.columns["features"] = len(features) + sheet.features.shape[1] * np.arange(len(places))
            features = np.concatenate([features, sheet.features.ravel()])
            columns["template"][first : first + one.batch.rows] = NONE
            columns[places] = sheet.columns
            rows["id"][places] = _hashed(one.batch.prediction_id)
            alone += np.flatnonzero(columns["template"][first : first + one.batch.rows] == NONE) + first
        fill(rows, columns, book.known.values)
        reading = cls(records, intake, rows, columns, features)
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
        return len(self._records)

    @overload
    def __getitem__(self, place: int) -> Record: ...

    @overload
    def __getitem__(self, place: slice) -> Reading: ...

    def __getitem__(self, place: int | slice) -> Record | Reading:
        """Return a record, read whole; or some of them, which share their rows with these."""
        if isinstance(place, slice):
            return self._part(place)
        record = self._records[place]
        if isinstance(record, BatchRow):
            record = self._records[place] = record.record()
        elif not isinstance(record, Record):
            assert self._intake is not None  # noqa: S101 - as above
            record = self._records[place] = self._intake.read(record)
        return record

    def _part(self, place: slice) -> Reading:
        start, stop, _ = place.indices(len(self))
        records, rows, columns = self._records[start:stop], self.rows[start:stop], self.columns[start:stop]
        part = Reading(records, self._intake, rows, columns, self.features)
        part.book_size = self.book_size
        first, last = bisect_left(self.alone, start), bisect_left(self.alone, stop)
        part.alone = [at - start for at in self.alone[first:last]]
        return part

    @property
    def refused(self) -> list[int]:
        """The places of the records that cannot be used."""
        return [place for place in self.alone if isinstance(self[place].event, Refusal)]

    @property
    def ended(self) -> list[RawRecord]:
        """The records as they came that have no more rows than are here."""
        return [row.raw for row in map(_as_row, self._records) if row.is_last]

    @property
    def sizes(self) -> list[int]:
        """How many bytes the records have; a batch counts with the last of its rows."""
        return [len(row.raw.value or b"") if row.is_last else 0 for row in map(_as_row, self._records)]

    @property
    def is_whole(self) -> bool:
        """Whether the last record has no more rows than are here."""
        return not self._records or _as_row(self._records[-1]).is_last


class _Alone(NamedTuple):
    """A record that is no batch, in the shape of a row."""

    raw: RawRecord
    row: int | None = None
    is_last: bool = True


def _as_row(record: Row) -> Record | BatchRow | _Alone:
    return record if isinstance(record, Record | BatchRow) else _Alone(record)


def _hashed(ids: list[str]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(map(id_hash, ids)), np.uint8).reshape(-1, 12)


def _columns_of(
    given: Sequence[Given], raws: Sequence[RawRecord], book: Book
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
    """Return what could be read of records, with their features, and the hashes of the ids of those."""
    columns = np.zeros(len(raws), templates.READ)
    if book.is_empty:
        columns["template"] = NONE
        return columns, np.zeros(0), np.zeros((0, 12), np.uint8)
    values = [raw.value or b"" if _may_be_read(one, raw) else b"" for one, raw in zip(given, raws, strict=True)]
    text = b"".join(values) + b"\0"
    starts = np.zeros(len(values) + 1, np.int64)
    np.cumsum([len(value) for value in values], out=starts[1:])
    topics = np.array([raw.topic == LABELS for raw in raws], np.uint8)
    times = [raw.timestamp for raw in raws]
    latest = np.array([_NEVER if time is None or time < 0 else time + MAX_AHEAD_MS for time in times], np.int64)
    features = np.empty(len(raws) * book.most_features + 1)
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
