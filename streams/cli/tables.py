"""``--predictions``, ``--labels`` and ``--columns`` of the commands that read files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.schemas.errors import ConfigurationError
from driftline.streams.cli.output import write_note
from driftline.streams.replay import EventFiles
from driftline.streams.replay_columns import EventColumns, TableColumns, read_columns
from driftline.streams.replay_formats import SUFFIXES, is_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def event_files(predictions: Path, labels: Path, columns: Path | None) -> EventFiles:
    """Return the files of a replay; what is to be told of them goes to standard error, each thing once.

    Raises
    ------
    ConfigurationError
        If the file of columns cannot be used, or nothing that it says is of a table.

    """
    placed = TableColumns() if columns is None else read_columns(columns)
    if columns is not None:
        sides = ((predictions, placed.predictions), (labels, placed.labels))
        if not any(map(is_table, (predictions, labels))):
            raise ConfigurationError(f"--columns is for tables, whose names end in {', '.join(SUFFIXES)}: neither does")
        said = [path for path, its in sides if its != EventColumns()]
        if said and not any(map(is_table, said)):
            raise ConfigurationError(f"--columns says only what is of {said[0]}, and that is no table")
    return EventFiles(predictions, labels, placed, _once(write_note))


def _once(note: Callable[[str], None]) -> Callable[[str], None]:
    """Tell nothing twice, however often files are read."""
    told: set[str] = set()

    def tell(text: str) -> None:
        if text not in told:
            told.add(text)
            note(text)

    return tell
