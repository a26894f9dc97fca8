"""What services import: send events, receive alerts, ask for the state of a model.

It needs Kafka's and Redis' clients and the contract, and nothing of the worker.

- `EventProducer` sends predictions and labels.
- `AlertSubscriber` and `RetrainSubscriber` receive what Driftline found.
- `StateReader` asks Redis how a model is doing now.
"""

from driftline.client.producer import EventProducer
from driftline.client.state import StateReader
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
from driftline.schemas.state import ModelState

__all__ = [
    "Alert",
    "AlertSubscriber",
    "ConfigurationError",
    "DecodeError",
    "DriftlineError",
    "EventProducer",
    "Label",
    "ModelState",
    "Prediction",
    "RetrainRequest",
    "RetrainSubscriber",
    "SnapshotError",
    "StateReader",
    "TopologyError",
    "UnavailableError",
]
