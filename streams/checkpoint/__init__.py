"""Where the state of a partition outlives the worker: a port, and the two stores behind it."""

from driftline.streams.checkpoint.memory import MemoryStore
from driftline.streams.checkpoint.port import Checkpoint, CheckpointStore, Restored, Saved, fenced
from driftline.streams.checkpoint.redis import RedisStore

__all__ = ["Checkpoint", "CheckpointStore", "MemoryStore", "RedisStore", "Restored", "Saved", "fenced"]
