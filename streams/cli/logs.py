"""The worker's log: one line an event on standard error, and a traceback only for a bug."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from aiokafka.errors import KafkaError

from driftline.schemas.errors import DriftlineError
from driftline.streams.cli.output import printable

if TYPE_CHECKING:
    from types import TracebackType

_LIBRARIES = ("aiokafka", "faust", "mode", "driftline.streams.app", "driftline.streams.transport")


class OneLine(logging.Formatter):
    """UTC, level, logger and message on a line, whatever the names in the message hold."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line; a traceback follows on lines of its own."""
        return printable(super().formatMessage(record))

    def formatException(  # noqa: N802 - logging's name
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Return the traceback; an error of Kafka has none that says more than its line."""
        return "" if isinstance(ei[1], KafkaError) else super().formatException(ei)


def log_to_stderr() -> None:
    """Send the log of this process to standard error; libraries say warnings only."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine())
    handler.addFilter(_without_expected)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)


def _without_expected(record: logging.LogRecord) -> bool:
    """Drop what Faust logs of an error that the command line tells in one sentence."""
    return not (record.exc_info and isinstance(record.exc_info[1], DriftlineError))
