"""The files of ``driftline replay``: lines of events in, what they led to out."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Final, Self

from driftline.schemas.decoding import MAX_BYTES
from driftline.schemas.errors import DriftlineError
from driftline.schemas.events import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from driftline.models.outcome import Outcome
    from driftline.schemas.dead_letter import DeadLetter
    from driftline.schemas.state import ModelState

_HEAD: Final = MAX_BYTES + 2  # of a longer line, with its end, nothing more is read: it is too large already
_SKIP: Final = 65_536
_STATE: Final = "state.json"


class ReplayError(DriftlineError):
    """A file, or what is asked of Kafka, cannot be read or written; the message says which and why."""


@contextmanager
def event_lines(path: Path) -> Iterator[Iterator[tuple[int, bytes]]]:
    """Open a file of one event a line; give the number of each line, from 0, and its bytes without the end of line.

    A line that is blank is left out but has its number. Of one beyond `MAX_BYTES` the first 1,000,002 bytes are given.

    Parameters
    ----------
    path
        Gzipped if its name ends in ``.gz``. It is opened at once, and read as the lines are asked for.

    Raises
    ------
    ReplayError
        If it cannot be opened, or, where a line is asked for, cannot be read on.

    """
    try:
        file: IO[bytes] = path.open("rb")
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        yield _lines(path, gzip.GzipFile(fileobj=file) if path.suffix.lower() == ".gz" else file)


def _lines(path: Path, file: IO[bytes] | gzip.GzipFile) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        while line := file.readline(_HEAD):
            is_cut = len(line) == _HEAD and not line.endswith(b"\n")
            if is_cut:
                _skip_line(file)
            if is_cut or not line.isspace():
                yield number, line.rstrip(b"\r\n")
            number += 1
    except (OSError, EOFError, zlib.error) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise ReplayError(f"{path} cannot be read beyond line {number}: {why}") from None


def _skip_line(file: IO[bytes] | gzip.GzipFile) -> None:
    while (rest := file.readline(_SKIP)) and not rest.endswith(b"\n"):
        pass


class Results:
    """The folder that a replay fills: ``alerts.jsonl``, ``retrain.jsonl``, ``dead_letters.jsonl`` and ``state.json``.

    What an earlier replay left there is overwritten. ``state.json`` comes last: where it is, the replay was complete.

    Parameters
    ----------
    out
        Made if need be.

    Raises
    ------
    ReplayError
        From every method, if something cannot be written.

    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Make the folder and its files."""
        with self._explained():
            self._out.mkdir(parents=True, exist_ok=True)
            (self._out / _STATE).unlink(missing_ok=True)
            with ExitStack() as stack:
                names = ("alerts.jsonl", "retrain.jsonl", "dead_letters.jsonl")
                files = [stack.enter_context((self._out / name).open("wb")) for name in names]
                self._alerts, self._retrain, self._dead_letters = files
                self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the files."""
        with self._explained():
            self._open.close()

    def add(self, outcome: Outcome) -> None:
        """Append what a batch led to."""
        with self._explained():
            self._alerts.writelines(encode(alert) + b"\n" for alert in outcome.alerts)
            self._retrain.writelines(encode(request) + b"\n" for request in outcome.retrain_requests)
            self._dead_letters.writelines(_dead_letter_line(letter) for letter in outcome.dead_letters)

    def finish(self, documents: Mapping[str, ModelState]) -> None:
        """Close the other files and write the state document of every model, by model_id."""
        states = {model_id: documents[model_id].model_dump(mode="json") for model_id in sorted(documents)}
        text = json.dumps(states, ensure_ascii=False, allow_nan=False, indent=1)
        with self._explained():
            self._open.close()
            (self._out / _STATE).write_bytes(text.encode() + b"\n")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ReplayError(f"cannot write to {self._out}: {error.strerror}") from None


def _dead_letter_line(letter: DeadLetter) -> bytes:
    """Write a dead letter as a line of JSON; the original bytes are in base64, since they may be anything."""
    fields = {
        "id": letter.id,
        "reason": letter.reason.value,
        "error": letter.error,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        **({} if letter.row is None else {"row": letter.row}),
        "value": base64.b64encode(letter.value or b"").decode(),
    }
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"
