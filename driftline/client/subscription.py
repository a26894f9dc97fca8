"""How a topic of Driftline's is read: each event once, and committed when it was dealt with."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, ClassVar, Final, Generic, Self, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from pydantic import ValidationError

from driftline.client.brokers import Brokers, Options
from driftline.schemas.alerts import Alert, RetrainRequest
from driftline.schemas.errors import ConfigurationError, TopologyError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from types import TracebackType

    from confluent_kafka import Message

_logger: Final = logging.getLogger("driftline.client")

# Python sees a Ctrl-C only between two calls of librdkafka.
_SLICE_SECONDS: Final = 0.2
_CONNECT_SECONDS: Final = 10.0
_REMEMBERED: Final = 10_000

E = TypeVar("E", Alert, RetrainRequest)


class Subscriber(Generic[E]):
    """One topic of Driftline's, read in a consumer group; `AlertSubscriber` tells the rules."""

    _topic: ClassVar[str]
    _event: type[E]

    def __init__(
        self,
        bootstrap: str,
        group: str | None = None,
        *,
        models: Collection[str] | None = None,
        from_beginning: bool = False,
        options: Options | None = None,
    ) -> None:
        if isinstance(models, str):
            raise ConfigurationError(f"models is a collection of names: [{models!r}], not {models!r}")
        if group == "":
            raise ConfigurationError("the consumer group has an empty name: give it one, or None for no group")
        options = options or {}
        self.skipped = 0
        self._models = None if models is None else frozenset(models)
        self._brokers = Brokers(bootstrap)
        self._recent = _Recent(_REMEMBERED)
        self._unfinished: Message | None = None
        self._closed = False
        self._from_beginning = from_beginning
        # How partitions are handed out decides by which method they are to be taken.
        self._incremental = (
            "cooperative" in str(options.get("partition.assignment.strategy"))
            or options.get("group.protocol") == "consumer"
        )
        own = {
            # librdkafka wants one of a reader without a group too.
            "group.id": "driftline-none" if group is None else group,
            "enable.auto.commit": group is not None,
            # What is committed, in the background, is what `_finish` has stored.
            "enable.auto.offset.store": False,
            # Every partition has a place before it is read; if its record has gone, those after it must still come.
            "auto.offset.reset": "earliest",
        }
        try:
            self._consumer = Consumer(self._brokers.properties(own, options))
        except KafkaException as error:
            raise ConfigurationError(f"the Kafka consumer cannot be set up: {error.args[0].str()}") from None
        try:
            partitions = self._partitions()
            if group is None:
                self._consumer.assign([self._start_of(p, from_beginning=from_beginning) for p in partitions])
            else:
                self._consumer.subscribe([self._topic], on_assign=self._take_up)
        except KafkaException as error:
            self._consumer.poll(0)  # lets the reason in
            self._consumer.close()
            raise self._brokers.unavailable(error=error.args[0]) from None
        except BaseException:
            self._consumer.close()
            raise

    def poll(self, timeout: float) -> E | None:
        """Return the next event, or None if there is none within `timeout` seconds.

        The call says that the event before was dealt with: it will not come again to this group.

        Raises
        ------
        TopologyError
            If the topic has been deleted.
        UnavailableError
            If Kafka refuses to be read, or hands partitions out and does not say within ten seconds how far the group
            is. One that does not answer later is waited for. Or if the subscriber is closed.

        """
        if self._closed:
            raise UnavailableError("the subscriber is closed")
        self._finish(self._unfinished)
        self._unfinished = None
        deadline = time.monotonic() + timeout
        while True:
            remaining = max(0.0, deadline - time.monotonic())
            message = self._consumer.poll(min(_SLICE_SECONDS, remaining))
            if message is not None and (event := self._accept(message)) is not None:
                self._unfinished = message
                return event
            if message is None and remaining == 0.0:
                return None

    def __iter__(self) -> Iterator[E]:
        """Give events for ever; each counts as dealt with when the next is asked for."""
        while True:
            if (event := self.poll(_SLICE_SECONDS)) is not None:
                yield event

    def close(self) -> None:
        """Leave the group and commit how far it came; the last event comes again unless `poll` was called after it."""
        self._closed = True
        self._consumer.close()

    def __enter__(self) -> Self:
        """Return the subscriber."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _partitions(self) -> list[TopicPartition]:
        topic = self._consumer.list_topics(self._topic, timeout=_CONNECT_SECONDS).topics[self._topic]
        if topic.error is not None:
            raise self._missing()
        return [TopicPartition(self._topic, number) for number in topic.partitions]

    def _take_up(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Go on in each partition where the group is; where it has not been yet, commit its start before it is read.

        Without that the next member to come would begin at another end, and skip what was published in between.
        """
        try:
            places = _sound(consumer.committed(partitions, timeout=_CONNECT_SECONDS))
            known = [p for p in places if p.offset >= 0]
            new = [self._start_of(p, from_beginning=self._from_beginning) for p in places if p.offset < 0]
            if new:
                _sound(consumer.commit(offsets=new, asynchronous=False))
            assign = consumer.incremental_assign if self._incremental else consumer.assign
            assign(known + new)
        except KafkaException as error:
            raise self._brokers.unavailable(error=error.args[0]) from None

    def _start_of(self, partition: TopicPartition, *, from_beginning: bool) -> TopicPartition:
        # The end is asked for now: what is published after the subscriber was made will come, however late it polls.
        first, end = self._consumer.get_watermark_offsets(partition, timeout=_CONNECT_SECONDS)
        return TopicPartition(partition.topic, partition.partition, first if from_beginning else end)

    def _missing(self) -> TopologyError:
        return TopologyError(f"the topic {self._topic} does not exist: run `driftline topics create`")

    def _accept(self, message: Message) -> E | None:
        """Return the event of a message, or None if it holds none, or one that came before."""
        if (error := message.error()) is not None:
            self._complain(error)
            return None
        try:
            event = self._event.model_validate_json(message.value() or b"")
        except ValidationError as invalid:
            self.skipped += 1
            where = f"{message.topic()}, partition {message.partition()}, offset {message.offset()}"
            what = f"{invalid.error_count()} fields are not those of this version's {self._event.__name__}"
            _logger.warning("skipped the record at %s: %s", where, what)
            event = None
        if event is None or not self._is_wanted(event) or self._recent.seen(_id_of(event)):
            self._finish(message)
            return None
        return event

    def _is_wanted(self, event: E) -> bool:
        """Return whether an event is one of those that were asked for; the others count as dealt with."""
        return self._models is None or event.model_id in self._models

    def _complain(self, error: KafkaError) -> None:
        if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise self._missing()
        if not (error.retriable() or error.code() == KafkaError._MAX_POLL_EXCEEDED):  # noqa: SLF001 - its public name
            raise self._brokers.unavailable(error=error)
        _logger.warning("%s: %s", self._topic, error.str())

    def _finish(self, message: Message | None) -> None:
        if message is None:
            return
        try:
            self._consumer.store_offsets(message=message)
        except KafkaException as error:
            # The partition has gone to another member of the group, which reads the event again.
            if error.args[0].code() != KafkaError._STATE:  # noqa: SLF001 - its public name
                raise self._brokers.unavailable(error=error.args[0]) from None


class _Recent:
    """The last ids that came, up to a limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ids: OrderedDict[str, None] = OrderedDict()

    def seen(self, identifier: str) -> bool:
        """Return whether the id came before, and remember it."""
        known = identifier in self._ids
        self._ids[identifier] = None
        self._ids.move_to_end(identifier)
        if len(self._ids) > self._limit:
            self._ids.popitem(last=False)
        return known


def _sound(partitions: list[TopicPartition]) -> list[TopicPartition]:
    for partition in partitions:
        if partition.error is not None:
            raise KafkaException(partition.error)
    return partitions


def _id_of(event: Alert | RetrainRequest) -> str:
    return event.alert_id if isinstance(event, Alert) else event.retrain_id
