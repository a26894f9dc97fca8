"""From a record that holds many events to their columns, checked, and to each as it would be by itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import UNSET

from driftline.models.batch import checks
from driftline.models.batch.arrow_form import read_arrow
from driftline.models.batch.column import Coded, Column, Loose, Mask, Places
from driftline.models.batch.sheet import Kind, Sheet, sheet_of
from driftline.models.wire import WireLabel, WirePrediction
from driftline.schemas.batches import MAX_BATCH_DEPTH, ROWS, is_arrow
from driftline.schemas.decoding import parse, validate
from driftline.schemas.errors import DecodeError
from driftline.schemas.events import Label
from driftline.schemas.fields import MAX_NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from driftline.models.record import RawRecord

Doubles: TypeAlias = npt.NDArray[np.float64]
Event: TypeAlias = WirePrediction | WireLabel

_MARK: Final = f'"{ROWS}"'.encode()
_ESCAPE: Final = b"\\u"
_FEW: Final = 16
_ENTRIES: Final[dict[str, Callable[[Any], bool]]] = {"probabilities": checks.is_share, "segments": checks.is_value}


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that cannot be used: why, and the event that it would have been in a record of its own, as JSON."""

    row: int
    error: DecodeError
    value: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The rows of a record that can be used, by columns, and those that cannot.

    Parameters
    ----------
    sheet
        The batch as it came.
    places
        Which rows of it the columns are of, in order.
    late
        Rows that something else than their fields has ruled out, and what.
    prediction_id, timestamp, value
        The ids, epoch milliseconds, and the labels or what was predicted.
    score, latency_ms, weight
        NaN where there is none; None if there is none anywhere.
    probabilities
        By class; NaN where there is none.
    features
        By name; see `driftline.models.batch.column.numbers`.
    segments
        By attribute.

    Examples
    --------
    >>> from driftline.models.record import FileRecord
    >>> value = b'{"model_id":"m","rows":3,"prediction_id":["a","","c"],"timestamp":0,"label":[1,0,1]}'
    >>> batch = read_batch(FileRecord("labels", 0, value), Label)
    >>> batch.prediction_id, batch.value.tolist(), batch.places.tolist()
    (['a', 'c'], [1, 1], [0, 2])
    >>> [(refused.row, refused.error.reason.value) for refused in batch.refused()]
    [(1, 'empty_name')]

    """

    sheet: Sheet
    places: Places
    prediction_id: list[str]
    timestamp: npt.NDArray[np.int64]
    value: Column
    score: Doubles | None = None
    probabilities: dict[str, Doubles] = field(default_factory=dict)
    features: dict[str, Column] = field(default_factory=dict)
    segments: dict[str, Coded] = field(default_factory=dict)
    latency_ms: Doubles | None = None
    weight: Doubles | None = None
    late: dict[int, DecodeError] = field(default_factory=dict)

    @property
    def model_id(self) -> str:
        """Whose events they are."""
        model_id: str = self.sheet.own["model_id"]
        return model_id

    @property
    def rows(self) -> int:
        """How many rows there are, good and bad."""
        return self.sheet.rows

    def refuse(self, bad: Mask, why: Callable[[int], DecodeError]) -> Batch:
        """Return the batch without some of its good rows; `why` is told where a row stands among them."""
        late = {int(self.places[at]): why(at) for at in np.flatnonzero(bad).tolist()}
        return replace(_taken(self, np.flatnonzero(~bad)), late=self.late | late)

    def refused(self) -> Iterator[RefusedRow]:
        """Yield the rows that cannot be used, in order."""
        good = np.zeros(self.rows, np.bool_)
        good[self.places] = True
        for row in np.flatnonzero(~good).tolist():
            yield self._refused(row)

    def _refused(self, row: int) -> RefusedRow:
        fields = self.sheet.fields(row)
        error = self.late.get(row)
        if error is None:
            try:
                event = validate(_shortened(fields), self.sheet.kind)
            except DecodeError as found:
                error = found
            else:
                raise AssertionError(f"row {row} of a batch was refused, and is a good {type(event).__name__}")
        return RefusedRow(row, error, json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())

    def events(self) -> Iterator[tuple[int, WirePrediction | WireLabel | RefusedRow]]:
        """Yield every row in order, with its number: the event that it is, or why it is none."""
        bad = self.refused()
        row = 0
        for place, event in zip(self.places.tolist(), self._good(), strict=True):
            while row < place:
                yield row, next(bad)
                row += 1
            yield row, event
            row += 1
        yield from ((refused.row, refused) for refused in bad)

    def event(self, at: int) -> Event:
        """Return one of the good rows, by its place among them, as the event that it is."""
        return next(_taken(self, np.array([at]))._good())  # noqa: SLF001 - of the same class

    def _good(self) -> Iterator[Event]:
        own = self.sheet.own
        model_id, version = own["model_id"], own.get("schema_version", UNSET)
        ids, times, values = self.prediction_id, self.timestamp.tolist(), self.value.tolist()
        if self.sheet.kind is Label:
            for prediction_id, at, value, weight in zip(ids, times, values, self._optional(self.weight), strict=True):
                yield WireLabel(model_id, prediction_id, at, value, weight, version)
            return
        model_version = own["model_version"]
        rows = zip(
            ids,
            times,
            values,
            self._optional(self.score),
            self._entries({name: _listed(column) for name, column in self.probabilities.items()}),
            self._entries({name: column.tolist() for name, column in self.features.items()}),
            self._entries({name: column.tolist() for name, column in self.segments.items()}),
            self._optional(self.latency_ms),
            strict=True,
        )
        for prediction_id, at, value, score, probabilities, features, segments, latency in rows:
            yield WirePrediction(
                model_id,
                model_version,
                prediction_id,
                at,
                value,
                score,
                probabilities or None,
                features,
                segments,
                latency,
                version,
            )

    def _optional(self, column: Doubles | None) -> Sequence[float | None]:
        return [None] * len(self.places) if column is None else _listed(column)

    def _entries(self, columns: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
        """Yield an object for each row, of what it has."""
        if not columns:
            yield from ({} for _ in self.prediction_id)
            return
        names = list(columns)
        has_gaps = any(None in column for column in columns.values())
        for values in zip(*columns.values(), strict=True):
            entries = zip(names, values, strict=True)
            yield {name: value for name, value in entries if value is not None} if has_gaps else dict(entries)


def _shortened(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a bad row without entries after the first that is wrong.

    That is the one of which the reason tells, and pydantic takes 2 us to complain of each.
    """
    shorter = {}
    for name, is_good in _ENTRIES.items():
        entries = fields.get(name, {})
        if len(entries) > _FEW:
            wrong = next((entry for entry, value in entries.items() if not is_good(value)), None)
            shorter[name] = entries if wrong is None else {wrong: entries[wrong]}
    return fields | shorter


