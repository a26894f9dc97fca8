"""Events to Driftline: predictions as they are served, labels when the truth is known."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self, Unpack

from driftline.client.delivery import Delivery
from driftline.client.records import record_of, records_of_labels, records_of_predictions
from driftline.client.serving import Serving
from driftline.schemas.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from driftline.client.brokers import Options
    from driftline.client.records import LabelColumns, Outgoing, PredictionColumns
    from driftline.client.serving import Given
    from driftline.schemas.events import Label, Prediction

_LIMITS: Final = {
    # Of each service that sends: whichever comes first.
    "queue.buffering.max.messages": 100_000,
    "queue.buffering.max.kbytes": 131_072,
    # librdkafka's own limit of 1,000,000 leaves no room for the key of the largest event.
    "message.max.bytes": 1_048_576,
}


class EventProducer:
    """Sends predictions and labels, in the background and in order for each model.

    A model's events go to the partition that all of Driftline agrees on, which is why the partitioner is not an
    option. Sending costs a few microseconds and waits only when the buffer of 100,000 events or 128 MB is full. Methods
    may be called from any thread; make the producer after a fork, not before.

    Close it at the end. One that is dropped, or still there when the interpreter ends, is flushed for five seconds; how
    many events are lost after that is an error in the log of `driftline.client`. A process that a signal or `os._exit`
    ends, such as a child of multiprocessing, does not get that far.

    Parameters
    ----------
    bootstrap
        Kafka's bootstrap servers: ``host:port``, or several separated by commas.
    linger_ms
        How long an event waits for others to share a request with. The worker's cost for an event falls with it:
        by half from 5 to 100 ms.
    patience
        Seconds that `send` waits for room in the buffer before it raises.
    options
        Further properties of librdkafka, such as ``security.protocol`` and ``sasl.*``.

    Raises
    ------
    ConfigurationError
        If an option does not exist, or is one that Driftline relies on.

    Examples
    --------
    ::

        import time
        from driftline.client import EventProducer, Label, Prediction

        with EventProducer("127.0.0.1:9092") as producer:
            now = int(time.time() * 1000)
            producer.send(Prediction(model_id="fraud", model_version="7", prediction_id="p-1", timestamp=now,
                                     prediction=1, score=0.93, features={"amount": 12.5, "country": "PT"}))
            producer.send(Label(model_id="fraud", prediction_id="p-1", timestamp=now + 60_000, label=0))

    """

    def __init__(
        self, bootstrap: str, *, linger_ms: int = 100, patience: float = 10.0, options: Options | None = None
    ) -> None:
        self._delivery = new_delivery(bootstrap, linger_ms=linger_ms, patience=patience, options=options)

    @property
    def undelivered(self) -> int:
        """How many records were given up since the producer was made; each of the next `flush` has told, too."""
        return self._delivery.lost

    def send(self, event: Prediction | Label) -> None:
        """Hand an event over; it is sent in the background.

        Raises
        ------
        UnavailableError
            If the buffer stayed full for `patience` seconds, or the producer is closed. The event was not taken.
        DecodeError
            If the worker would refuse the event: it takes more than 1 MB, a feature's value is nested too deep, has a
            key twice in JSON or cannot be written as JSON at all, or a string is no Unicode text.

        """
        self._put(record_of(event))

    @contextmanager
    def serving(self, model_id: str, model_version: str, **given: Unpack[Given]) -> Iterator[Serving]:
        """Measure how long an answer takes, and hand it over at the end, unless that is an exception.

        Parameters
        ----------
        model_id, model_version
            Of what is served.
        given
            What is known of the prediction at the beginning: a `Serving` says which fields there are. Its
            `prediction_id` is a new one if none is given.

        Raises
        ------
        UnavailableError, DecodeError
            At the end, as `send` does; the latter also if no prediction was set.

        Examples
        --------
        ::

            with producer.serving("fraud", "7", features=features) as served:
                served.score = model.predict_proba(features)
                served.prediction = served.score >= 0.5
            return served.prediction_id  # the label refers to it

        """
        served = Serving(model_id, model_version, **given)
        yield served
        self.send(served.event())

    def send_predictions(self, **columns: Unpack[PredictionColumns]) -> None:
        """Hand over many predictions of one version of a model at once, by columns; they are sent in the background.

        They go in as few records as may be, each of at most 10,000 rows and 1 MB: as Arrow tables if pyarrow is
        installed (the extra ``arrow``), as JSON if not, or where a column mixes types. What comes of them is the same
        as of single events. No rows are no record.

        Parameters
        ----------
        model_id, model_version
            Of all rows.
        prediction_id, prediction, score
            Columns: anything that can be listed, such as a list, a numpy array, or a series of pandas or polars. None
            in a column is a value that is absent.
        timestamp
            A column, or one for all rows: epoch milliseconds, RFC 3339, or a `datetime` with a time zone.
        probabilities, features, segments
            Columns by name: a dict, a data frame of pandas or polars, or an Arrow table. NaN among numbers is not
            None: in a feature it is an observation of its own.
        latency_ms
            A column, or one number for all rows.

        Raises
        ------
        UnavailableError
            As `send` does; then some of the records may have been taken. To send all of them again does no harm: of
            several predictions of one id the first counts.
        DecodeError
            If the worker would refuse any row. Nothing was taken.

        Examples
        --------
        ::

            X = pandas.DataFrame({"amount": [129.95, 7.0], "country": ["PT", "DE"]})
            score = model.predict_proba(X)[:, 1]  # a numpy array
            with EventProducer("127.0.0.1:9092") as producer:
                producer.send_predictions(model_id="fraud", model_version="7", prediction_id=["p-1", "p-2"],
                                          timestamp=datetime.now(UTC), prediction=score >= 0.5, score=score, features=X)

        """
        for record in records_of_predictions(columns):
            self._put(record)

    def send_labels(self, **columns: Unpack[LabelColumns]) -> None:
        """Hand over many labels of one model at once, by columns, as `send_predictions` does. Raises the same.

        Parameters
        ----------
        model_id
            Of all rows.
        prediction_id, label, weight
            Columns.
        timestamp
            A column, or one for all rows.

        """
        for record in records_of_labels(columns):
            self._put(record)

    def _put(self, record: Outgoing) -> None:
        self._delivery.put(record.topic, key=record.key, value=record.value, headers=record.headers)

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until Kafka has acknowledged every event.

        Raises
        ------
        UnavailableError
            If events are left after `timeout` seconds, or any was given up since the last call; it says how many. Or if
            the producer is closed.

        """
        self._delivery.flush(timeout)

    def close(self, timeout: float = 30.0) -> None:
        """Flush, and end the producer; what is left after `timeout` seconds is given up.

        Raises
        ------
        UnavailableError
            As `flush` does.

        """
        self._delivery.close(timeout)

    def __enter__(self) -> Self:
        """Return the producer."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; events that were not delivered are an error, unless one is already on its way."""
        try:
            self.close()
        except UnavailableError as undelivered:
            if error is None:
                raise
            error.add_note(str(undelivered))


def new_delivery(bootstrap: str, *, linger_ms: int, patience: float, options: Options | None) -> Delivery:
    """Return what a producer of events sends through."""
    return Delivery(bootstrap, linger_ms=linger_ms, patience=patience, options={**_LIMITS, **(options or {})})
