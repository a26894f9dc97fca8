"""The port: what is written at a checkpoint, and what is read back when a partition is assigned."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

from driftline.schemas.errors import FencedError, TopologyError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping


class Saved(NamedTuple):
    """What a checkpoint writes of one model: its snapshot, its state document and its overview, both in JSON.

    `replaces_damaged` says that the newest snapshot in the store is damaged: then the one before it is kept.
    """

    snapshot: bytes
    state: bytes
    overview: bytes
    replaces_damaged: bool = False


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
    rows
        Of metrics over time, by their fields.
    columns
        The names of the metrics in the rows of a model, where there are new ones.

    """

    partition: int
    position: bytes
    models: Mapping[str, Saved] = field(default_factory=dict)
    entries: Mapping[bytes, bytes] = field(default_factory=dict)
    dropped: Collection[bytes] = ()
    outbox: Mapping[int, bytes] = field(default_factory=dict)
    published: Collection[int] = ()
    rows: Mapping[str, bytes] = field(default_factory=dict)
    columns: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restored:
    """What the last checkpoint of a partition left beside models and join entries; no position: there was none.

    `outbox` is in the order of its numbers.
    """

    position: bytes | None
    outbox: Mapping[int, bytes] = field(default_factory=dict)


class CheckpointStore(Protocol):
    """Where checkpoints are kept.

    Every method may raise `UnavailableError`. After one from `save` the checkpoint may have been written or not; to
    save it again is harmless.
    """

    async def claim(self, partition: int) -> bytes:
        """Become the one owner of a partition, and return the token to save with; earlier ones are stale now."""

    async def owner(self, partition: int) -> bytes | None:
        """Return the token of the one that may save now."""

    async def load(self, partition: int) -> Restored:
        """Return what the last checkpoint of a partition left, as of one moment.

        Models and entries are read after it, a part at a time: who has claimed the partition is alone in writing it.
        """

    def snapshots(self, partition: int) -> AsyncIterator[tuple[str, bytes]]:
        """Give the newest snapshot of each model by its id, in no order and in bounded memory."""

    async def snapshot_before(self, partition: int, model_id: str) -> bytes | None:
        """Return the snapshot of a model that its newest one replaced, if there is one."""

    async def columns(self, partition: int) -> dict[str, bytes]:
        """Return the names of the metrics in the rows of each model."""

    def entries(self, partition: int) -> AsyncIterator[Collection[tuple[bytes, bytes]]]:
        """Give all join entries of a partition, some at a time, in no order; one may come twice."""

    async def fetch(self, partition: int, ids: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the join entries of those keys that are stored, in one round trip."""

    async def save(self, checkpoint: Checkpoint, owner: bytes) -> None:
        """Write a checkpoint: its join entries first, and then the rest, all of it or nothing.

        Raises
        ------
        FencedError
            If `owner` is stale; nothing is written any more, though entries of the join may have been.

        """

    async def claim_topology(self, partitions: int, cluster: str) -> None:
        """Say how many partitions the input topics have, and in which Kafka cluster; the first word stands.

        Raises
        ------
        TopologyError
            If the store was filled with another count: a model's state is then stored under another partition. Or from
            another cluster, whose offsets say nothing here.

        """

    async def close(self) -> None:
        """Close the connections."""


def fenced(partition: int) -> FencedError:
    """Return the error of a stale owner."""
    return FencedError(f"partition {partition} has another owner now: what this worker has not saved of it is dropped")


def check_topology(*, stored: tuple[int, str], found: tuple[int, str]) -> None:
    """Raise `TopologyError` unless the input topics are those that the stored state was made of: count, cluster."""
    (partitions, cluster), (partitions_found, cluster_found) = stored, found
    if cluster != cluster_found:
        raise TopologyError(
            f"the stored state is of the Kafka cluster {cluster} and this one is {cluster_found}: go back to that, or "
            "start on a Redis of its own (another database number will do), which begins anew"
        )
    if partitions != partitions_found:
        raise TopologyError(
            f"the input topics have {partitions_found} partitions and the stored state was made with {partitions}: go "
            f"back to topics of {partitions}, or start on an empty Redis, which forgets what the models were like"
        )
