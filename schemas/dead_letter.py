"""A record that was refused, kept whole with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from driftline.schemas.errors import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADERS: Final = ("dl.error", "dl.reason", "dl.topic", "dl.partition", "dl.offset", "dl.timestamp")
"""What Driftline adds to the headers of the record, in this order and at the end; each is text in UTF-8."""

ROW: Final = "dl.row"
"""What comes after these if it is a row of a batch that was refused, and not all of it."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The original bytes of a record, where it stood, and why it was refused.

    A row of a batch that was refused alone has the key of its record, and as its value the JSON that it would have been
    in a record of its own.

    Parameters
    ----------
    reason, error
        One of the closed list, and a sentence for people.
    topic, partition, offset, timestamp
        Where the record stood; the broker's time in epoch milliseconds.
    key, value, headers
        The original bytes.
    row
        Which row of a batch it is, from 0; None if it is a whole record.

    Examples
    --------
    >>> letter = DeadLetter(Reason.TOO_DEEP, "nested deeper than 8", "driftline.labels", 3, 17, 0, b"k", b"v", ())
    >>> letter.id
    'driftline.labels-3-17'
    >>> DeadLetter.parse(letter.key, letter.value, letter.to_headers()) == letter
    True

    """

    reason: Reason
    error: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    row: int | None = None

    @property
    def id(self) -> str:
        """Return topic-partition-offset, and the row of a batch: a repeat after a restart has the same id."""
        where = f"{self.topic}-{self.partition}-{self.offset}"
        return where if self.row is None else f"{where}-{self.row}"

    def to_headers(self) -> list[tuple[str, bytes | None]]:
        """Return the record's own headers followed by the ``dl.*`` headers."""
        own = (self.error, self.reason.value, self.topic, self.partition, self.offset, self.timestamp)
        headers = [*self.headers, *((name, str(value).encode()) for name, value in zip(HEADERS, own, strict=True))]
        return headers if self.row is None else [*headers, (ROW, str(self.row).encode())]

    @classmethod
    def parse(cls, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> DeadLetter:
        """Read a dead letter back; the last six or seven headers are ours, whatever a producer called its own.

        Raises
        ------
        ValueError
            If the record is no dead letter.

        """
        all_headers = list(headers)
        row = int((all_headers.pop()[1] or b"").decode()) if all_headers and all_headers[-1][0] == ROW else None
        *original, error, reason, topic, partition, offset, timestamp = all_headers
        own = (error, reason, topic, partition, offset, timestamp)
        if tuple(name for name, _ in own) != HEADERS:
            raise ValueError(f"a dead letter ends with the headers {', '.join(HEADERS)}")
        text = [(content or b"").decode() for _, content in own]
        where = text[2], int(text[3]), int(text[4]), int(text[5])
        return cls(Reason(text[1]), text[0], *where, key, value, tuple(original), row)
