"""How the models are doing now, and did before, asked of Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import redis
from redis import asyncio as redis_asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from driftline.client.questions import History, Questions
from driftline.client.redis_access import RedisAddress

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
    from types import TracebackType

    from driftline.client.questions import Command, Question
    from driftline.schemas.state import ModelState, Overview

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
        # What redis-py says of the types of its commands is not true of both of its clients.
        self._redis: Any = self._address.client(
            lambda: redis.Redis.from_url(
                url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0)
            )
        )
        self._questions = Questions(self._address.text)

    def models(self) -> list[str]:
        """Return the ids of all models, sorted."""
        return sorted(
            i.decode() for partition in self._partitions() for i in self._ask(self._questions.models(partition))
        )

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
        return self._ask(self._questions.state(model_id))

    def states(self) -> Iterator[ModelState]:
        """Give the state of every model, a hundred at a time; errors are those of `state`."""
        for partition in self._partitions():
            for ids in _chunks(self._ask(self._questions.models(partition))):
                yield from self._ask(self._questions.states(partition, ids))

    def overviews(self) -> list[Overview]:
        """Return what a list of all models shows of each, open incidents included; errors are those of `state`.

        That is much less than `states` reads.
        """
        found = [each for partition in self._partitions() for each in self._ask(self._questions.overviews(partition))]
        return sorted(found, key=lambda overview: overview.model_id)

    def history(self, model_id: str, resolution: str = "1m", metrics: Iterable[str] | None = None) -> History | None:
        """Return what metrics of a model were over time; None if no checkpoint holds the model yet.

        Parameters
        ----------
        model_id
            Of which model.
        resolution
            ``1m`` for the last hour by minutes of event time, ``15m`` for the last day by quarters of an hour, ``6h``
            for the last 30 days by quarters of a day.
        metrics
            Which: as ``performance.window.accuracy``, ``counts.predictions`` or ``effect.data_drift feature age psi``,
            see docs/state.md. By default all there are.

        Raises
        ------
        ConfigurationError
            If there is no such resolution. Others are those of `state`.

        """
        return self._ask(self._questions.history(model_id, resolution, metrics))

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

    def _partitions(self) -> range:
        return range(self._ask(self._questions.partitions()))

    def _ask(self, question: Question[T]) -> T:
        commands = next(question)
        while True:
            try:
                answers = self._answers(commands)
            except redis.RedisError as error:
                raise self._address.unavailable(error) from None
            try:
                commands = question.send(answers)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]

    def _answers(self, commands: Sequence[Command]) -> list[Any]:
        if len(commands) == 1:
            return [self._redis.execute_command(*commands[0])]
        with self._redis.pipeline(transaction=True) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            answers: list[Any] = pipe.execute()
        return answers


class AsyncStateReader:
    """Does what `StateReader` does, within one event loop; all that is said there holds.

    Examples
    --------
    ::

        import asyncio
        from driftline.client import AsyncStateReader

        async def show(model_id: str) -> None:
            async with AsyncStateReader("redis://127.0.0.1:6379/0") as reader:
                state = await reader.state(model_id)
                if state is not None:
                    print(model_id, state.counts.joined, [i.target.as_text() for i in state.incidents])

        asyncio.run(show("fraud"))

    """

    def __init__(self, url: str, *, timeout: float = 5.0) -> None:
        self._address = RedisAddress(url)
        # What redis-py says of the types of its commands is not true of both of its clients.
        self._redis: Any = self._address.client(
            lambda: redis_asyncio.Redis.from_url(
                url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=AsyncRetry(NoBackoff(), 0)
            )
        )
        self._questions = Questions(self._address.text)

    async def models(self) -> list[str]:
        """Return the ids of all models, sorted."""
        found = [await self._ask(self._questions.models(partition)) for partition in await self._partitions()]
        return sorted(model_id.decode() for ids in found for model_id in ids)

    async def state(self, model_id: str) -> ModelState | None:
        """Return the state of a model, or None if no checkpoint holds it yet; raises what `StateReader.state` does."""
        return await self._ask(self._questions.state(model_id))

    async def states(self) -> AsyncIterator[ModelState]:
        """Give the state of every model, a hundred at a time; errors are those of `state`."""
        for partition in await self._partitions():
            for ids in _chunks(await self._ask(self._questions.models(partition))):
                for state in await self._ask(self._questions.states(partition, ids)):
                    yield state

    async def overviews(self) -> list[Overview]:
        """Return what a list of all models shows of each, as `StateReader.overviews` does."""
        found = [await self._ask(self._questions.overviews(partition)) for partition in await self._partitions()]
        return sorted((each for of in found for each in of), key=lambda overview: overview.model_id)

    async def history(
        self, model_id: str, resolution: str = "1m", metrics: Iterable[str] | None = None
    ) -> History | None:
        """Return what metrics of a model were over time, as `StateReader.history` does."""
        return await self._ask(self._questions.history(model_id, resolution, metrics))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def __aenter__(self) -> Self:
        """Return the reader."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.close()

    async def _partitions(self) -> range:
        return range(await self._ask(self._questions.partitions()))

    async def _ask(self, question: Question[T]) -> T:
        commands = next(question)
        while True:
            try:
                answers = await self._answers(commands)
            except redis.RedisError as error:
                raise self._address.unavailable(error) from None
            try:
                commands = question.send(answers)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]

    async def _answers(self, commands: Sequence[Command]) -> list[Any]:
        if len(commands) == 1:
            return [await self._redis.execute_command(*commands[0])]
        async with self._redis.pipeline(transaction=True) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            answers: list[Any] = await pipe.execute()
        return answers


def _chunks(ids: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(ids), _CHUNK):
        yield ids[start : start + _CHUNK]
