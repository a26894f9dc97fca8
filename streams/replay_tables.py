"""Tables for ``driftline replay``: the rows of CSV and Parquet files as lines of events."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import pyarrow as pa
from pyarrow import csv, parquet
from pydantic import BeforeValidator, Field, ValidationError

from driftline.schemas.config_errors import explain
from driftline.schemas.errors import ConfigurationError
from driftline.schemas.events import SCHEMA_VERSION
from driftline.schemas.fields import Scalar
from driftline.schemas.section import Section
from driftline.streams.configuration import read_yaml
from driftline.streams.replay_files import ReplayError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

CSV: Final = (".csv", ".csv.gz")
SUFFIXES: Final = (*CSV, ".parquet")
"""How the names of tables end."""

_ROWS: Final = 10_000  # that are held at once
_MAPS: Final = ("features", "segments", "probabilities")
_TEXTS: Final = frozenset({"model_id", "model_version", "prediction_id"})  # 007 is an id
_PREDICTION: Final = ("model_id", "model_version", "prediction_id", "timestamp", "prediction")
_LABEL: Final = ("model_id", "prediction_id", "timestamp", "label")
_OPTIONAL: Final = {"prediction": ("score", "latency_ms"), "label": ("weight",)}


def _by_name(given: object) -> object:
    """Take a list for names that are those of their columns."""
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        return {name: name for name in given}
    return given


Names = Annotated[dict[str, str], BeforeValidator(_by_name), Field(max_length=10_000)]


class EventColumns(Section):
    """Where the fields of an event stand in a table.

    Attributes
    ----------
    columns
        The columns of fields; by default that of the same name.
    constants
        What fields are that have no column.
    features, segments, probabilities
        The columns of these, by name, or a list of those that have the same. By default those whose names begin with
        ``features.`` and so on; if there is none that does, all columns that are nothing else are features.

    """

    columns: Names = Field(default_factory=dict)
    constants: dict[str, Scalar] = Field(default_factory=dict)
    features: Names | None = None
    segments: Names | None = None
    probabilities: Names | None = None


class TableColumns(Section):
    """Where predictions and labels stand in tables, which may be one."""

    predictions: EventColumns = EventColumns()
    labels: EventColumns = EventColumns()


def read_columns(path: Path) -> TableColumns:
    """Read a YAML file that says where events stand in tables.

    Raises
    ------
    ConfigurationError
        If it cannot be read or says something else.

    """
    document = read_yaml(path, TableColumns.model_fields)
    try:
        return TableColumns.model_validate({} if document is None else document)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False)
        said = "\n".join(f"{path}: {explain(mistake, TableColumns)}" for mistake in mistakes)
        raise ConfigurationError(said) from None


def is_table(path: Path) -> bool:
    """Return whether a file is one, by its name."""
    return path.name.endswith(SUFFIXES)


@contextmanager
def table_lines(path: Path, kind: str, columns: EventColumns) -> Iterator[Iterator[tuple[int, bytes]]]:
    """Open a table; give the number of each row, from 0, and its event as a line of JSON.

    Rows that have no label yet are left out.

    Parameters
    ----------
    path
        A CSV or Parquet file, by its name.
    kind
        Of the events: ``prediction`` or ``label``.
    columns
        Where these stand.

    Raises
    ------
    ReplayError
        If it cannot be read, or lacks a column.

    """
    with _explained(path):
        names, batches = _open(path, columns)
    line = _Lines(path, kind, columns, names)
    yield _lines(path, batches, line)


def _open(path: Path, columns: EventColumns) -> tuple[list[str], Iterator[Any]]:
    if path.name.endswith(CSV):
        as_text = {columns.columns.get(field, field): pa.string() for field in _TEXTS}
        as_text |= dict.fromkeys((columns.segments or {}).values(), pa.string())
        options = csv.ConvertOptions(column_types=as_text, null_values=[""], strings_can_be_null=True)
        # Of a part of a file it cannot be told what a column is: the first fraction may come late.
        table = csv.read_csv(path, convert_options=options)
        return table.schema.names, iter(table.to_batches(_ROWS))
    file = parquet.ParquetFile(path)
    return file.schema_arrow.names, file.iter_batches(_ROWS)


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
            columns = {name: _values(batch.column(name)) for name in line.used}
        for place in range(batch.num_rows):
            written = line({name: values[place] for name, values in columns.items()})
            if written is not None:
                yield number, written
            number += 1


def _values(column: Any) -> list[Any]:  # noqa: ANN401 - of Arrow
    """Return plain values; moments as epoch milliseconds, those of no zone as of UTC."""
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", column.type.tz), safe=False).cast(pa.int64())
    values: list[Any] = column.to_pylist()
    return values


class _Lines:
    """Writes the rows of one table as events."""

    def __init__(self, path: Path, kind: str, columns: EventColumns, names: list[str]) -> None:
        self._path = path
        self._constants = {"schema_version": SCHEMA_VERSION, **columns.constants}
        needed = _PREDICTION if kind == "prediction" else _LABEL
        fields = *needed, *_OPTIONAL[kind]
        for name in columns.columns:
            if name not in fields:
                raise ReplayError(f"{name!r} is no field of a {kind} that has a column: {', '.join(fields)} are")
        self._fields: dict[str, str] = {}
        for field in fields:
            column = columns.columns.get(field, field)
            if column in names:
                self._fields[field] = column
            elif field in columns.columns or (field in needed and field not in self._constants):
                self._lack(column, field, names)
        self._maps = self._find_maps(columns, names) if kind == "prediction" else {}
        self._value = self._fields.get(kind)
        of_maps = (column for given in self._maps.values() for column in given.values())
        self.used = list(dict.fromkeys([*self._fields.values(), *of_maps]))

    def _lack(self, column: str, what: str, names: list[str]) -> NoReturn:
        known = ", ".join(names)
        raise ReplayError(
            f"{self._path} has no column {column!r} for {what}, but {known}; --columns FILE says which is which"
        )

    def _find_maps(self, columns: EventColumns, names: list[str]) -> dict[str, dict[str, str]]:
        maps: dict[str, dict[str, str]] = {}
        for field in _MAPS:
            given: Mapping[str, str] | None = getattr(columns, field)
            if given is None:
                prefix = f"{field}."
                given = {name.removeprefix(prefix): name for name in names if name.startswith(prefix)}
            for column in given.values():
                if column not in names:
                    self._lack(column, field, names)
            maps[field] = dict(given)
        if columns.features is None and not maps["features"]:
            used = {*self._fields.values(), *(column for given in maps.values() for column in given.values()), *_LABEL}
            maps["features"] = {name: name for name in names if name not in used}
        return {field: given for field, given in maps.items() if given}

    def __call__(self, row: dict[str, Any]) -> bytes | None:
        """Return the line of a row; None if it has no prediction, or no label."""
        if self._value is not None and row[self._value] is None:
            return None
        event: dict[str, Any] = dict(self._constants)
        for field, column in self._fields.items():
            value = row[column]
            if value is not None:
                event[field] = self._plain(value, column)
        for field, given in self._maps.items():
            values = {name: self._plain(row[column], column) for name, column in given.items()}
            # Only of a feature does a null say something.
            event[field] = values if field == "features" else {k: v for k, v in values.items() if v is not None}
        if not event.get("probabilities", True):
            del event["probabilities"]
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    def _plain(self, value: Any, column: str) -> Any:  # noqa: ANN401 - of a table
        convert = _PLAIN.get(type(value))
        if convert is None:
            raise ReplayError(f"{self._path} has a {type(value).__name__} in column {column!r}: no event can hold that")
        return convert(value)


def _same(value: Any) -> Any:  # noqa: ANN401 - of a table
    return value


_PLAIN: Final[dict[type, Callable[[Any], Any]]] = {
    **dict.fromkeys((str, int, float, bool, type(None)), _same),
    Decimal: float,
    date: date.isoformat,
}
