"""The Faust consumer that delivers batches, in bounds, and commits what was acked without a hole."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaError
from faust.transport.consumer import ensure_TP
from faust.types import TP, ConsumerMessage

from driftline.streams.transport.batch import BatchLimits, RecordBatch, cut
from driftline.streams.transport.ledger import Ledger
from driftline.streams.transport.ownership import OwningConsumer

if TYPE_CHECKING:
    from faust.transport.consumer import RecordMap
    from faust.types import Message
    from faust.types.transports import TransportT

__all__ = ["BatchConsumer"]

_SOON: Final = 5.0
"""Seconds."""


class BatchConsumer(OwningConsumer):
    """Faust's consumer with one message for each partition and fetch.

    `getmany` yields a message for a batch. A partition whose batches wait for the agent is not fetched; others are.
    `_new_offset` commits up to the first batch that is not acked, where Faust's own skips one that is alone. All of it
    runs in the main event loop, but for what `OwningConsumer`'s thread does.

    Parameters
    ----------
    transport
        Faust's transport.
    callback
        Coroutine function that puts a message in the agents' queues.
    limits
        How much is delivered at a time.
    **options
        Of `OwningConsumer`.
    """

    def __init__(
        self,
        transport: "TransportT",
        callback: "Callable[[Message], Any]",
        *,
        limits: BatchLimits,
        **options: Any,  # noqa: ANN401 (Faust's)
    ) -> None:
        self._limits = limits
        self._ledger = Ledger(limits.queued)
        self._held: set[TP] = set()
        self._room = asyncio.Event()
        self._not_fetching = asyncio.Event()
        self._not_fetching.set()
        super().__init__(transport, callback, **options)
        self._thread.limits = limits

    # Delivering

    async def getmany(self, timeout: float) -> "AsyncIterator[tuple[TP, Message]]":  # noqa: ASYNC109 (Faust's)
        """Fetch once, and yield a message for each batch.

        What a rebalance leaves undelivered is read again after it: there is always a seek.
        """
        records, _ = await self._wait_next_records(timeout)
        if records is None:
            return
        generation = self.app.consumer_generation_id
        read_to = self._thread.read_to
        first = {ensure_TP(tp): fetched[0].offset for tp, fetched in records.items()}
        if await self._is_overtaken({**read_to, **first}):
            if generation == self.app.consumer_generation_id:
                await self.take_over_anew()
            return
        for partition, fetched in records.items():
            tp = ensure_TP(partition)
            for piece in cut(fetched, self._limits):
                if self.should_stop or not self.flow_active or generation != self.app.consumer_generation_id:
                    return
                message = self._to_message(tp, RecordBatch(tp, piece))
                self._ledger.deliver(message)
                self._next_offsets[tp] = message.offset + 1
                yield tp, message
                # The events hold the batch. The message lives until it is committed, and must not hold it so long.
                message.value = None
        if generation == self.app.consumer_generation_id:  # else these may be partitions of the assignment before
            self._next_offsets.update(read_to)

    async def _wait_next_records(
        self,
        timeout: float,  # noqa: ASYNC109 (Faust's)
    ) -> "tuple[RecordMap | None, set[TP] | None]":
        if not self.flow_active:
            await self._wait_for(self.can_resume_flow, timeout)
            # Whoever has left the group is let in again only if it polls.
            await self._thread.keep_membership()
            return None, None
        fetchable = self._fetchable()
        if not fetchable:
            self._room.clear()
            await self._wait_for(self._room, timeout)
            if self._held:
                await self._thread.keep_membership()
            return None, None
        generation = self.app.consumer_generation_id
        self._not_fetching.clear()
        try:
            records = await self._getmany(fetchable, timeout)
        finally:
            self._not_fetching.set()
        # A fetch from before a rebalance has ended before the seek after it: what it brings will be read again.
        return (records if generation == self.app.consumer_generation_id else None), fetchable

    async def _wait_for(self, event: asyncio.Event, timeout: float) -> None:  # noqa: ASYNC109 (Faust's)
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), timeout)

    async def _is_overtaken(self, found: Mapping[TP, int]) -> bool:
        """Return whether offsets that were to come next are not in the log any more; `found` says what came instead.

        aiokafka goes on at the log's start then, without a word. Compaction and transactions leave gaps too, so Kafka
        is asked whenever there is one.
        """
        jumped = {
            tp: self._next_offsets[tp] for tp, offset in found.items() if offset > self._next_offsets.get(tp, offset)
        }
        starts = await self._starts(jumped) if jumped else {}
        overtaken = {tp: expected for tp, expected in jumped.items() if starts[tp] > expected}
        for tp, expected in overtaken.items():
            self.log.error(
                "the records %d to %d of %s were deleted before they were read", expected, starts[tp] - 1, tp
            )
        return bool(overtaken)

    def _fetchable(self) -> set[TP]:
        return self._get_active_partitions() - self._held - self._ledger.full()

    def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:  # noqa: ANN401 (Faust's)
        batch: RecordBatch = record
        last = batch.records[-1]
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=last.offset,
            timestamp=last.timestamp / 1000,
            timestamp_type=last.timestamp_type,
            headers=None,
            key=None,
            value=batch,  # type: ignore[arg-type]  # BatchSchema decodes it
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    # Back-pressure

    def taken(self, tp: TP, offset: int) -> None:
        """Note that an agent takes the batch that ends at `offset`."""
        if self._ledger.take(tp, offset):
            self._fetch_anew()

    def hold(self, tp: TP) -> None:
        """Fetch no more of `tp` until `release`, or until it is revoked."""
        self._held.add(tp)
        self._fetch_anew()

    def release(self, tp: TP) -> None:
        """Fetch `tp` again."""
        if tp in self._held:
            self._held.discard(tp)
            self._fetch_anew()

    def on_buffer_drop(self, tp: TP) -> None:
        """Fetch `tp` again, whose stream had a full buffer."""
        super().on_buffer_drop(tp)
        self._fetch_anew()

    def resume_partitions(self, tps: Iterable[TP]) -> None:
        """Fetch `tps` again, which Faust had paused for a rebalance."""
        super().resume_partitions(tps)
        self._room.set()

    def lag(self, tp: TP) -> int | None:
        """Return how many offsets of `tp` have not been delivered yet; None where it is not known."""
        # A fetch that a rebalance overtook may have noted where it stood in partitions whose ends are not known now.
        known_end = self._end_offsets.get(tp)
        if known_end is None or tp not in self._next_offsets or tp not in self.assignment():
            return None
        end = max(known_end, self._thread.highwater(tp) or 0)
        return max(0, end - self._next_offsets[tp])

    def at_end(self, tp: TP) -> bool:
        """Return whether the agent has been given all of `tp` that there was at the last fetch."""
        return self.lag(tp) == 0 and not self._ledger.is_waiting(tp)

    async def is_read(self, tps: Iterable[TP]) -> bool:
        """Ask Kafka whether the agent has been given all there is of `tps`; False where it does not answer soon."""
        tps = list(tps)
        try:
            ends = await asyncio.wait_for(self.highwaters(*tps), _SOON)
        except (TimeoutError, KafkaError):
            return False
        return all(ends[tp] <= self._next_offsets.get(tp, -1) and not self._ledger.is_waiting(tp) for tp in tps)

    def _fetch_anew(self) -> None:
        # A fetch waits for the partitions that it was begun with.
        self._room.set()
        if not self._not_fetching.is_set():
            self._thread.wake()

    # Committing

    def _new_offset(self, tp: TP) -> int | None:
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self._ledger.committable(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Keep no account of gaps: the ledger needs none."""

    def _forget(self, partitions: Iterable[TP] | None = None) -> None:
        self._ledger.forget(partitions)
        self._held -= self._held if partitions is None else set(partitions)

    async def _wait_until_idle(self) -> None:
        if not self._not_fetching.is_set():
            self._thread.wake()
            await self._not_fetching.wait()
