"""Every key that Driftline uses in Redis.

All keys of a partition carry the hash tag ``{partition}``, so that one transaction could write them together on a Redis
Cluster too. That is not supported yet: no client here follows its redirections. Model ids are fields of hashes, never
part of a key.

===========================  ======  =========================================================================
key                          type    content
===========================  ======  =========================================================================
``driftline:topology``       hash    ``partitions``: how many there are; written once, checked ever after
``driftline:{3}:state``      hash    model_id -> the state document, JSON: what `StateReader` reads
``driftline:{3}:overview``   hash    model_id -> the few lines of it that a list of all models shows, JSON
``driftline:{3}:series``     hash    resolution:place:model_id -> its metrics then, see `driftline.schemas.series`
``driftline:{3}:columns``    hash    model_id -> the names of the metrics in its rows, in their order, JSON
``driftline:{3}:owner``      string  the token of the worker that may write under the other keys (private)
``driftline:{3}:snapshots``  hash    model_id -> the model's snapshot (private to the worker)
``driftline:{3}:before``     hash    model_id -> the snapshot before that one, should it be damaged (private)
``driftline:{3}:position``   string  where to read on, and what belongs to no model (private)
``driftline:{3}:join``       hash    id hash -> pending prediction, early label or tombstone (private)
``driftline:{3}:outbox``     hash    number -> record that Kafka may not have yet (private)
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


def overview(partition: int) -> str:
    """Return the key of what a list of all models shows of a partition's."""
    return f"{PREFIX}{{{partition}}}:overview"


def series(partition: int) -> str:
    """Return the key of the metrics over time of a partition's models."""
    return f"{PREFIX}{{{partition}}}:series"


def columns(partition: int) -> str:
    """Return the key of the names of those metrics."""
    return f"{PREFIX}{{{partition}}}:columns"


def owner(partition: int) -> str:
    """Return the key of the token of a partition's owner."""
    return f"{PREFIX}{{{partition}}}:owner"


def before(partition: int) -> str:
    """Return the key of the snapshots before the newest of a partition's models."""
    return f"{PREFIX}{{{partition}}}:before"


def outbox(partition: int) -> str:
    """Return the key of what a partition has saved and perhaps not published."""
    return f"{PREFIX}{{{partition}}}:outbox"


def snapshots(partition: int) -> str:
    """Return the key of the snapshots of a partition's models."""
    return f"{PREFIX}{{{partition}}}:snapshots"


def position(partition: int) -> str:
    """Return the key of a partition's offsets and watermark."""
    return f"{PREFIX}{{{partition}}}:position"


def join(partition: int) -> str:
    """Return the key of a partition's join entries."""
    return f"{PREFIX}{{{partition}}}:join"
