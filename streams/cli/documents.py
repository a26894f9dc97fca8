"""``driftline schema``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.schemas.documents import asyncapi, json_schemas, write
from driftline.schemas.errors import ConfigurationError, DriftlineError
from driftline.streams.cli.output import write_json, write_line

if TYPE_CHECKING:
    from pathlib import Path

_ASYNCAPI: Final = "asyncapi"


def show_names() -> None:
    """Print what there is."""
    for name in (*json_schemas(), _ASYNCAPI):
        write_line(name)


def show_document(name: str) -> None:
    """Print one document.

    Raises
    ------
    ConfigurationError
        If there is none of that name.

    """
    documents = {**json_schemas(), _ASYNCAPI: asyncapi()}
    if name not in documents:
        raise ConfigurationError(f"there is no document {name!r}; there are {', '.join(documents)}")
    write_json(documents[name], indent=2)


def write_documents(folder: Path) -> None:
    """Write all documents into a folder.

    Raises
    ------
    DriftlineError
        If it cannot be written to.

    """
    try:
        written = write(folder)
    except OSError as error:
        raise DriftlineError(f"cannot write to {folder}: {error.strerror}") from None
    write_line(f"{len(written)} documents written to {folder}")
