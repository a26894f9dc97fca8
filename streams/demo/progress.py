"""How far the service has come: what it has sent, and where in its topic each incident lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.schemas.events import Prediction
from driftline.schemas.topics import INPUTS, LABELS, PREDICTIONS
from driftline.streams.demo.script import INCIDENTS, PREDICTIONS_IN_ALL, Fault
from driftline.streams.demo.verdict import Extent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from driftline.streams.demo.traffic import Sent


class Progress:
    """Counts what is sent; one thread writes it, others may read.

    Attributes
    ----------
    sent
        Records by topic. The first of each topic has offset 0, so this is the offset of the next one, too.
    extents
        Where in its topic each incident lies, as far as it has come.
    script_end
        `sent` at the moment when the last event of the script was sent; None before.

    """

    def __init__(self) -> None:
        self.sent = dict.fromkeys(INPUTS, 0)
        self.extents = {fault: Extent() for fault in Fault}
        self.script_end: Mapping[str, int] | None = None
        self._labels_left = PREDICTIONS_IN_ALL

    def note(self, sent: Sent) -> str:
        """Count one event, and return its topic."""
        topic = PREDICTIONS if isinstance(sent.event, Prediction) else LABELS
        if sent.fault is not None and self.extents[sent.fault].first is None:
            self.extents[sent.fault].first = self.sent[topic]
        self.sent[topic] += 1
        if topic == PREDICTIONS:
            for incident in INCIDENTS:
                if self.sent[PREDICTIONS] == incident.end:
                    self.extents[incident.fault].over = self.sent[incident.topic]
        elif sent.number < PREDICTIONS_IN_ALL:
            self._labels_left -= 1
            if self._labels_left == 0:
                self.script_end = dict(self.sent)
        return topic
