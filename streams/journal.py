"""The journal: all that a run depended on beside its records, one entry a checkpoint and one at each beginning.

``driftline replay --journal`` reads it and comes to the same alerts. An entry may stand in the topic more than once, as
what the outbox holds may be published again; `number` tells.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from driftline import __version__
from driftline.schemas.events import SCHEMA_VERSION
from driftline.schemas.topics import JOURNAL
from driftline.streams.outgoing import Outgoing

if TYPE_CHECKING:
    from driftline.schemas.config import Configuration


class Entry(BaseModel):
    """What every entry has: whose history it belongs to, and its number there, which has no gaps.

    A partition has a new history when it begins without any state: at first, and after Redis was lost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    partition: int
    history: str
    number: int


class Began(Entry):
    """A worker took the partition over.

    `offsets` are those at which it began to read, by topic; `before` names models whose newest snapshot was damaged, so
    that the one before was taken; `lost` what the log did not have any more: topic, from, to; `is_rebuilt` says that
    there was no state of a partition that had been read before.
    """

    kind: Literal["began"] = "began"
    version: str = __version__
    configuration: str
    offsets: dict[str, int]
    before: list[str] = []
    lost: list[tuple[str, int, int]] = []
    is_rebuilt: bool = False


class Read(Entry):
    """A checkpoint: the records taken since the one before, in order, and the models that were saved.

    `runs` are topics with the number of records that were taken of them in a row. `moments` are of event time, at
    which no record had come and it was looked whether a feed is silent, each after so many of the records. `passed` are
    topics that were not waited for though they had records, each list from after so many of the records on.
    """

    kind: Literal["read"] = "read"
    runs: list[tuple[str, int]]
    moments: list[tuple[int, int]] = []
    passed: list[tuple[int, list[str]]] = []
    saved: list[str]


AnyEntry = Annotated[Began | Read, Field(discriminator="kind")]
_ENTRIES: Final[TypeAdapter[Began | Read]] = TypeAdapter(AnyEntry)


def entry_record(entry: Began | Read) -> Outgoing:
    """Return the record of an entry, keyed by its partition so that a partition's entries stay in order."""
    return Outgoing(JOURNAL, str(entry.partition).encode(), entry.model_dump_json().encode())


def parse_entry(value: bytes) -> Began | Read:
    """Read the value of a record of the journal; `pydantic.ValidationError` if it is none of this version's."""
    return _ENTRIES.validate_json(value)


def digest(configuration: Configuration) -> str:
    """Return a name of a configuration: the same for the same, and for no other."""
    return hashlib.sha256(configuration.model_dump_json().encode()).hexdigest()[:16]
