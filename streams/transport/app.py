"""A Faust app whose agents get batches."""

from typing import TYPE_CHECKING, Any

import faust
from faust.exceptions import ImproperlyConfigured
from faust.transport.drivers.aiokafka import Transport

from driftline.streams.transport.batch import BatchLimits
from driftline.streams.transport.consumer import BatchConsumer
from driftline.streams.transport.listener import GroupOffsets, RebalanceListener
from driftline.streams.transport.schema import BatchSchema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from faust.types import TP, ConsumerT, EventT, Message, StreamT
    from faust.types.transports import ConsumerCallback, TransportT

__all__ = ["BatchApp"]

_SETTINGS: "Mapping[str, Any]" = {
    "Schema": BatchSchema,
    # An exception that leaves an agent is a bug. Faust would go on with the next batch.
    "agent_supervisor": "mode.CrashingSupervisor",
    # With Faust's 60 s, the partitions of a killed worker stand still for a minute.
    "broker_heartbeat_interval": 1.0,
    "broker_session_timeout": 6.0,
    "consumer_auto_offset_reset": "earliest",
    # Faust would wait for acks that come with the next checkpoint.
    "stream_wait_empty": False,
    "topic_allow_declare": False,
    "topic_disable_leader": True,
    "web_enabled": False,
}


class BatchApp(faust.App):
    """A Faust app whose agents get one event for each partition and fetch, with a `RecordBatch` for a value.

    Tables and the replies of agents (`agent.ask`) need single records: they are not to be had.

    Parameters
    ----------
    id
        Name of the app and of its consumer group.
    listener
        Told of the partitions that come and go; it may be set until the app starts.
    limits
        How much is delivered at a time.
    hook_timeout
        Seconds for the listener to give partitions up, and again for the commit after it. It has to be well under
        `broker_rebalance_timeout`, which is 60.
    **settings
        Faust's settings. Differing from Faust's own defaults: no web server, no topics declared, heartbeats each
        second and a session of 6, `consumer_auto_offset_reset="earliest"`, and an exception that leaves an agent
        crashes the app. `stream_buffer_maxsize` may stay as it is: `limits` bounds the buffers.

    Examples
    --------
    >>> app = BatchApp("example", broker="kafka://localhost:9092", limits=BatchLimits(records=500))
    >>> app.conf.broker_max_poll_records, app.conf.web_enabled
    (500, False)
    """

    listener: RebalanceListener
    _consumer: BatchConsumer | None

    def __init__(
        self,
        id: str,  # noqa: A002 (Faust's)
        *,
        listener: RebalanceListener | None = None,
        limits: BatchLimits | None = None,
        hook_timeout: float = 20.0,
        **settings: Any,  # noqa: ANN401 (Faust's)
    ) -> None:
        self.listener = GroupOffsets() if listener is None else listener
        self.limits = BatchLimits() if limits is None else limits
        self.hook_timeout = hook_timeout
        super().__init__(id, **{**_SETTINGS, **settings, "broker_max_poll_records": self.limits.records})
        self.sensors.add(_QueueSensor(self))

    def ack(self, messages: "Iterable[Message]") -> int:
        """Say that batches are done with, so that their offsets may be committed.

        Keep the message of each `Delivery` until a checkpoint covers it, then ack it from wherever the checkpoint is
        made: the agent, a timer, the listener. A message holds no records. The offset of a partition is committed up
        to its first batch that is not acked, and never for a batch that was delivered before a rebalance or a seek.

        Parameters
        ----------
        messages
            In any order.

        Returns
        -------
        int
            How many of them counted. Those acked before, or delivered before a rebalance, do not.
        """
        return sum(message.ack(self.consumer) for message in messages)

    async def commit_acked(self) -> None:
        """Commit what was acked until now, which otherwise happens each `broker_commit_interval` (2.8 s)."""
        await self._batch_consumer.commit_acked()

    def pause(self, tp: "TP") -> None:
        """Fetch no more of `tp` until `resume`; what is queued is still delivered.

        The membership of the group is kept, however long it lasts. A rebalance ends it.
        """
        self._batch_consumer.hold(tp)

    def resume(self, tp: "TP") -> None:
        """Fetch `tp` again, at once."""
        self._batch_consumer.release(tp)

    def lag(self, tp: "TP") -> int | None:
        """Return how many offsets of `tp` lie ahead of what was delivered; None if it is not assigned.

        Zero says that the agent has been given, or has waiting, all there was at the last fetch.
        """
        return self._batch_consumer.lag(tp)

    def at_end(self, tp: "TP") -> bool:
        """Return whether the agent has taken all of `tp` that there was at the last fetch."""
        return self._batch_consumer.at_end(tp)

    async def is_read(self, tps: "Iterable[TP]") -> bool:
        """Ask Kafka whether the agent has taken all there is of `tps`; False where it does not answer soon."""
        return await self._batch_consumer.is_read(tps)

    @property
    def silence(self) -> float:
        """Return for how many seconds the group's broker has been unreachable; up to 2 while all is well."""
        return self._batch_consumer.silence

    @property
    def _batch_consumer(self) -> BatchConsumer:
        consumer = self.consumer
        if not isinstance(consumer, BatchConsumer):
            raise TypeError(f"{self!r} has a consumer of another transport: {consumer!r}")
        return consumer

    def _new_transport(self) -> "TransportT":
        return _BatchTransport(self.conf.broker_consumer, self)

    def _new_consumer(self) -> "ConsumerT":
        if len(self.tables):
            raise ImproperlyConfigured(f"{self!r} has tables, which need single records: use faust.App")
        return super()._new_consumer()

    async def _stop_consumer(self) -> None:
        await super()._stop_consumer()
        if self._consumer is not None:
            await self._consumer.hand_over()

    def _create_directories(self) -> None:
        """Make none: they are for tables."""


class _BatchTransport(Transport):
    app: BatchApp

    def create_consumer(self, callback: "ConsumerCallback", **options: Any) -> "ConsumerT":  # noqa: ANN401 (Faust's)
        return BatchConsumer(
            self,
            callback,
            listener=self.app.listener,
            limits=self.app.limits,
            hook_timeout=self.app.hook_timeout,
            loop=self.loop,
            **options,
        )


class _QueueSensor(faust.Sensor):
    """Hears from Faust that a stream takes a batch from its queue."""

    def __init__(self, app: BatchApp) -> None:
        self._app = app
        super().__init__()

    def on_stream_event_in(self, tp: "TP", offset: int, stream: "StreamT[Any]", event: "EventT[Any]") -> None:  # noqa: ARG002 (Faust's)
        self._app._batch_consumer.taken(tp, offset)  # noqa: SLF001 (of this module)
