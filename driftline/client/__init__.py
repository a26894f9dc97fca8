"""What services import: send events, receive alerts, ask for the state of a model.

It needs Kafka's and Redis' clients and the contract, and nothing of the worker.

- `EventProducer` and `AsyncEventProducer` send predictions and labels.
- `AlertSubscriber` and `RetrainSubscriber` receive what Driftline found.
- `StateReader` and `AsyncStateReader` ask Redis how a model is doing now, and did before.
"""

from driftline.client.async_producer import AsyncEventProducer
from driftline.client.producer import EventProducer
from driftline.client.questions import History
from driftline.client.state import AsyncStateReader, StateReader
from driftline.client.subscriber import AlertSubscriber, RetrainSubscriber
from driftline.schemas.alerts import Alert, RetrainRequest
from driftline.schemas.errors import (
    ConfigurationError,
    DecodeError,
    DriftlineError,
    SnapshotError,
    TopologyError,
    UnavailableError,
)
from driftline.schemas.events import Label, Prediction
from driftline.schemas.state import ModelState, Overview

__all__ = [
    "Alert",
    "AlertSubscriber",
    "AsyncEventProducer",
    "AsyncStateReader",
    "ConfigurationError",
    "DecodeError",
    "DriftlineError",
    "EventProducer",
    "History",
    "Label",
    "ModelState",
    "Overview",
    "Prediction",
    "RetrainRequest",
    "RetrainSubscriber",
    "SnapshotError",
    "StateReader",
    "TopologyError",
    "UnavailableError",
]
