# mypy: disable-error-code="no-untyped-call"
# River is typed in part only.
"""What watches the streams of `benchmarks.detection`: Driftline with its defaults, and River's detectors."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from river import drift

from benchmarks.detection_records import Labels, records
from benchmarks.detection_streams import FEATURES
from driftline.models.intake import Intake
from driftline.models.pipeline import Pipeline
from driftline.models.policy.alerts import AlertPolicy
from driftline.schemas.alerts import AlertState, Kind, Severity
from driftline.schemas.config import Configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS
from tests.detectors import DETECTORS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.detection_streams import Scenario
    from driftline.models.drift.finding import Finding
    from driftline.models.policy.alerts import Levels
    from driftline.models.policy.incident import Place
    from driftline.schemas.alerts import Alert

REFERENCE: Final = 10_000


@dataclass(frozen=True)
class Found:
    """One finding: at which event, by what, on what, between which events it began, and how large it was."""

    event: int
    detector: str
    subject: str
    earliest: int = 0
    latest: int = 0
    effect: float = 0.0


@dataclass
class Watched:
    """What was found in a stream of so many events after its reference, and the pages that came of it, at what cost."""

    events: int = 0
    findings: list[Found] = field(default_factory=list)
    pages: list[Found] = field(default_factory=list)
    seconds: float = 0.0


def driftline(
    scenario: Scenario, events: int, seed: int, between: int = 1_000_000, *, fine: int | None = None
) -> Watched:
    """Watch a stream as Driftline does by default, but for the budget.

    Batches are of a thousand rows, and of `fine` from the change on, or where nothing changes: so it is known when that
    was found. Then it ends with the first finding about one of the targets.
    """
    configuration = Configuration.model_validate(
        {
            "models": [
                {
                    "model_id": "m",
                    "segments": ["region"],
                    "fairness": {"attributes": ["region"]},
                    "alerts": {"events_between_false_alarms": between},
                }
            ]
        }
    )
    labels = Labels(scenario)
    pipeline, watched = Pipeline(configuration, partition=0), Watched(events - REFERENCE)
    intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
    with _listening(scenario, watched):
        for chunk in scenario.chunks(events, seed):
            is_after = fine is not None and chunk.start + len(chunk.scores) > scenario.at
            made = list(records(chunk, scenario, fine if is_after and fine is not None else _ROWS, labels))
            began = time.process_time()
            for record in made:
                outcome = pipeline.process(pipeline.read([record], intake), {})
                for alert in outcome.alerts:
                    if alert.state is AlertState.FIRING and _is_page(alert):
                        event = scenario.nth_of(alert.event_time)
                        watched.pages.append(Found(event, alert.detector, f"{alert.kind} {alert.target.as_text()}"))
            watched.seconds += time.process_time() - began
            if is_after and any(found.subject in scenario.targets for found in watched.findings):
                break
    return watched


def _is_page(alert: Alert) -> bool:
    """Return whether an alert wakes someone up for what it should not: that an outage of labels is silence is true."""
    return alert.severity is not Severity.INFO and alert.kind is not Kind.SILENCE


_ROWS: Final = 1000


@contextmanager
def _listening(scenario: Scenario, watched: Watched) -> Iterator[None]:
    """Note what is found before any gate; a change that is sized again and again is one."""
    decide, heard = AlertPolicy.decide, set()

    def listen(policy: AlertPolicy, findings: Sequence[Finding], levels: Levels, place: Place) -> Any:  # noqa: ANN401
        for finding in findings:
            subject, began = finding.subject.as_text(), finding.span.earliest
            if (subject, finding.detector, began.nth) not in heard:
                heard.add((subject, finding.detector, began.nth))
                times = place.at, began.at, finding.span.latest.at
                event, earliest, latest = (scenario.nth_of(at) for at in times)
                found = Found(event, finding.detector, subject, earliest, latest, finding.effect.value)
                watched.findings.append(found)
        return decide(policy, findings, levels, place)

    AlertPolicy.decide = listen  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        AlertPolicy.decide = decide  # type: ignore[method-assign]


def river(detector: str, scenario: Scenario, events: int, seed: int, *parameters: float) -> Watched:
    """Watch each feature, and whether predictions are wrong, by a detector of River, compiled: it decides alike.

    It hears all events; what it finds within Driftline's reference does not count.
    """
    kind = next(each for each in DETECTORS if each.name == detector)
    drive, watched = kind.driver(), Watched(events - REFERENCE)
    subjects = [*(f"data_drift feature x{n}" for n in range(FEATURES)), "performance metric accuracy"]
    if kind.needs_bits:
        subjects = subjects[-1:]
    watches = np.zeros(len(subjects), kind.dtype)
    for chunk in scenario.chunks(events, seed):
        began = time.process_time()
        for nth, subject in enumerate(subjects):
            is_feature = subject.startswith("data")
            values = chunk.features[:, nth] if is_feature else chunk.wrong.astype(np.float64)
            values = np.nan_to_num(values)  # as a service would fill in
            decisions = np.zeros(len(values), np.bool_)
            drive(watches[nth], values, parameters or kind.parameters, decisions)
            at = (np.flatnonzero(decisions) + chunk.start).tolist()
            watched.findings += (Found(event, detector, subject) for event in at if event >= REFERENCE)
        watched.seconds += time.process_time() - began
    watched.findings.sort(key=lambda found: found.event)
    return watched


def kswin(scenario: Scenario, events: int, seed: int) -> Watched:
    """Watch the first feature, and whether predictions are wrong, by River's KSWIN itself."""
    watched = Watched(events - REFERENCE)
    watches = {subject: drift.KSWIN(seed=seed) for subject in ("data_drift feature x0", "performance metric accuracy")}
    for chunk in scenario.chunks(events, seed):
        columns = chunk.features[:, 0].tolist(), chunk.wrong.astype(float).tolist()
        began = time.process_time()
        for (subject, watch), values in zip(watches.items(), columns, strict=True):
            for place, value in enumerate(values):
                watch.update(value)
                if watch.drift_detected and chunk.start + place >= REFERENCE:
                    watched.findings.append(Found(chunk.start + place, "KSWIN", subject))
        watched.seconds += time.process_time() - began
    return watched
