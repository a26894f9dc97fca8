"""The port: what is written at a checkpoint, and what is read back when a partition is assigned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from driftline.schemas.errors import TopologyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What has changed in one partition since its last checkpoint.

    Parameters
    ----------
    partition
        The number of the partition.
    position
        How far both topics and the watermark are, as the pipeline wrote it.
    snapshots, states
        model_id -> snapshot, and model_id -> state document in JSON; of the models that were touched. Others keep
        what is stored.
    entries
        Join entries to write, id hash -> entry.
    dropped
        The id hashes of join entries to delete. One that is in `entries` too is deleted.

    """

    partition: int
    position: bytes
    snapshots: Mapping[str, bytes] = field(default_factory=dict)
    states: Mapping[str, bytes] = field(default_factory=dict)
    entries: Mapping[bytes, bytes] = field(default_factory=dict)
    dropped: Collection[bytes] = ()


@dataclass(frozen=True, slots=True)
class Restored:
    """What the last checkpoint of a partition left, its join entries apart; no position means there was none."""

    position: bytes | None
    snapshots: Mapping[str, bytes]


class CheckpointStore(Protocol):
    """Where checkpoints are kept.

    Every method may raise `UnavailableError`. After one from `save` the checkpoint may have been written or not; to
    save it again is harmless. A partition has one writer at a time.
    """

    async def load(self, partition: int) -> Restored:
        """Return what the last checkpoint of a partition left, as of one moment."""

    def entries(self, partition: int) -> AsyncIterator[tuple[bytes, bytes]]:
        """Give all join entries of a partition, in no order and in bounded memory; one may come twice."""

    async def fetch(self, partition: int, ids: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the join entries of those id hashes that are stored, in one round trip."""

    async def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, all of it or nothing."""

    async def claim_topology(self, partitions: int) -> None:
        """Say how many partitions the input topics have; the first word stands.

        Raises
        ------
        TopologyError
            If the store was filled with another count: a model's state is then stored under another partition.

        """

    async def close(self) -> None:
        """Close the connections."""


def check_partitions(*, stored: int, found: int) -> None:
    """Raise `TopologyError` unless the input topics have as many partitions as the stored state was made with."""
    if stored != found:
        raise TopologyError(
            f"the input topics have {found} partitions and the stored state was made with {stored}: go back to topics "
            f"of {stored}, or start on an empty Redis, which forgets what the models were like"
        )
