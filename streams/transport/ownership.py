"""The Faust consumer that seeks to checkpoints when it gets partitions, and commits before it gives them up."""

import asyncio
import time
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from aiokafka.errors import KafkaTimeoutError
from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP
from mode import Service

from driftline.streams.transport.fetching import FetchingThread
from driftline.streams.transport.listener import Log

if TYPE_CHECKING:
    from faust.types import Message
    from faust.types.transports import TransportT

    from driftline.streams.transport.listener import RebalanceListener

__all__ = ["OwningConsumer"]

T = TypeVar("T")


class OwningConsumer(Consumer):
    """Faust's consumer with a listener that says where to read on, and that saves what was done in time.

    The order of a rebalance: flow stops; the listener gives its partitions up and what it acked is committed; Kafka
    assigns anew, and nothing is fetched; the listener is asked for positions, and the consumer seeks to them; fetching
    begins.

    Parameters
    ----------
    transport
        Faust's transport.
    callback
        Coroutine function that puts a message in the agents' queues.
    listener
        Told of the partitions that come and go.
    hook_timeout
        Seconds that the listener has to give partitions up, and the commit after it again.
    **options
        Of Faust's consumer.
    """

    _thread: FetchingThread

    def __init__(
        self,
        transport: "TransportT",
        callback: "Callable[[Message], Any]",
        *,
        listener: "RebalanceListener",
        hook_timeout: float,
        **options: Any,  # noqa: ANN401 (Faust's)
    ) -> None:
        self._listener = listener
        self._hook_timeout = hook_timeout
        self._next_offsets: dict[TP, int] = {}
        self._end_offsets: dict[TP, int] = {}
        self._owned: set[TP] = set()  # what the listener has taken over
        self._handover = asyncio.Lock()
        self._restoring: asyncio.Future[None] | None = None
        self._reached_at = time.monotonic()
        self._revoked = False  # from the revocation to the next assignment
        super().__init__(transport, callback, **options)

    def _new_consumer_thread(self) -> FetchingThread:
        return FetchingThread(self, loop=self.loop, beacon=self.beacon)

    @abstractmethod
    async def _wait_until_idle(self) -> None:
        """Return when no fetch is under way."""

    @abstractmethod
    def _forget(self, partitions: Iterable[TP] | None = None) -> None:
        """Drop what was delivered of `partitions`, by default of all; acks of it come to nothing from now on."""

    async def commit_acked(self) -> None:
        """Commit what was acked until now.

        Faust's `commit` does nothing if one is under way, which may have begun before the last ack.
        """
        while self._commit_fut is not None:
            await self.maybe_wait_for_commit_to_finish()
        await self.commit()

    async def commit_and_end_transactions(self) -> None:
        """Commit at the end, for as long as `hook_timeout`: aiokafka retries for as long as no broker answers."""
        try:
            await asyncio.wait_for(self.commit_acked(), self._hook_timeout)
        except TimeoutError:
            self.log.error("could not commit: what was acked last will be read again")  # noqa: TRY400 (no trace)

    @property
    def silence(self) -> float:
        """Return for how many seconds the group's broker has been unreachable, give or take one.

        One that hangs, and holds its connections, counts as such once a heartbeat has waited for
        `broker_request_timeout`.
        """
        return time.monotonic() - self._reached_at

    # Taking partitions over

    @Service.task
    async def _watch_group(self) -> None:
        async for _ in self.itertimer(1.0, name="group"):
            await self._thread.report_group_errors()
            if self._thread.reaches_group:
                self._reached_at = time.monotonic()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Take partitions over, unless the app is stopping."""
        if self.app.should_stop:
            return  # Faust would close aiokafka's client from another event loop than its own
        self._revoked = False
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Begin to seek to the listener's positions; fetching begins when that is done.

        It does not wait for it: Faust gives up all further rebalances if this takes over `broker_request_timeout`.
        """
        if not (self._revoked or self.app.should_stop):  # else it comes too late
            self._restoring = self.add_future(self._restore())

    async def take_over_anew(self) -> None:
        """Give all partitions up and take them over once more, as if a rebalance had given them back."""
        generation = self.app.consumer_generation_id
        await self._thread.halt(self.assignment())
        async with self._handover:
            # A rebalance may have come meanwhile, and sees to all of it.
            if self._revoked or generation != self.app.consumer_generation_id:
                return
            await self._give_up(self._owned)
            self._forget()
            await self.perform_seek()

    async def _restore(self) -> None:
        await self._wait_until_idle()  # so that no fetch from before the rebalance ends after the seek
        self._forget()
        self._next_offsets.clear()
        await super().perform_seek()
        assigned = frozenset(self.assignment())
        if assigned:
            logs = await self._logs(assigned)
            wanted = await self._listener.assigned(logs)
            self._owned |= assigned
            await self._seek_within(logs, wanted)
            await self._thread.begin(assigned)

    async def _logs(self, assigned: Iterable[TP]) -> dict[TP, Log]:
        starts = await self._starts(assigned)
        self._end_offsets = dict(await _answered(lambda: self.highwaters(*assigned)))
        committed = self._committed_offset
        return {tp: Log(starts[tp], self._end_offsets[tp], committed.get(tp)) for tp in assigned}

    async def _starts(self, partitions: Iterable[TP]) -> Mapping[TP, int]:
        """Return the first offset of each log."""
        return await _answered(lambda: self.earliest_offsets(*partitions))

    async def _seek_within(self, logs: Mapping[TP, Log], wanted: Mapping[TP, int]) -> None:
        if not wanted.keys() <= logs.keys():
            raise ValueError(f"positions of partitions that were not assigned: {sorted(wanted.keys() - logs.keys())}")
        positions = {}
        for tp, (start, end, committed) in logs.items():
            offset = wanted.get(tp, start if committed is None else committed)
            positions[tp] = offset if start <= offset <= end else start
            if positions[tp] != offset:
                self.log.warning(
                    "offset %d of %s is not in its log, which holds %d to %d: reading from the log's start",
                    *(offset, tp, start, end),
                )
        await self.seek_wait(positions)
        self._read_offset.update(positions)
        self._committed_offset.update(positions)
        for tp in logs:
            self._next_offsets[tp] = await self.position(tp) or 0

    # Giving partitions up

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Give partitions up: the listener saves and acks, and that is committed, before anyone else gets them."""
        self._revoked = True
        self.stop_flow()  # Faust does so later, and the listener is to have its peace
        self.app.flow_control.suspend()
        await self.hand_over(revoked)
        self._forget(revoked)
        if not self.app.should_stop:
            await super().on_partitions_revoked(revoked)

    async def hand_over(self, partitions: Iterable[TP] | None = None) -> None:
        """Let the listener give up `partitions` or, with None, all that it has, and commit what it acked.

        A failure of the listener crashes the app: aiokafka, which waits for this, would only log it.
        """
        async with self._handover:
            await self._give_up(self._owned if partitions is None else partitions)

    async def _give_up(self, partitions: Iterable[TP]) -> None:
        await self._stop_restoring()
        leaving = self._owned & set(partitions)
        self._owned -= leaving
        if not leaving or self.app.crashed:
            return
        hook = asyncio.ensure_future(self._listener.revoked(frozenset(leaving)))
        await asyncio.wait({hook}, timeout=self._hook_timeout)
        if not hook.done():
            self.log.error("gave up waiting for the application to give %d partitions up", len(leaving))
            hook.cancel()
            await asyncio.wait({hook})
        elif error := hook.exception():
            await self.crash(error)
        else:
            await self.commit_and_end_transactions()

    async def _stop_restoring(self) -> None:
        if self._restoring is not None and not self._restoring.done():
            self._restoring.cancel()
            await asyncio.wait({self._restoring})


async def _answered(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask Kafka until it answers; aiokafka gives up after `broker_request_timeout`, which is no time for an outage."""
    while True:
        with suppress(KafkaTimeoutError):
            return await ask()
