"""Tables for ``driftline replay``: the rows of CSV and Parquet files as lines of events."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import pyarrow as pa

from driftline.schemas.events import SCHEMA_VERSION
from driftline.streams.replay_cells import as_moment, as_text, can_be_feature, plain, values_of
from driftline.streams.replay_columns import MAPS, NEEDED, TEXTS, fields_of
from driftline.streams.replay_files import ReplayError
from driftline.streams.replay_formats import open_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from driftline.streams.replay_columns import EventColumns

_MOST_TOLD: Final = 10  # columns that are left out
_READ: Final[Mapping[str, Callable[[Any], Any]]] = {**dict.fromkeys(TEXTS, as_text), "timestamp": as_moment}


class Side(NamedTuple):
    """A table as one of both sides of a replay.

    Attributes
    ----------
    path
        A CSV or Parquet file, by its name.
    kind
        Of its events: ``prediction`` or ``label``.
    columns
        Where these stand.
    besides
        Columns that are no features unless they are named as such.
    note
        Told what people should know of it.

    """

    path: Path
    kind: str
    columns: EventColumns
    besides: frozenset[str] = frozenset()
    note: Callable[[str], None] = lambda _: None


@contextmanager
def table_lines(side: Side) -> Iterator[Iterator[tuple[int, bytes]]]:
    """Open a table; give the number of each row, from 0, and its event as a line of JSON.

    Rows that have no label yet are left out.

    Raises
    ------
    ReplayError
        If it cannot be read, or lacks a column.

    """
    side.columns.check(side.kind)
    with _explained(side.path):
        table = open_table(side.path, lambda names: _texts(side.columns, names))
    line = _Lines(side, table.schema)
    yield _lines(side.path, table.batches(line.used), line)


def _texts(columns: EventColumns, names: Sequence[str]) -> set[str]:
    return {*map(columns.column_of, TEXTS), *_columns_in("segments", columns, names).values()}


def _columns_in(field: str, columns: EventColumns, names: Sequence[str]) -> dict[str, str]:
    """Return the columns of `MAPS`, by name: those that are given, or those that have the prefix."""
    given: Mapping[str, str] | None = getattr(columns, field)
    prefix = f"{field}."
    if given is None:
        return {name.removeprefix(prefix): name for name in names if name.startswith(prefix)}
    return dict(given)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror or error}") from None
    except pa.ArrowException as error:
        raise ReplayError(f"{path} cannot be read: {error}") from None


def _lines(path: Path, batches: Iterator[Any], line: _Lines) -> Iterator[tuple[int, bytes]]:
    number = 0
    while True:
        with _explained(path):
            batch = next(batches, None)
            if batch is None:
                return
            columns = {name: values_of(batch.column(name)) for name in line.used}
        for place in range(batch.num_rows):
            written = line({name: values[place] for name, values in columns.items()})
            if written is not None:
                yield number, written
            number += 1


class _Lines:
    """Writes the rows of one table as events."""

    def __init__(self, side: Side, schema: Any) -> None:  # noqa: ANN401 - of Arrow
        self._side = side
        self._constants = {name: _READ.get(name, plain)(value) for name, value in side.columns.constants.items()}
        self._fields = self._find_fields(schema.names)
        self._maps = self._find_maps(schema) if side.kind == "prediction" else {}
        self._label = self._fields.get("label")
        of_maps = (column for given in self._maps.values() for column in given.values())
        self.used = list(dict.fromkeys([*self._fields.values(), *of_maps]))
        for column in self.used:
            if (times := schema.names.count(column)) > 1:
                raise ReplayError(f"{side.path} has {times} columns {column!r}: give each a name of its own")

    def _find_fields(self, names: Sequence[str]) -> dict[str, str]:
        columns, found = self._side.columns, dict[str, str]()
        for field in fields_of(self._side.kind):
            column = columns.column_of(field)
            if column in names:
                found[field] = column
            elif field in columns.columns or (field in NEEDED[self._side.kind] and field not in self._constants):
                self._lack(column, field, names)
        return found

    def _lack(self, column: str, what: str, names: Sequence[str]) -> NoReturn:
        known = ", ".join(names)
        raise ReplayError(
            f"{self._side.path} has no column {column!r} for {what}, but {known}; --columns FILE says which is which"
        )

    def _find_maps(self, schema: Any) -> dict[str, dict[str, str]]:  # noqa: ANN401 - of Arrow
        columns, names = self._side.columns, schema.names
        maps = {field: _columns_in(field, columns, names) for field in MAPS}
        for field, given in maps.items():
            for column in given.values():
                if column not in names:
                    self._lack(column, field, names)
        if columns.features is None and not maps["features"]:
            used = {*self._fields.values(), *(column for given in maps.values() for column in given.values())}
            used |= {*NEEDED["label"], *self._side.besides}
            maps["features"] = self._features([each for each in schema if each.name not in used])
        return {field: given for field, given in maps.items() if given}

    def _features(self, columns: Sequence[Any]) -> dict[str, str]:
        """Return the columns that are features though nobody named them; tell of the others."""
        left = [each for each in columns if not (each.name and can_be_feature(each.type))]
        if left:
            told = ", ".join(f"{each.name!r} ({each.type})" for each in left[:_MOST_TOLD])
            more = f" and {len(left) - _MOST_TOLD} more" if len(left) > _MOST_TOLD else ""
            self._side.note(f"{self._side.path}: not taken for features, as nobody named them: {told}{more}")
        return {each.name: each.name for each in columns if each not in left}

    def __call__(self, row: dict[str, Any]) -> bytes | None:
        """Return the line of a row; None if it has no label yet."""
        if self._label is not None and _is_missing(row[self._label]):
            return None
        event: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **self._constants}
        for field, column in self._fields.items():
            value = self._plain(row[column], column)
            if not _is_missing(value):
                event[field] = _READ[field](value) if field in _READ else value
        for field, given in self._maps.items():
            values = {name: self._plain(row[column], column) for name, column in given.items()}
            # Only of a feature does it say something that there is none.
            event[field] = values if field == "features" else {k: v for k, v in values.items() if not _is_missing(v)}
        if not event.get("probabilities", True):
            del event["probabilities"]
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    def _plain(self, value: Any, column: str) -> Any:  # noqa: ANN401 - of a table
        try:
            return plain(value)
        except TypeError as error:
            raise ReplayError(f"{self._side.path} has a {error} in column {column!r}: no event can hold that") from None


def _is_missing(value: Any) -> bool:  # noqa: ANN401 - of a table
    """Return whether a cell has no value: pandas makes NaN of what is missing among numbers."""
    return value is None or (isinstance(value, float) and math.isnan(value))
