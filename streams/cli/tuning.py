"""``driftline tune``: how the history went, what would be found, and the part of a configuration that is proposed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from driftline.streams.cli.output import write_line

if TYPE_CHECKING:
    from driftline.streams.tune import Tuning


def show_tuning(tuning: Tuning) -> None:
    """Print it; the last lines are YAML."""
    seen = f"{tuning.detections} changes seen by detectors, {tuning.alerts} alerts"
    write_line(f"{tuning.predictions:,} predictions of model {tuning.model_id}, as they are: {seen}")
    if tuning.alerts:
        write_line(
            "  so not all was well, or gates are too low for it: see what `driftline replay` says of these files"
        )
    for power in tuning.powers:
        told = "not found" if power.delay is None else f"found after {power.delay:,} predictions, as {power.told}"
        write_line(f"  {power.change}: {told}")
    write_line("")
    for gate in tuning.gates:
        if gate.farthest > 0.0:
            write_line(f"# {gate.name} went up to {gate.farthest:.3g} by itself, and pages from {gate.configured:g} on")
    write_line("models:")
    write_line(f"  - model_id: {json.dumps(tuning.model_id)}")
    write_line("    alerts:")
    write_line(f"      events_between_false_alarms: {tuning.budget}")
    changed = ", ".join(f"{gate.name}: {gate.proposed:g}" for gate in tuning.gates if gate.proposed != gate.configured)
    if changed:
        write_line(f"      min_effect: {{{changed}}}")
