"""``driftline tune``: how the history went, what would be found, and the part of a configuration that is proposed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from driftline.schemas.alerts import Severity
from driftline.schemas.fields import format_timestamp
from driftline.streams.cli.output import write_line

if TYPE_CHECKING:
    from driftline.streams.tune import Power, Tuning

_AS_FEATURES: Final = {"prediction_psi", "label_psi"}


def show_tuning(tuning: Tuning) -> None:
    """Print it; the last lines are YAML."""
    seen = f"{tuning.detections} changes seen by detectors, {tuning.pages} pages, {tuning.informed} for information"
    write_line(f"{tuning.predictions:,} predictions of model {tuning.model_id}, as they are: {seen}")
    if tuning.pages:
        write_line(
            "  so not all was well, or gates are too low for it: see what `driftline replay` says of these files"
        )
    write_line("with what is proposed below, and a change to the second half of them:")
    for power in tuning.powers:
        write_line(f"  {power.change}: {_found(power)}")
    if not tuning.has_labels:
        write_line("  there are no labels, so nothing is said of errors")
    if tuning.changed_at is not None and (tuning.covered_at is None or tuning.changed_at < tuning.covered_at):
        until = "" if tuning.covered_at is None else f", {format_timestamp(tuning.covered_at)}"
        write_line(
            f"  changes begin before the reference covers what is normal{until}: until then drift is for information, "
            "and what is slow is held back. A history of twice reference.min_span and more tells what would page"
        )
    write_line("")
    for gate in tuning.gates:
        if gate.farthest > 0.0:
            write_line(f"# {gate.name} went up to {gate.farthest:.3g} by itself, and pages from {gate.configured:g} on")
    write_line("models:")
    write_line(f"  - model_id: {json.dumps(tuning.model_id)}")
    write_line("    alerts:")
    write_line(f"      events_between_false_alarms: {tuning.budget}")
    changed = {gate.name: gate.proposed for gate in tuning.gates if gate.proposed != gate.configured}
    if "psi" in changed:  # which goes for these where nothing is said of them
        changed |= {gate.name: gate.proposed for gate in tuning.gates if gate.name in _AS_FEATURES}
    if changed:
        gates = ", ".join(f"{name}: {gate:g}" for name, gate in changed.items())
        write_line(f"      min_effect: {{{gates}}}")


def _found(power: Power) -> str:
    if power.delay is None:
        return "not found"
    if power.severity is Severity.INFO:
        return f"told for information only, after {power.delay:,} predictions, as {power.told}"
    return f"found after {power.delay:,} predictions, as {power.told}, {power.severity}"
