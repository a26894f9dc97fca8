"""A monitor at work, for tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from driftline.models.arena import Arena
from driftline.models.join.entry import Entry, EntryState, Pending, Truth, pack_entry, unpack_entry
from driftline.models.join.label_join import Joined
from driftline.models.record import FileRecord, Record, Refusal
from driftline.models.rows import Rows
from driftline.models.watch.monitor import ModelMonitor
from driftline.schemas.config import ModelConfig
from driftline.schemas.errors import Reason
from driftline.schemas.events import Prediction
from tests.restoring import as_stored

if TYPE_CHECKING:
    from driftline.models.drift.finding import Finding
    from driftline.schemas.alerts import Alert
    from driftline.schemas.fields import Scalar


class Served:
    """A monitor and the offsets of what it is shown."""

    def __init__(self, **config: Any) -> None:  # noqa: ANN401 - fields of a configuration
        reference = {"events": 100, "label_delay": "0s", **config.pop("reference", {})}
        self.fields = {"model_id": "m", "reference": reference, **config}
        self.found: list[Finding] = []
        self.offset = 0
        self._begin(ModelMonitor(ModelConfig(**self.fields), arena := Arena()), arena)

    def _begin(self, monitor: ModelMonitor, arena: Arena) -> None:
        self.monitor = monitor
        self._arena = arena
        self._rows = Rows(arena)

    def decide(self, findings: list[Finding], *_: object) -> tuple[list[Alert], None]:
        """Note what was found, where a model would decide what comes of it."""
        self._arena.models.rows[self.monitor.index]["needs"] = 0
        self.found += findings
        return [], None

    def _end(self) -> None:
        self._rows.end(self, Record(FileRecord("", 0, None), Refusal(Reason.INVALID_JSON, "", None)), 0)
        self._rows.run()

    def predict(self, prediction: Scalar = 0, version: str = "1", **fields: Any) -> Pending:  # noqa: ANN401 - fields
        event = Prediction(
            model_id="m",
            model_version=version,
            prediction_id=str(self.offset),
            timestamp=self.offset,
            prediction=prediction,
            **fields,
        )
        self._rows.begin(0, self.offset)
        pending = self.monitor.predicted(event, self._rows, self.offset, self.offset - 1)
        self._end()
        self.offset += 1
        return pending

    def label(self, pending: Pending, value: Scalar) -> None:
        self._rows.begin(1, self.offset)
        self.monitor.labelled(Joined(pending, Truth(self.offset, self.offset, value)), self._rows)
        self._end()

    def pair(self, prediction: Scalar, label: Scalar, version: str = "1", **fields: Any) -> None:  # noqa: ANN401 - fields
        self.label(self.predict(prediction, version, **fields), label)

    def report(self) -> dict[str, Any]:
        """Return the monitor's part of the state document, and make sure that it is strictly JSON."""
        report = self.monitor.report(self.offset)
        json.dumps(report, allow_nan=False)
        return report

    def restarted(self, **config: Any) -> Served:  # noqa: ANN401 - fields of a configuration
        """Return what a restart makes of it, with a configuration that may have changed."""
        stored = as_stored(self.monitor.snapshot())
        again = Served(**{**self.fields, **config})
        again._begin(ModelMonitor.restore(ModelConfig(**again.fields), stored, arena := Arena()), arena)
        again.offset = self.offset
        return again


def stored(pending: Pending) -> Pending:
    """Return a prediction that waits as it comes back from the store."""
    again = unpack_entry(pack_entry(Entry(EntryState.PENDING, 0, pending))).payload
    assert isinstance(again, Pending)
    return again
