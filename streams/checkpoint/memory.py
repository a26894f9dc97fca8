"""A store that ends with the process: for tests, and for replays of files.

Nobody asks it for overviews or for metrics over time, so it keeps none.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftline.streams.checkpoint.port import Restored, check_topology, fenced

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from driftline.streams.checkpoint.port import Checkpoint


class MemoryStore:
    """A `CheckpointStore` in dictionaries.

    Examples
    --------
    >>> import asyncio
    >>> from driftline.streams.checkpoint import Checkpoint, Saved
    >>> store = MemoryStore()
    >>> owner = asyncio.run(store.claim(3))
    >>> asyncio.run(store.save(Checkpoint(3, b"17", {"fraud": Saved(b"...", b"{}", b"{}")}), owner))
    >>> asyncio.run(store.load(3)).position
    b'17'

    """

    def __init__(self) -> None:
        self._partitions: defaultdict[int, _Partition] = defaultdict(_Partition)
        self._topology: tuple[int, str] | None = None

    async def claim(self, partition: int) -> bytes:
        """Become the owner of a partition."""
        stored = self._partitions[partition]
        stored.epoch += 1
        return b"%d" % stored.epoch

    async def owner(self, partition: int) -> bytes:
        """Return the token of the owner."""
        return b"%d" % self._partitions[partition].epoch

    async def load(self, partition: int) -> Restored:
        """Return what the last checkpoint of a partition left."""
        stored = self._partitions[partition]
        return Restored(stored.position, dict(sorted(stored.outbox.items())))

    async def snapshots(self, partition: int) -> AsyncIterator[tuple[str, bytes]]:
        """Give the newest snapshot of each model."""
        for snapshot in tuple(self._partitions[partition].snapshots.items()):
            yield snapshot

    async def snapshot_before(self, partition: int, model_id: str) -> bytes | None:
        """Return the snapshot of a model that its newest one replaced."""
        return self._partitions[partition].before.get(model_id)

    async def columns(self, partition: int) -> dict[str, bytes]:
        """Return the names of the metrics in the rows of each model."""
        return dict(self._partitions[partition].columns)

    async def entries(self, partition: int) -> AsyncIterator[Collection[tuple[bytes, bytes]]]:
        """Give all join entries of a partition at once."""
        yield tuple(self._partitions[partition].entries.items())

    async def fetch(self, partition: int, ids: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the join entries of those id hashes that are stored."""
        entries = self._partitions[partition].entries
        return {key: entries[key] for key in ids if key in entries}

    async def save(self, checkpoint: Checkpoint, owner: bytes) -> None:
        """Write a checkpoint; nothing else runs in between, since it does not wait."""
        stored = self._partitions[checkpoint.partition]
        if owner != b"%d" % stored.epoch:
            raise fenced(checkpoint.partition)
        stored.entries |= checkpoint.entries
        for key in checkpoint.dropped:
            stored.entries.pop(key, None)
        for model_id, (snapshot, state, _, replaces_damaged) in checkpoint.models.items():
            if stored.snapshots.get(model_id, snapshot) != snapshot and not replaces_damaged:
                stored.before[model_id] = stored.snapshots[model_id]
            stored.snapshots[model_id], stored.states[model_id] = snapshot, state
        stored.outbox |= checkpoint.outbox
        for number in checkpoint.published:
            stored.outbox.pop(number, None)
        stored.columns |= checkpoint.columns
        stored.position = checkpoint.position

    def damage(self, partition: int, model_ids: Collection[str]) -> None:
        """Spoil the newest snapshot of models, as a replay does with those that a run found spoiled."""
        self._partitions[partition].snapshots |= dict.fromkeys(model_ids, b"")

    def states(self, partition: int) -> dict[str, bytes]:
        """Return the state documents of a partition, which of the other store `StateReader` reads."""
        return dict(self._partitions[partition].states)

    async def claim_topology(self, partitions: int, cluster: str) -> None:
        """Say which topics this is the state of; `TopologyError` if it is that of others."""
        self._topology = self._topology or (partitions, cluster)
        check_topology(stored=self._topology, found=(partitions, cluster))

    async def close(self) -> None:
        """Keep everything: the store may be opened again by the next worker of a test."""


@dataclass(slots=True)
class _Partition:
    epoch: int = 0
    position: bytes | None = None
    snapshots: dict[str, bytes] = field(default_factory=dict)
    before: dict[str, bytes] = field(default_factory=dict)
    states: dict[str, bytes] = field(default_factory=dict)
    entries: dict[bytes, bytes] = field(default_factory=dict)
    outbox: dict[int, bytes] = field(default_factory=dict)
    columns: dict[str, bytes] = field(default_factory=dict)
