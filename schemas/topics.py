"""The names of all topics."""

from __future__ import annotations

from typing import Final

PREDICTIONS: Final = "driftline.predictions"
"""In. Key: model_id. Value: `Prediction`."""

LABELS: Final = "driftline.labels"
"""In. Key: model_id. Value: `Label`. As many partitions as `PREDICTIONS`, filled by the same partitioner."""

ALERTS: Final = "driftline.alerts"
"""Out. Key: incident_id. Value: `Alert`. Every transition, kept for the topic's retention."""

INCIDENTS: Final = "driftline.incidents"
"""Out. Key: incident_id. Value: the last `Alert` of each open incident, and a tombstone at its end; compacted."""

RETRAIN: Final = "driftline.retrain"
"""Out. Key: model_id. Value: `RetrainRequest`."""

JOURNAL: Final = "driftline.journal"
"""Out. Key: partition. Value: what a run depended on beside its records, from which it can be derived again."""

DEAD_LETTER: Final = "driftline.dead-letter"
"""Out. Key, value and headers of the record that was refused, and the ``dl.*`` headers."""

INPUTS: Final = (PREDICTIONS, LABELS)
OUTPUTS: Final = (ALERTS, INCIDENTS, RETRAIN, JOURNAL, DEAD_LETTER)
