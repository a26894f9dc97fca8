"""A store that ends with the process: for tests, and for replays of files."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftline.streams.checkpoint.port import Restored, check_partitions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from driftline.streams.checkpoint.port import Checkpoint


class MemoryStore:
    """A `CheckpointStore` in dictionaries.

    Examples
    --------
    >>> import asyncio
    >>> from driftline.streams.checkpoint import Checkpoint
    >>> store = MemoryStore()
    >>> asyncio.run(store.save(Checkpoint(3, b"17", snapshots={"fraud": b"..."})))
    >>> asyncio.run(store.load(3))
    Restored(position=b'17', snapshots={'fraud': b'...'})

    """

    def __init__(self) -> None:
        self._partitions: defaultdict[int, _Partition] = defaultdict(_Partition)
        self._count: int | None = None

    async def load(self, partition: int) -> Restored:
        """Return what the last checkpoint of a partition left."""
        stored = self._partitions[partition]
        return Restored(stored.position, dict(stored.snapshots))

    async def entries(self, partition: int) -> AsyncIterator[tuple[bytes, bytes]]:
        """Give all join entries of a partition."""
        for entry in tuple(self._partitions[partition].entries.items()):
            yield entry

    async def fetch(self, partition: int, ids: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the join entries of those id hashes that are stored."""
        entries = self._partitions[partition].entries
        return {key: entries[key] for key in ids if key in entries}

    async def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; nothing else runs in between, since it does not wait."""
        stored = self._partitions[checkpoint.partition]
        stored.position = checkpoint.position
        stored.snapshots |= checkpoint.snapshots
        stored.states |= checkpoint.states
        stored.entries |= checkpoint.entries
        for key in checkpoint.dropped:
            stored.entries.pop(key, None)

    def states(self, partition: int) -> dict[str, bytes]:
        """Return the state documents of a partition, which of the other store `StateReader` reads."""
        return dict(self._partitions[partition].states)

    async def claim_topology(self, partitions: int) -> None:
        """Say how many partitions the input topics have; `TopologyError` if another count stands."""
        self._count = self._count or partitions
        check_partitions(stored=self._count, found=partitions)

    async def close(self) -> None:
        """Keep everything: the store may be opened again by the next worker of a test."""


@dataclass(slots=True)
class _Partition:
    position: bytes | None = None
    snapshots: dict[str, bytes] = field(default_factory=dict)
    states: dict[str, bytes] = field(default_factory=dict)
    entries: dict[bytes, bytes] = field(default_factory=dict)
