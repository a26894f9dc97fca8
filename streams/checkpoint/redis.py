"""The store in Redis, under the keys of `driftline.schemas.keys`."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from redis import RedisError
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from driftline.client.redis_access import RedisAddress
from driftline.schemas import keys
from driftline.schemas.errors import SnapshotError
from driftline.streams.checkpoint.port import Restored, check_partitions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Iterator

    from redis.asyncio.client import Pipeline

    from driftline.streams.checkpoint.port import Checkpoint

T = TypeVar("T")

_FIELDS: Final = 1000
"""Fields of one command, and entries of one answer: Redis serves others in between."""


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

    async def load(self, partition: int) -> Restored:
        """Return what the last checkpoint of a partition left, as of one moment.

        Raises
        ------
        SnapshotError
            If something else keeps values of its own under our keys.

        """
        hashes = (keys.state(partition), keys.join(partition))
        with self._failures():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.get(keys.position(partition))
                pipe.hgetall(keys.snapshots(partition))
                for key in hashes:
                    pipe.type(key)
                position, snapshots, *types = await pipe.execute()
        for key, kind in zip(hashes, types, strict=True):
            # A transaction does not roll back: a write that a type refuses would leave half a checkpoint.
            if kind not in {b"hash", b"none"}:
                raise SnapshotError(f"the key {key} in Redis at {self._address.text} is not Driftline's: it is no hash")
        return Restored(position, {model_id.decode(): blob for model_id, blob in snapshots.items()})

    async def entries(self, partition: int) -> AsyncIterator[tuple[bytes, bytes]]:
        """Give all join entries of a partition, about a thousand at a time; one may come twice."""
        cursor = None
        while cursor != 0:
            # redis-py types an answer as what any of its protocols and decodings may give.
            chunk: Any
            with self._failures():
                cursor, chunk = await self._redis.hscan(keys.join(partition), cursor or 0, count=_FIELDS)
            for entry in chunk.items():
                yield entry

    async def fetch(self, partition: int, ids: Collection[bytes]) -> dict[bytes, bytes]:
        """Return the join entries of those id hashes that are stored, in one round trip."""
        if not ids:
            return {}
        found: Any
        with self._failures():
            found = await self._redis.hmget(keys.join(partition), list(ids))
        return {key: entry for key, entry in zip(ids, found, strict=True) if entry is not None}

    async def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint in one transaction."""
        partition = checkpoint.partition
        with self._failures():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.set(keys.position(partition), checkpoint.position)
                _set_fields(pipe, keys.snapshots(partition), checkpoint.snapshots.items())
                _set_fields(pipe, keys.state(partition), checkpoint.states.items())
                _set_fields(pipe, keys.join(partition), checkpoint.entries.items())
                for fields in _chunks(checkpoint.dropped):
                    pipe.hdel(keys.join(partition), *fields)
                await pipe.execute()

    async def claim_topology(self, partitions: int) -> None:
        """Say how many partitions the input topics have; `TopologyError` if another count stands."""
        with self._failures():
            async with self._redis.pipeline(transaction=True) as pipe:
                pipe.hsetnx(keys.TOPOLOGY, "partitions", partitions)
                pipe.hget(keys.TOPOLOGY, "partitions")
                _, stored = await pipe.execute()
        check_partitions(stored=int(stored), found=partitions)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            raise self._address.unavailable(error) from None


def _set_fields(pipe: Pipeline, key: str, fields: Iterable[tuple[str | bytes, bytes]]) -> None:
    for chunk in _chunks(fields):
        items: list[Any] = list(chain.from_iterable(chunk))
        pipe.hset(key, items=items)


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    source = iter(items)
    while chunk := list(islice(source, _FIELDS)):
        yield chunk
