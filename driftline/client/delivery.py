"""Records to Kafka, none of them lost in silence: the producer under `EventProducer` and the worker's publisher."""

from __future__ import annotations

import logging
import os
import time
import weakref
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException, Producer

from driftline.client.brokers import Brokers, Options
from driftline.client.losses import Losses
from driftline.schemas.errors import ConfigurationError, UnavailableError, UndeliveredError
from driftline.schemas.partitioner import PARTITIONER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_logger: Final = logging.getLogger("driftline.client")

# Python sees a Ctrl-C only between two calls of librdkafka.
_SLICE_SECONDS: Final = 0.2

# For the records of a producer that nobody closed: Docker kills ten seconds after it asked a service to end.
_LAST_SECONDS: Final = 5.0

_FIXED: Final = {
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": PARTITIONER,
    # A call of Python for each record that arrived would cost more than sending it.
    "delivery.report.only.error": True,
}


class Delivery:
    """An idempotent producer that accounts for every record.

    Records of one partition arrive in the order of `put`, each once, unless the process dies. Methods may be called
    from any thread. One that is dropped, or still there when the interpreter ends, is flushed for five seconds; what is
    left then is an error in the log.

    Parameters
    ----------
    bootstrap
        ``host:port``, or several separated by commas. Nothing is sent yet: a broker that is down shows at `flush`.
    linger_ms
        How long a record waits for others to share a request with.
    patience
        Seconds that `put` waits for room when the local buffer is full.
    options
        Further properties of librdkafka.

    """

    def __init__(self, bootstrap: str, *, linger_ms: int, patience: float, options: Options | None = None) -> None:
        self._brokers = Brokers(bootstrap)
        self._patience = patience
        self._closed = False
        # They hold no reference to this object, or it would never be dropped.
        self._losses = Losses()
        own = {**_FIXED, "linger.ms": linger_ms, "on_delivery": self._losses.on_delivery}
        try:
            self._producer = Producer(self._brokers.properties(own, options))
        except KafkaException as error:
            raise ConfigurationError(f"the Kafka producer cannot be set up: {error.args[0].str()}") from None
        self._unclosed = weakref.finalize(self, _end, self._producer, self._brokers, self._losses, os.getpid())

    def __len__(self) -> int:
        """Return how many records have not been acknowledged."""
        return len(self._producer)

    @property
    def lost(self) -> int:
        """How many records were given up so far."""
        return self._losses.total

    def put(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> None:
        """Hand a record over; it is sent in the background.

        Raises
        ------
        UnavailableError
            If the local buffer stayed full, the record can never be sent, or the producer is closed.

        """
        if self.try_put(topic, key=key, value=value, headers=headers):
            return
        for patience in self.waits():
            self._producer.poll(patience)
            if self.try_put(topic, key=key, value=value, headers=headers):
                return

    def waits(self) -> Iterator[float]:
        """Give seconds, not more than a fifth each, in which room may come up, as long as anybody waits for it.

        Raises
        ------
        UnavailableError
            Once that was long enough.

        """
        deadline = time.monotonic() + self._patience
        while (left := deadline - time.monotonic()) > 0.0:
            yield min(_SLICE_SECONDS, left)
        raise self._brokers.unavailable(f"the buffer is full, {_records(len(self))} not delivered yet")

    def try_put(
        self,
        topic: str,
        *,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]] = (),
    ) -> bool:
        """Hand a record over if there is room for it; raises what `put` does otherwise."""
        self._check_open()
        try:
            self._producer.produce(topic, key=key, value=value, headers=list(headers))
        except BufferError:
            has_room = False
        except KafkaException as error:
            raise self._brokers.unavailable(f"a record for {topic} was not sent", error.args[0]) from None
        else:
            has_room = True
        self._producer.poll(0)  # lets delivery reports in
        return has_room

    def flush(self, timeout: float) -> None:
        """Wait until everything has been acknowledged.

        Raises
        ------
        UnavailableError
            If records are left after `timeout` seconds, which stay in the buffer. Or if the producer is closed.
        UndeliveredError
            If any was given up since the last call: how many, and why the first.

        """
        self._check_open()
        self._flush(timeout)

    def forget(self) -> None:
        """Give up what has not been sent yet, and what is known to be lost: nobody waits for it any more."""
        if self._closed:
            return
        self._producer.purge(in_queue=True, in_flight=False, blocking=True)
        self._producer.flush(_LAST_SECONDS)  # what is in flight arrives, or not
        self._losses.take()

    def close(self, timeout: float) -> None:
        """Flush, and end the producer whatever came of that; what is left is given up. Once is enough.

        Raises
        ------
        UnavailableError
            As `flush` does.

        """
        if self._closed:
            return
        self._closed = True
        self._unclosed.detach()
        try:
            self._flush(timeout)
        finally:
            self._producer.purge()
            self._producer.close()

    def _check_open(self) -> None:
        if self._closed:
            raise UnavailableError("the producer is closed")

    def _flush(self, timeout: float) -> None:
        if (undelivered := _settle(self._producer, self._brokers, self._losses, timeout)) is not None:
            raise undelivered


def _settle(producer: Producer, brokers: Brokers, losses: Losses, timeout: float) -> UnavailableError | None:
    """Wait until everything has been acknowledged; return the error to raise if not everything was."""
    deadline = time.monotonic() + timeout
    while left := producer.flush(min(_SLICE_SECONDS, max(0.0, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            break
    failed, first = losses.take()
    if failed:
        return UndeliveredError(str(brokers.unavailable(f"{_records(failed + left)} not delivered", first)))
    if left:
        return brokers.unavailable(f"{_records(left)} not delivered within {timeout:g} s")
    return None


def _end(producer: Producer, brokers: Brokers, losses: Losses, process: int) -> None:
    """Flush a producer that nobody closed; nobody is left to raise to either."""
    if os.getpid() != process:  # the records are those of the process that this one was forked from, which sends them
        return
    if (undelivered := _settle(producer, brokers, losses, _LAST_SECONDS)) is not None:
        _logger.error("a producer was not closed, and %s", undelivered)


def _records(count: int) -> str:
    return "1 record was" if count == 1 else f"{count} records were"
