"""A record that was refused, kept whole with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from driftline.schemas.errors import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADERS: Final = ("dl.error", "dl.reason", "dl.topic", "dl.partition", "dl.offset", "dl.timestamp")
"""What Driftline adds to the headers of the record, in this order and at the end; each is text in UTF-8."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The original bytes of a record, where it stood, and why it was refused.

    Parameters
    ----------
    reason, error
        One of the closed list, and a sentence for people.
    topic, partition, offset, timestamp
        Where the record stood; the broker's time in epoch milliseconds.
    key, value, headers
        The original bytes.

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

    @property
    def id(self) -> str:
        """Return topic-partition-offset: a repeat after a restart has the same id."""
        return f"{self.topic}-{self.partition}-{self.offset}"

    def to_headers(self) -> list[tuple[str, bytes | None]]:
        """Return the record's own headers followed by the ``dl.*`` headers."""
        own = (self.error, self.reason.value, self.topic, self.partition, self.offset, self.timestamp)
        return [*self.headers, *((name, str(value).encode()) for name, value in zip(HEADERS, own, strict=True))]

    @classmethod
    def parse(cls, key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes | None]]) -> DeadLetter:
        """Read a dead letter back; the last six headers are ours, whatever a producer called its own.

        Raises
        ------
        ValueError
            If the record is no dead letter.

        """
        *original, error, reason, topic, partition, offset, timestamp = headers
        own = (error, reason, topic, partition, offset, timestamp)
        if tuple(name for name, _ in own) != HEADERS:
            raise ValueError(f"a dead letter ends with the headers {', '.join(HEADERS)}")
        text = [(content or b"").decode() for _, content in own]
        return cls(
            Reason(text[1]), text[0], text[2], int(text[3]), int(text[4]), int(text[5]), key, value, tuple(original)
        )
