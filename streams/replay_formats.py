"""CSV and Parquet files as batches of the columns that are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa
from pyarrow import compute, csv, parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

_DELIMITERS: Final = {".csv": ",", ".csv.gz": ",", ".tsv": "\t", ".tsv.gz": "\t"}
SUFFIXES: Final = (*_DELIMITERS, ".parquet")
"""How the names of tables end, in letters of either case."""

NOTHING: Final = ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaT", "null", "NULL", "None", r"\N")
"""What says that there is no value in a column of CSV that is not text. Where it is, NA may be Namibia."""

_ROWS: Final = 10_000  # that are held at once


class Table(NamedTuple):
    """An open table: the schema of Arrow, and what gives batches of the columns of some names."""

    schema: Any
    batches: Callable[[Sequence[str]], Iterator[Any]]


def is_table(path: Path) -> bool:
    """Return whether a file is one, by its name."""
    return path.name.lower().endswith(SUFFIXES)


def open_table(path: Path, texts: Callable[[Sequence[str]], Iterable[str]]) -> Table:
    """Open a table; raises what Arrow does.

    Parameters
    ----------
    path
        By its name a CSV file, gzipped or not, or a Parquet file.
    texts
        Given the names of all columns, which of them are text in CSV, whatever they look like.

    """
    name = path.name.lower()
    if name.endswith(".parquet"):
        file = parquet.ParquetFile(path)
        return Table(file.schema_arrow, lambda used: file.iter_batches(_ROWS, columns=list(used)))
    delimiter = next(delimiter for suffix, delimiter in _DELIMITERS.items() if name.endswith(suffix))
    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    compression = "gzip" if name.endswith(".gz") else None
    with pa.input_stream(path, compression=compression) as file:
        as_text = dict.fromkeys(texts(csv.open_csv(file, parse_options=parse).schema.names), pa.string())
    options = csv.ConvertOptions(column_types=as_text, null_values=NOTHING)
    with pa.input_stream(path, compression=compression) as file:
        # Of a part of a file it cannot be told what a column is: the first fraction may come late.
        table = csv.read_csv(file, parse_options=parse, convert_options=options)
    return Table(table.schema, lambda used: _batches(table, used))


def _batches(table: Any, used: Sequence[str]) -> Iterator[Any]:  # noqa: ANN401 - of Arrow
    for batch in table.to_batches(_ROWS):
        yield pa.record_batch([_without_empty(batch.column(name)) for name in used], names=list(used))


def _without_empty(column: Any) -> Any:  # noqa: ANN401 - of Arrow
    """Return a column in which an empty text is none: of `NOTHING` nothing else holds for text."""
    if not pa.types.is_string(column.type):
        return column
    return compute.if_else(compute.equal(column, ""), pa.scalar(None, pa.string()), column)
