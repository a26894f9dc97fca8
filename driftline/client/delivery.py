"""Records to Kafka, none of them lost in silence: the producer under `EventProducer` and the worker's publisher."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError, KafkaException, Producer

from driftline.client.brokers import Brokers, Options
from driftline.schemas.errors import ConfigurationError
from driftline.schemas.partitioner import PARTITIONER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from confluent_kafka import Message

_logger: Final = logging.getLogger("driftline.client")

# Python sees a Ctrl-C only between two calls of librdkafka.
_SLICE_SECONDS: Final = 0.2

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
    from any thread.

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
        self._lock = threading.Lock()
        self._closed = False
        self._failed = 0
        self._first: KafkaError | None = None
        own = {**_FIXED, "linger.ms": linger_ms, "on_delivery": self._on_delivery}
        try:
            self._producer = Producer(self._brokers.properties(own, options))
        except KafkaException as error:
            raise ConfigurationError(f"the Kafka producer cannot be set up: {error.args[0].str()}") from None

    def __len__(self) -> int:
        """Return how many records have not been acknowledged."""
        return len(self._producer)

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
            If the local buffer stayed full, or the record can never be sent.

        """
        deadline: float | None = None
        while True:
            try:
                self._producer.produce(topic, key=key, value=value, headers=list(headers))
                break
            except BufferError:
                now = time.monotonic()
                deadline = deadline or now + self._patience
                if now >= deadline:
                    raise self._brokers.unavailable(
                        f"the buffer is full, {_records(len(self))} not delivered yet"
                    ) from None
                self._producer.poll(min(_SLICE_SECONDS, deadline - now))
            except KafkaException as error:
                raise self._brokers.unavailable(f"a record for {topic} was not sent", error.args[0]) from None
        self._producer.poll(0)  # lets delivery reports in

    def flush(self, timeout: float) -> None:
        """Wait until everything has been acknowledged.

        Raises
        ------
        UnavailableError
            If records are left after `timeout` seconds, which stay in the buffer, or if any was given up since the
            last call. How many, and why the first.

        """
        left, failed, first = self._settle(timeout)
        if failed:
            raise self._brokers.unavailable(f"{_records(failed + left)} not delivered", first)
        if left:
            raise self._brokers.unavailable(f"{_records(left)} not delivered within {timeout:g} s")

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
        try:
            self.flush(timeout)
        finally:
            self._producer.purge()
            self._producer.close()

    def _settle(self, timeout: float) -> tuple[int, int, KafkaError | None]:
        deadline = time.monotonic() + timeout
        while left := self._producer.flush(min(_SLICE_SECONDS, max(0.0, deadline - time.monotonic()))):
            if time.monotonic() >= deadline:
                break
        with self._lock:
            failed, self._failed = self._failed, 0
            first, self._first = self._first, None
        return left, failed, first

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            return
        with self._lock:
            self._failed += 1
            if self._first is not None:
                return
            self._first = error
        # Said at once too: a service may go hours without a flush.
        _logger.error("a record for %s was not delivered: %s", message.topic(), error.str())


def _records(count: int) -> str:
    return "1 record was" if count == 1 else f"{count} records were"
