"""aiokafka's side of the consumer: it runs in a thread and an event loop of its own."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread
from faust.types import TP

from driftline.streams.transport.batch import BatchLimits, sizes_of

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer
    from faust.transport.drivers.aiokafka import Transport

    from driftline.streams.transport.batch import Record

__all__ = ["FetchingThread"]

STOP_SECONDS = 5.0

_FIRST = 20


class FetchingThread(AIOKafkaConsumerThread):
    """Fetches a batch of every partition at once, and lets a fetch that waits be woken."""

    read_to: "Mapping[TP, int]" = MappingProxyType({})
    """Of each partition of the last fetch, the next offset that aiokafka will read: beyond transaction markers too."""

    limits: BatchLimits
    """How much a batch may have; a fetch is drained by as much."""

    _waiter: "asyncio.Future[None] | None" = None
    _woken = False

    def wake(self) -> None:
        """Let the fetch that is under way return now; to be called from the main thread."""
        self.thread_loop.call_soon_threadsafe(self._wake)

    async def keep_membership(self) -> None:
        """Count as polling, so that the group does not take an application that paused on purpose for a hung one."""
        await self.call_thread(self._touch)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Fetch nothing of new partitions until `begin`; Faust calls this in the thread.

        aiokafka would fetch from the committed offsets at once. A fetch that finds nothing there holds the connection
        for 1.5 s, and with it the requests for the log's ends and the first fetch after the seek.
        """
        self._ensure_consumer().pause(*map(_of_aiokafka, assigned))
        await super().on_partitions_assigned(assigned, generation_id)

    async def on_start(self) -> None:
        """Start aiokafka, unless the app is stopped first: of a broker that hangs it awaits an answer for 90 s."""
        await self.wait(super().on_start())

    async def stop(self) -> None:
        """Stop; of an app whose start failed, before this thread was begun, only the event loop is left to close."""
        await super().stop()
        # The thread closes it. Left to the garbage collector, it complains on standard error, or does not, as the
        # collector happens to come upon its sockets first or last.
        if self._thread is None:
            self.thread_loop.close()

    async def on_thread_stop(self) -> None:
        """Stop aiokafka, for as long as that may take: all that matters has been committed by now."""
        # A request to join the group is waited for, which may last until all other members have joined. And fetches
        # are cancelled and awaited: one that waits to be tried again, as without a broker, lets its cancellation out.
        # Faust would wait for this thread for ever.
        with suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait_for(super().on_thread_stop(), STOP_SECONDS)

    def on_crash(self, msg: str, *fmt: object, **kwargs: object) -> None:
        """Print nothing: `crash` logs the same."""

    def _stopped_set(self) -> None:
        with suppress(RuntimeError):  # a thread that has crashed has closed its event loop
            super()._stopped_set()

    def _start_thread(self) -> None:
        # What Kafka refuses crashes the app. The thread need not die of it once more, with a traceback of its own.
        with suppress(KafkaError):
            super()._start_thread()

    async def report_group_errors(self) -> None:
        """Log what keeps aiokafka from joining the group, which it does not try again before it has been asked.

        Faust never asks: a worker that was refused once stands still for ever.

        Raises
        ------
        aiokafka.errors.KafkaError
            If it has given up for good.
        """
        await self.call_thread(self._report_group_errors)

    async def halt(self, partitions: Iterable[TP]) -> None:
        """Fetch nothing of `partitions` until `begin`."""
        await self.call_thread(self._halt, list(map(_of_aiokafka, partitions)))

    @property
    def reaches_group(self) -> bool:
        """Whether the broker that coordinates the group is known, and no heartbeat has failed since."""
        coordinator = self._consumer and self._consumer._coordinator  # noqa: SLF001 (aiokafka has no public word for it)
        return coordinator is not None and coordinator.coordinator_id is not None

    async def begin(self, partitions: Iterable[TP]) -> None:
        """Fetch `partitions` from where they stand now."""
        await self.call_thread(self._begin, list(map(_of_aiokafka, partitions)))

    def highwater(self, tp: TP) -> int:
        """Return the offset up to which `tp` can be read, or None before the first fetch."""
        consumer = self._ensure_consumer()
        stable = consumer.last_stable_offset(tp)
        # A broker that knows no transactions states none.
        return consumer.highwater(tp) if stable is None or stable < 0 else stable  # type: ignore[no-any-return]

    def _create_worker_consumer(self, transport: "Transport") -> "AIOKafkaConsumer":
        consumer = super()._create_worker_consumer(transport)
        # Faust reads what transactions wrote and then aborted, unless it runs its own "exactly once".
        consumer._isolation_level = "read_committed"  # noqa: SLF001
        return consumer

    async def _fetch_records(
        self,
        consumer: "AIOKafkaConsumer",
        active_partitions: Iterable[TP],
        timeout: float | None = None,  # noqa: ASYNC109 (Faust's)
        max_records: int | None = None,
    ) -> "Mapping[TP, list[Record]]":
        records = await self._drain(consumer, active_partitions, max_records)
        if records or self._woken or not self.consumer.flow_active:
            self._woken = False
            return records
        self._waiter = consumer._fetcher._create_fetch_waiter()  # noqa: SLF001 (Faust calls no public method either)
        done, _ = await asyncio.wait([self._waiter], timeout=timeout)
        waiter, self._waiter, self._woken = self._waiter, None, False
        if not done:
            waiter.cancel()
            return {}
        if waiter.exception() is not None:  # the coordinator's, which `report_group_errors` reports
            return {}
        return await self._drain(consumer, active_partitions, max_records)

    async def _drain(
        self, consumer: "AIOKafkaConsumer", partitions: Iterable[TP], max_records: int | None
    ) -> "Mapping[TP, list[Record]]":
        # aiokafka's own limit is one for all partitions, so that the first of them would be served alone. What is over
        # the limit stays with aiokafka, as bytes.
        records: dict[TP, list[Record]] = {}
        if consumer._subscription.reassignment_in_progress:  # noqa: SLF001
            return records  # aiokafka would wait for the end of it
        for tp in partitions:
            if taken := await self._drain_one(consumer, tp, max_records or self.limits.records):
                records[tp] = taken
        states = {tp: consumer._subscription.subscription.assignment.state_value(tp) for tp in partitions}  # noqa: SLF001
        self.read_to = {tp: state.position for tp, state in states.items() if state and state.has_valid_position}
        return records

    async def _drain_one(self, consumer: "AIOKafkaConsumer", tp: TP, most: int) -> "list[Record]":
        """Return up to `most` records, of about as many bytes as a batch may have.

        A few first: they tell how large the others are, and what was compressed is decompressed as it is taken.
        """
        taken: list[Record] = []
        size, step = 0, _FIRST
        while len(taken) < most and size < self.limits.size:
            found = await super()._fetch_records(consumer, {tp}, timeout=0, max_records=min(step, most - len(taken)))
            if not (more := found.get(tp)):
                break
            taken += more
            size += sum(sizes_of(more))
            step = max(1, (self.limits.size - size) * len(taken) // max(1, size))
        return taken

    def _wake(self) -> None:
        if self._waiter is None:
            self._woken = True  # the fetch was asked for and has not begun
        elif not self._waiter.done():
            self._waiter.set_result(None)

    async def _halt(self, partitions: list[TopicPartition]) -> None:
        consumer = self._ensure_consumer()
        consumer.pause(*consumer.assignment().intersection(partitions))

    async def _begin(self, partitions: list[TopicPartition]) -> None:
        self._ensure_consumer().resume(*partitions)

    async def _report_group_errors(self) -> None:
        coordinator = self._ensure_consumer()._coordinator  # noqa: SLF001
        if coordinator is None:  # stopped before aiokafka had started
            return
        try:
            coordinator.check_errors()
        except KafkaError as error:
            if coordinator._coordination_task.done():  # noqa: SLF001
                raise
            self.log.error("could not join the group, trying again: %r", error)  # noqa: TRY400 (no trace)

    async def _touch(self) -> None:
        with self._ensure_consumer()._subscription.fetch_context():  # noqa: SLF001
            pass


def _of_aiokafka(tp: TP) -> TopicPartition:
    return TopicPartition(tp.topic, tp.partition)
