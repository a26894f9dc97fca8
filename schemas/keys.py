"""Every key that Driftline uses in Redis.

All keys of a partition carry the hash tag ``{partition}``, so that one transaction could write them together on a Redis
Cluster too. That is not supported yet: no client here follows its redirections. Model ids are fields of hashes, never
part of a key.

===========================  ======  =========================================================================
key                          type    content
===========================  ======  =========================================================================
``driftline:topology``       hash    ``partitions``: how many there are; written once, checked ever after
``driftline:{3}:state``      hash    model_id -> the state document, JSON: what `StateReader` reads
``driftline:{3}:snapshots``  hash    model_id -> the model's snapshot (private to the worker)
``driftline:{3}:position``   string  the next offsets of both topics and the watermark (private to the worker)
``driftline:{3}:join``       hash    id hash -> pending prediction, early label or tombstone (private)
===========================  ======  =========================================================================

None expires: what is no longer needed is deleted by the worker.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "driftline:"
TOPOLOGY: Final = f"{PREFIX}topology"


def state(partition: int) -> str:
    """Return the key of the state documents of a partition's models."""
    return f"{PREFIX}{{{partition}}}:state"


def snapshots(partition: int) -> str:
    """Return the key of the snapshots of a partition's models."""
    return f"{PREFIX}{{{partition}}}:snapshots"


def position(partition: int) -> str:
    """Return the key of a partition's offsets and watermark."""
    return f"{PREFIX}{{{partition}}}:position"


def join(partition: int) -> str:
    """Return the key of a partition's join entries."""
    return f"{PREFIX}{{{partition}}}:join"
