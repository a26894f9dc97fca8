"""What commands write: the names that others chose are shown and never obeyed."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAILED = 1


def printable(text: str) -> str:
    r"""Return a text in which whatever could move a cursor, break a line or turn the reading direction is spelled out.

    Examples
    --------
    >>> print(printable("fraud\x1b[2J\nsafe \N{LATIN SMALL LETTER E WITH ACUTE}"))
    fraud\x1b[2J\nsafe é

    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def write_line(text: str) -> None:
    """Write a line at once."""
    with writing():
        typer.echo(printable(text))


def write_json(document: dict[str, Any], *, indent: int | None = None) -> None:
    """Write a document, by default on one line, at once, in ASCII: any terminal and any encoding bears that."""
    with writing():
        typer.echo(json.dumps(document, allow_nan=False, indent=indent))


def write_note(text: str) -> None:
    """Write a line beside the output, on standard error."""
    typer.echo(printable(text), err=True)


@contextmanager
def writing() -> Iterator[None]:
    """Pass on what is written within; where that fails, end the command as others on a command line do.

    Raises
    ------
    typer.Exit
        If whoever read the output has gone, as `head` does when it has enough.
    DriftlineError
        If it cannot be written, such as on a full disk.

    """
    try:
        yield
        if sys.stdout is not None:  # None: the command was started with its output closed
            sys.stdout.flush()
    except BrokenPipeError:
        _discard()
        raise typer.Exit(_FAILED) from None
    except OSError as error:
        _discard()
        raise DriftlineError(f"the output cannot be written: {error.strerror}") from None


def _discard() -> None:
    # What is still in the buffer would be tried again, and complained of, when the interpreter ends.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
