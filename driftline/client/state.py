"""How the models are doing now, asked of Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import redis
from pydantic import ValidationError
from redis.backoff import NoBackoff
from redis.retry import Retry

from driftline.client.redis_access import RedisAddress
from driftline.schemas import keys
from driftline.schemas.errors import SnapshotError, TopologyError
from driftline.schemas.partitioner import partition_of
from driftline.schemas.state import ModelState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

_CHUNK: Final = 100
"""State documents of one answer: about 1 MB."""

T = TypeVar("T")


class StateReader:
    """Reads the state of models, as of the worker's last checkpoint.

    Parameters
    ----------
    url
        Redis: ``redis://host:6379/0``, ``rediss://…`` or ``unix://…``.
    timeout
        Seconds to wait for an answer.

    Raises
    ------
    ConfigurationError
        If the URL cannot be used.

    Examples
    --------
    ::

        from driftline.client import StateReader

        with StateReader("redis://127.0.0.1:6379/0") as reader:
            for model_id in reader.models():
                state = reader.state(model_id)
                if state is not None:
                    print(model_id, state.counts.joined, [i.target.as_text() for i in state.incidents])

    """

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
        self._address = RedisAddress(url)
        self._redis = self._address.client(
            lambda: redis.Redis.from_url(
                url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0)
            )
        )
        self._partitions: int | None = None

    def models(self) -> list[str]:
        """Return the ids of all models, sorted."""
        return sorted(i.decode() for partition in range(self._count()) for i in self._ids(partition))

    def state(self, model_id: str) -> ModelState | None:
        """Return the state of a model, or None if no checkpoint holds it yet.

        Raises
        ------
        UnavailableError
            If Redis does not answer.
        TopologyError
            If no worker has run on this Redis, or what says so is not Driftline's.
        SnapshotError
            If another version of Driftline wrote the state.

        """
        known = self._partitions
        document = self._document(model_id, known or self._count())
        # A Redis that was emptied since may have been given another count.
        if document is None and known is not None and (count := self._count()) != known:
            document = self._document(model_id, count)
        return None if document is None else _parse(document)

    def states(self) -> Iterator[ModelState]:
        """Give the state of every model, a hundred at a time; errors are those of `state`."""
        for partition in range(self._count()):
            ids = sorted(self._ids(partition))
            for start in range(0, len(ids), _CHUNK):
                yield from self._documents(keys.state(partition), ids[start : start + _CHUNK])

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    def __enter__(self) -> Self:
        """Return the reader."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _count(self) -> int:
        stored: bytes | None = self._ask(lambda: self._redis.hget(keys.TOPOLOGY, "partitions"))
        if stored is None:
            raise TopologyError(f"Redis at {self._address.text} holds nothing of Driftline's: no worker has run on it")
        count = int(stored) if stored.isdigit() else 0
        if count == 0:
            raise TopologyError(
                f"the key {keys.TOPOLOGY} in Redis at {self._address.text} is not Driftline's: it holds no number of "
                "partitions"
            )
        self._partitions = count
        return count

    def _ids(self, partition: int) -> list[bytes]:
        ids: list[bytes] = self._ask(lambda: self._redis.hkeys(keys.state(partition)))
        return ids

    def _document(self, model_id: str, partitions: int) -> bytes | None:
        key = keys.state(partition_of(model_id, partitions))
        document: bytes | None = self._ask(lambda: self._redis.hget(key, model_id))
        return document

    def _documents(self, key: str, ids: list[bytes]) -> list[ModelState]:
        documents: list[bytes | None] = self._ask(lambda: self._redis.hmget(key, ids))
        # None: the model was dropped since its id was read.
        return [_parse(document) for document in documents if document is not None]

    def _ask(self, question: Callable[[], T]) -> Any:  # noqa: ANN401 - redis-py types one answer as that of its async twin too
        try:
            return question()
        except redis.RedisError as error:
            raise self._address.unavailable(error) from None


def _parse(document: bytes) -> ModelState:
    try:
        return ModelState.model_validate_json(document)
    except ValidationError:
        raise SnapshotError("the state of a model was written by another version of Driftline than this one") from None
