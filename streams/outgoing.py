"""What leaves for Kafka: one record, and how the outbox keeps it until Kafka has it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from driftline.schemas.alerts import Alert, AlertState, RetrainRequest, cloudevent_headers
from driftline.schemas.events import encode
from driftline.schemas.topics import ALERTS, DEAD_LETTER, INCIDENTS, RETRAIN

if TYPE_CHECKING:
    from driftline.schemas.dead_letter import DeadLetter


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record for a topic of Driftline's.

    Examples
    --------
    >>> record = Outgoing("driftline.retrain", b"fraud", b"{}", (("ce_id", b"r-1"),))
    >>> Outgoing.unpack(record.pack()) == record
    True

    """

    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    def pack(self) -> bytes:
        """Write it as text, which all that is ours is; dead letters, which may be anything, are not for the outbox."""
        headers = [(name, _text(value)) for name, value in self.headers]
        return json.dumps([self.topic, _text(self.key), _text(self.value), headers], ensure_ascii=False).encode()

    @classmethod
    def unpack(cls, packed: bytes) -> Outgoing:
        """Read what `pack` wrote."""
        topic, key, value, headers = json.loads(packed)
        return cls(topic, _bytes(key), _bytes(value), tuple((name, _bytes(text)) for name, text in headers))


def outgoing(event: Alert | RetrainRequest) -> list[Outgoing]:
    """Return the records that tell of an event.

    An alert goes to two topics, both keyed by its incident, so that an incident's transitions stay in order: one keeps
    them all, the other only the last of each incident, and nothing of one that is over.
    """
    headers = tuple(cloudevent_headers(event))
    value = encode(event)
    match event:
        case Alert():
            key = event.incident_id.encode()
            last = None if event.state is AlertState.RESOLVED else value
            return [Outgoing(ALERTS, key, value, headers), Outgoing(INCIDENTS, key, last, headers)]
        case RetrainRequest():
            return [Outgoing(RETRAIN, event.model_id.encode(), value, headers)]


def refused(letter: DeadLetter) -> Outgoing:
    """Return the record of a dead letter: the refused record as it was, with the ``dl.*`` headers."""
    return Outgoing(DEAD_LETTER, letter.key, letter.value, tuple(letter.to_headers()))


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
