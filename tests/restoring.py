"""How tests have a pipeline take over what a checkpoint holds, which a lane reads from its store part by part."""

import json
from collections.abc import Mapping
from typing import Any
from zlib import crc32

from driftline.models.pipeline import Pipeline
from driftline.models.snapshot import DamagedError, seal, unseal


def restore(
    pipeline: Pipeline,
    position: dict[str, Any],
    snapshots: Mapping[str, bytes],
    before: Mapping[str, bytes],
    entries: Mapping[bytes, bytes],
) -> set[str]:
    """Restore a pipeline; return the models whose newest snapshot is damaged."""
    pipeline.restore(json.loads(json.dumps(position)))
    damaged = set()
    for model_id, snapshot in snapshots.items():
        try:
            pipeline.restore_model(model_id, snapshot)
        except DamagedError:
            pipeline.restore_older(model_id, before[model_id])
            damaged.add(model_id)
    pipeline.restore_entries(
        [(key, entries[key]) for key in sorted(entries, key=crc32)]
    )  # in no order, as a store does
    return damaged


def as_stored(state: Any) -> Any:  # noqa: ANN401 - plain values
    """Return what a snapshot gives back of plain values."""
    return unseal(seal({"state": state}))["state"]
