"""The port: what is written at a checkpoint, and what is read back when a partition is assigned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from driftline.schemas.errors import FencedError, TopologyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping


class Saved(NamedTuple):
    """What a checkpoint writes of one model: its snapshot, and its state document in JSON."""

    snapshot: bytes
    state: bytes


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What has changed in one partition since its last checkpoint.

    Parameters
    ----------
    partition
        The number of the partition.
    position
        Where to read on, and what belongs to no model, as the pipeline wrote it.
    models
        By model_id; others keep what is stored. The snapshot before the one that is replaced is kept too.
    entries
        Join entries to write, key -> entry.
    dropped
        The keys of join entries to delete. One that is in `entries` too is deleted.
    outbox
        What is to be published once this is saved, by number.
    published
        Numbers of the outbox that Kafka has by now.

    """

    partition: int
    position: bytes
    models: Mapping[str, Saved] = field(default_factory=dict)
    entries: Mapping[bytes, bytes] = field(default_factory=dict)
    dropped: Collection[bytes] = ()
    outbox: Mapping[int, bytes] = field(default_factory=dict)
    published: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """What the last checkpoint of a partition left, its join entries apart; no position means there was none.

    `before` holds the snapshots that the newest ones replaced; `outbox` is in the order of its numbers.
    """

    position: bytes | None
    snapshots: Mapping[str, bytes] = field(default_factory=dict)
    before: Mapping[str, bytes] = field(default_factory=dict)
    outbox: Mapping[int, bytes] = field(default_factory=dict)


class CheckpointStore(Protocol):
    """Where checkpoints are kept.

    Every method may raise `UnavailableError`. After one from `save` the checkpoint may have been written or not; to
    save it again is harmless.
    """

    async def claim(self, partition: int) -> bytes:
        """Become the one owner of a partition, and return the token to save with; earlier ones are stale now."""

    async def load(self, partition: int) -> Restored:
        """Return what the last checkpoint of a partition left, as of one moment."""

    def entries(self, partition: int) -> AsyncIterator[tuple[bytes, bytes]]:
        """Give all join entries of a partition, in no order and in bounded memory; one may come twice."""

    async def fetch(self, partition: int, ids: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the join entries of those keys that are stored, in one round trip."""

    async def save(self, checkpoint: Checkpoint, owner: bytes) -> None:
        """Write a checkpoint: its join entries first, and then the rest, all of it or nothing.

        Raises
        ------
        FencedError
            If `owner` is stale; nothing is written any more, though entries of the join may have been.

        """

    async def claim_topology(self, partitions: int) -> None:
        """Say how many partitions the input topics have; the first word stands.

        Raises
        ------
        TopologyError
            If the store was filled with another count: a model's state is then stored under another partition.

        """

    async def close(self) -> None:
        """Close the connections."""


def fenced(partition: int) -> FencedError:
    """Return the error of a stale owner."""
    return FencedError(f"partition {partition} has another owner now: what this worker has not saved of it is dropped")


def check_partitions(*, stored: int, found: int) -> None:
    """Raise `TopologyError` unless the input topics have as many partitions as the stored state was made with."""
    if stored != found:
        raise TopologyError(
            f"the input topics have {found} partitions and the stored state was made with {stored}: go back to topics "
            f"of {stored}, or start on an empty Redis, which forgets what the models were like"
        )