def _listed(column: Doubles) -> list[float | None]:
    numbers: list[float | None] = column.tolist()
    if not np.isnan(column).any():
        return numbers
    return [None if number != number else number for number in numbers]  # noqa: PLR0124 - NaN is what differs from itself


def read_batch(record: RawRecord, kind: Kind) -> Batch | None:
    """Read a record if it is a batch.

    Parameters
    ----------
    record
        As it came: its headers tell of Arrow, its value of JSON.
    kind
        What each row is: `Prediction` or `Label`. The topic tells which.

    Returns
    -------
    Batch | None
        Or None: then it is a single event, if it is anything.

    Raises
    ------
    DecodeError
        If no row of it can be used, because the record as a whole cannot.

    """
    value = record.value
    if record.headers and is_arrow(record.headers):
        fields = read_arrow(value or b"")
    else:
        if value is None or (_MARK not in value and _ESCAPE not in value):
            return None
        fields = parse(value, most_depth=MAX_BATCH_DEPTH)
        if ROWS not in fields:
            return None
    return _batch_of(sheet_of(fields, kind))


def _batch_of(sheet: Sheet) -> Batch:
    """Check all columns; what is wrong in any of them is left out."""
    columns, groups = sheet.columns, sheet.groups
    bad: Mask | None = None

    def good(checked: checks.Checked[checks.T]) -> checks.T:
        nonlocal bad
        column, wrong = checked
        bad = checks.either(bad, wrong)
        return column

    def numbers(name: str, most: float) -> Doubles | None:
        if name in sheet.own:
            return np.full(sheet.rows, sheet.own[name])
        return good(checks.check_numbers(columns[name], most)) if name in columns else None

    ids = good(checks.check_ids(columns["prediction_id"]))
    if "timestamp" in sheet.own:
        times = np.full(sheet.rows, sheet.own["timestamp"], np.int64)
    else:
        times = good(checks.check_times(columns["timestamp"]))
    batch = Batch(
        sheet,
        np.arange(sheet.rows),
        ids,
        times,
        good(checks.check_values(columns["label" if sheet.kind is Label else "prediction"])),
        numbers("score", 1),
        {name: good(checks.check_numbers(each, 1)) for name, each in groups.get("probabilities", {}).items()},
        {name: good(checks.check_feature(each)) for name, each in groups.get("features", {}).items()},
        {name: good(checks.check_segment(each)) for name, each in groups.get("segments", {}).items()},
        numbers("latency_ms", MAX_NUMBER),
        numbers("weight", MAX_NUMBER),
    )
    return batch if bad is None else _taken(batch, np.flatnonzero(~bad))


def _taken(batch: Batch, rows: Places) -> Batch:
    """Return the batch of some of its good rows."""

    def taken(column: Doubles | None) -> Doubles | None:
        return None if column is None else column[rows]

    return replace(
        batch,
        places=batch.places[rows],
        prediction_id=Loose(batch.prediction_id).take(rows).values,
        timestamp=batch.timestamp[rows],
        value=batch.value.take(rows),
        score=taken(batch.score),
        probabilities={name: column[rows] for name, column in batch.probabilities.items()},
        features={name: column.take(rows) for name, column in batch.features.items()},
        segments={name: column.take(rows) for name, column in batch.segments.items()},
        latency_ms=taken(batch.latency_ms),
        weight=taken(batch.weight),
    )
