"""Events to Driftline: predictions as they are served, labels when the truth is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from driftline.client.batches import Encoded, records
from driftline.client.delivery import Delivery
from driftline.schemas.batches import LabelBatch, PredictionBatch
from driftline.schemas.decoding import MAX_BYTES, MAX_DEPTH, decode
from driftline.schemas.errors import DecodeError, Reason, UnavailableError
from driftline.schemas.events import Label, Prediction, encode
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from types import TracebackType

    from driftline.client.brokers import Options

_LIMITS: Final = {
    # Of each service that sends: whichever comes first.
    "queue.buffering.max.messages": 100_000,
    "queue.buffering.max.kbytes": 131_072,
    # librdkafka's own limit of 1,000,000 leaves no room for the key of the largest event.
    "message.max.bytes": 1_048_576,
}
_SCALARS: Final = frozenset({str, bool, int, float, type(None)})


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
        self._delivery = Delivery(
            bootstrap, linger_ms=linger_ms, patience=patience, options={**_LIMITS, **(options or {})}
        )

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
        value = _encode(event)
        if len(value) > MAX_BYTES:
            raise DecodeError(Reason.TOO_LARGE, f"{len(value)} bytes, at most {MAX_BYTES} are read")
        if isinstance(event, Prediction) and not _SCALARS.issuperset(map(type, event.features.values())):
            # What is no scalar was not looked into when the event was made: the worker would be the first to.
            decode(value, Prediction)
        topic = PREDICTIONS if isinstance(event, Prediction) else LABELS
        self._delivery.put(topic, key=event.model_id.encode(), value=value)

    def send_predictions(  # noqa: PLR0913 - the fields of a batch
        self,
        *,
        model_id: str,
        model_version: str,
        prediction_id: object,
        timestamp: object,
        prediction: object,
        score: object = None,
        probabilities: object = None,
        features: object = None,
        segments: object = None,
        latency_ms: object = None,
    ) -> None:
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
        columns = {
            "model_id": model_id,
            "model_version": model_version,
            "prediction_id": prediction_id,
            "timestamp": timestamp,
            "prediction": prediction,
            "score": score,
            "probabilities": probabilities,
            "features": features,
            "segments": segments,
            "latency_ms": latency_ms,
        }
        self._send(PREDICTIONS, records(PredictionBatch, columns), model_id)

    def send_labels(
        self, *, model_id: str, prediction_id: object, timestamp: object, label: object, weight: object = None
    ) -> None:
        """Hand over many labels of one model at once, by columns, as `send_predictions` does. Raises the same."""
        columns = {
            "model_id": model_id,
            "prediction_id": prediction_id,
            "timestamp": timestamp,
            "label": label,
            "weight": weight,
        }
        self._send(LABELS, records(LabelBatch, columns), model_id)

    def _send(self, topic: str, encoded: list[Encoded], model_id: str) -> None:
        for value, headers in encoded:
            self._delivery.put(topic, key=model_id.encode(), value=value, headers=headers)

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


def _encode(event: Prediction | Label) -> bytes:
    try:
        return encode(event)
    except RecursionError:
        raise DecodeError(Reason.TOO_DEEP, f"nested deeper than {MAX_DEPTH}") from None
    except (TypeError, ValueError) as error:
        # The text of a Unicode error holds the character: a part of a value.
        why = error.reason if isinstance(error, UnicodeEncodeError) else error
        what = "a value cannot be written as JSON; send strings, numbers, booleans or null"
        raise DecodeError(Reason.WRONG_TYPE, f"{what} ({why})") from None
