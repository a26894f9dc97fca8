"""Events as the records that producers hand over, checked as the worker will check them."""

from __future__ import annotations

from typing import Final, NamedTuple, Required, TypedDict

from driftline.client.batches import Headers, as_json, records
from driftline.schemas.batches import LabelBatch, PredictionBatch
from driftline.schemas.decoding import MAX_BYTES, decode
from driftline.schemas.errors import DecodeError, Reason
from driftline.schemas.events import Label, Prediction, encode
from driftline.schemas.topics import LABELS, PREDICTIONS

_SCALARS: Final = frozenset({str, bool, int, float, type(None)})


class Outgoing(NamedTuple):
    """A record of an input topic."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers = ()


class PredictionColumns(TypedDict, total=False):
    """Many predictions of one version of a model, by columns: see `EventProducer.send_predictions`."""

    model_id: Required[str]
    model_version: Required[str]
    prediction_id: Required[object]
    timestamp: Required[object]
    prediction: Required[object]
    score: object
    probabilities: object
    features: object
    segments: object
    latency_ms: object


class LabelColumns(TypedDict, total=False):
    """Many labels of one model, by columns: see `EventProducer.send_labels`."""

    model_id: Required[str]
    prediction_id: Required[object]
    timestamp: Required[object]
    label: Required[object]
    weight: object


def record_of(event: Prediction | Label) -> Outgoing:
    """Return the record of an event.

    Raises
    ------
    DecodeError
        If the worker would refuse it.

    """
    value = as_json(encode, event)
    if len(value) > MAX_BYTES:
        raise DecodeError(Reason.TOO_LARGE, f"{len(value)} bytes, at most {MAX_BYTES} are read")
    if isinstance(event, Prediction) and not _SCALARS.issuperset(map(type, event.features.values())):
        # What is no scalar was not looked into when the event was made: the worker would be the first to.
        decode(value, Prediction)
    topic = PREDICTIONS if isinstance(event, Prediction) else LABELS
    return Outgoing(topic, event.model_id.encode(), value)


def records_of_predictions(columns: PredictionColumns) -> list[Outgoing]:
    """Return the records of predictions by columns, as few as may be; raises what `record_of` does."""
    encoded = records(PredictionBatch, dict(columns))
    return [Outgoing(PREDICTIONS, columns["model_id"].encode(), value, headers) for value, headers in encoded]


def records_of_labels(columns: LabelColumns) -> list[Outgoing]:
    """Return the records of labels by columns, as few as may be; raises what `record_of` does."""
    encoded = records(LabelBatch, dict(columns))
    return [Outgoing(LABELS, columns["model_id"].encode(), value, headers) for value, headers in encoded]
