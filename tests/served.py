"""A monitor at work, for tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from driftline.models.join.entry import Entry, EntryState, Pending, Truth, pack_entry, unpack_entry
from driftline.models.join.label_join import Joined
from driftline.models.watch.monitor import ModelMonitor
from driftline.schemas.config import ModelConfig
from driftline.schemas.events import Prediction

if TYPE_CHECKING:
    from driftline.models.drift.finding import Finding
    from driftline.schemas.fields import Scalar


class Served:
    """A monitor and the offsets of what it is shown."""

    def __init__(self, **config: Any) -> None:  # noqa: ANN401 - fields of a configuration
        self.fields = {"model_id": "m", "reference": {"events": 100}, **config}
        self.monitor = ModelMonitor(ModelConfig(**self.fields))
        self.offset = 0
        self.found: list[Finding] = []

    def predict(self, prediction: Scalar = 0, version: str = "1", **fields: Any) -> Pending:  # noqa: ANN401 - fields
        event = Prediction(
            model_id="m",
            model_version=version,
            prediction_id=str(self.offset),
            timestamp=self.offset,
            prediction=prediction,
            **fields,
        )
        pending, found = self.monitor.predicted(event, self.offset, self.offset - 1)
        self.offset += 1
        self.found += found
        return pending

    def label(self, pending: Pending, value: Scalar) -> None:
        self.found += self.monitor.labelled(Joined(pending, Truth(self.offset, self.offset, value)))

    def pair(self, prediction: Scalar, label: Scalar, version: str = "1", **fields: Any) -> None:  # noqa: ANN401 - fields
        self.label(self.predict(prediction, version, **fields), label)

    def report(self) -> dict[str, Any]:
        """Return the monitor's part of the state document, and make sure that it is strictly JSON."""
        report = self.monitor.report()
        json.dumps(report, allow_nan=False)
        return report

    def restarted(self, **config: Any) -> Served:  # noqa: ANN401 - fields of a configuration
        """Return what a restart makes of it, with a configuration that may have changed."""
        stored = json.loads(json.dumps(self.monitor.snapshot(), allow_nan=False))
        again = Served(**{**self.fields, **config})
        again.monitor = ModelMonitor.restore(ModelConfig(**again.fields), stored)
        again.offset = self.offset
        return again


def stored(pending: Pending) -> Pending:
    """Return a prediction that waits as it comes back from the store."""
    again = unpack_entry(pack_entry(Entry(EntryState.PENDING, 0, pending))).payload
    assert isinstance(again, Pending)
    return again
