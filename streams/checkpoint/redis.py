"""The store in Redis, under the keys of `driftline.schemas.keys`."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, TypeVar

from redis import RedisError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from driftline.client.redis_access import RedisAddress
from driftline.schemas import keys
from driftline.schemas.errors import ConfigurationError, SnapshotError
from driftline.streams.checkpoint import scripts
from driftline.streams.checkpoint.port import Restored, check_topology, fenced

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping

    from driftline.streams.checkpoint.port import Checkpoint

T = TypeVar("T")

_HASHES: Final = (
    *(keys.snapshots, keys.before, keys.state, keys.overview),
    *(keys.series, keys.columns, keys.join),
)
_KEEPS: Final = "noeviction"
_FIELDS: Final = 1000
"""Fields of one command, and entries of one answer: Redis serves others in between."""

_BYTES: Final = 1_000_000
"""Of the entries of one command, but for the last of them."""


class RedisStore:
    """A `CheckpointStore` in Redis or Valkey.

    Make and use it within one event loop. Nothing is tried twice: a command whose answer was lost may have been
    carried out.

    Parameters
    ----------
    url
        ``redis://host:6379/0``, ``rediss://…`` or ``unix://…``; its password is in no message.
    timeout
        Seconds to wait for an answer.

    Raises
    ------
    ConfigurationError
        If the URL cannot be used.

    """

    def __init__(self, url: str, *, timeout: float = 10.0) -> None:
        self._address = RedisAddress(url)
        options: dict[str, Any] = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
        self._redis = self._address.client(lambda: Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options))
        self._claim = self._redis.register_script(scripts.CLAIM)
        self._join = self._redis.register_script(scripts.JOIN)
        self._checkpoint = self._redis.register_script(scripts.CHECKPOINT)

    async def claim(self, partition: int) -> bytes:
        """Become the one owner of a partition, and return the token to save with."""
        token: Any
        with self._failures():
            token = await self._claim(keys=[keys.owner(partition)], args=[token_hex(8)])
        return bytes(token)

    async def owner(self, partition: int) -> bytes | None:
        """Return the token of the one that may save now."""
        token: Any
        with self._failures():
            token = await self._redis.get(keys.owner(partition))
        return None if token is None else bytes(token)

    async def load(self, partition: int) -> Restored:
        """Return what the last checkpoint of a partition left, as of one moment.

        Raises
        ------
        SnapshotError
            If something else keeps values of its own under our keys.

        """
        with self._failures():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.get(keys.position(partition))
                pipe.hgetall(keys.outbox(partition))
                for key in _HASHES:
                    pipe.type(key(partition))
                position, outbox, *types = await pipe.execute()
        for key, kind in zip(_HASHES, types, strict=True):
            # What is written before a script finds out would stay.
            if kind not in {b"hash", b"none"}:
                what = f"the key {key(partition)} in Redis at {self._address.text}"
                raise SnapshotError(f"{what} is not Driftline's: it is no hash")
        return Restored(position, {number: outbox[b"%d" % number] for number in sorted(map(int, outbox))})

    async def snapshots(self, partition: int) -> AsyncIterator[tuple[str, bytes]]:
        """Give the newest snapshot of each model, one a question: they may be large, and others wait meanwhile."""
        models: Any
        with self._failures():
            models = await self._redis.hkeys(keys.snapshots(partition))
        for model_id in models:
            snapshot: Any
            with self._failures():
                snapshot = await self._redis.hget(keys.snapshots(partition), model_id)
            if snapshot is None:
                raise SnapshotError(f"the snapshot of the model {model_id.decode()} was deleted meanwhile")
            yield model_id.decode(), snapshot

    async def snapshot_before(self, partition: int, model_id: str) -> bytes | None:
        """Return the snapshot of a model that its newest one replaced, if there is one."""
        before: Any
        with self._failures():
            before = await self._redis.hget(keys.before(partition), model_id)
        return None if before is None else bytes(before)

    async def columns(self, partition: int) -> dict[str, bytes]:
        """Return the names of the metrics in the rows of each model."""
        found: Any
        with self._failures():
            found = await self._redis.hgetall(keys.columns(partition))
        return {model_id.decode(): names for model_id, names in found.items()}

    async def entries(self, partition: int) -> AsyncIterator[Collection[tuple[bytes, bytes]]]:
        """Give all join entries of a partition, about a thousand at a time; one may come twice."""
        cursor = None
        while cursor != 0:
            # redis-py types an answer as what any of its protocols and decodings may give.
            chunk: Any
            with self._failures():
                cursor, chunk = await self._redis.hscan(keys.join(partition), cursor or 0, count=_FIELDS)
            yield chunk.items()

    async def fetch(self, partition: int, ids: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the join entries of those id hashes that are stored, in one round trip."""
        if not ids:
            return {}
        found: Any
        with self._failures():
            found = await self._redis.hmget(keys.join(partition), list(ids))
        return {key: entry for key, entry in zip(ids, found, strict=True) if entry is not None}

    async def save(self, checkpoint: Checkpoint, owner: bytes) -> None:
        """Write a checkpoint: its join entries up to a thousand at a time, then the rest in one script, then delete.

        Until the script is through, the snapshots before these may be needed, and the entries that those know.
        """
        partition = checkpoint.partition
        for entries in _chunks(checkpoint.entries.items(), size=lambda entry: len(entry[1])):
            await self._write_join(partition, owner, [len(entries), *chain.from_iterable(entries)])
        name = (
            *(keys.owner, keys.position, keys.snapshots, keys.before, keys.state, keys.overview),
            *(keys.series, keys.columns, keys.outbox),
        )
        models = (
            (model_id, saved.snapshot, saved.state, saved.overview, int(saved.replaces_damaged))
            for model_id, saved in checkpoint.models.items()
        )
        arguments: list[Any] = [
            *(owner, checkpoint.position, len(checkpoint.models)),
            *chain.from_iterable(models),
            *(part for pairs in (checkpoint.rows, checkpoint.columns, checkpoint.outbox) for part in _counted(pairs)),
            *checkpoint.published,
        ]
        with self._failures():
            written = await self._checkpoint(keys=[key(partition) for key in name], args=arguments)
        if not written:
            raise fenced(partition)
        for fields in _chunks(checkpoint.dropped, size=len):
            await self._write_join(partition, owner, [0, *fields])

    async def _write_join(self, partition: int, owner: bytes, arguments: Iterable[Any]) -> None:
        with self._failures():
            written = await self._join(keys=[keys.owner(partition), keys.join(partition)], args=[owner, *arguments])
        if not written:
            raise fenced(partition)

    async def claim_topology(self, partitions: int, cluster: str) -> None:
        """Say which topics this is the state of; `TopologyError` if it is that of others.

        Raises
        ------
        ConfigurationError
            If this Redis throws keys away when it is full.

        """
        memory: Any
        with self._failures():
            memory = await self._redis.info("memory")
        policy = memory.get("maxmemory_policy", _KEEPS)
        if memory.get("maxmemory", 0) and policy != _KEEPS:
            raise ConfigurationError(
                f"Redis at {self._address.text} throws keys away when it is full (maxmemory-policy {policy}), and the "
                f"state with them: set maxmemory-policy to {_KEEPS}"
            )
        with self._failures():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hsetnx(keys.TOPOLOGY, "partitions", partitions)
                pipe.hsetnx(keys.TOPOLOGY, "cluster", cluster)
                pipe.hmget(keys.TOPOLOGY, "partitions", "cluster")
                *_, (count, name) = await pipe.execute()
        check_topology(stored=(int(count), name.decode()), found=(partitions, cluster))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            raise self._address.unavailable(error) from None


def _counted(pairs: Mapping[Any, bytes]) -> Iterator[Any]:
    """Yield how many there are, and each key and value."""
    yield len(pairs)
    yield from chain.from_iterable(pairs.items())


def _chunks(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    chunk: list[T] = []
    left = _BYTES
    for item in items:
        chunk.append(item)
        left -= size(item)
        if len(chunk) == _FIELDS or left <= 0:
            yield chunk
            chunk, left = [], _BYTES
    if chunk:
        yield chunk
