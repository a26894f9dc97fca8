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

    from benchmarks.detection_streams import Chunk, Floats, Scenario
    from driftline.models.drift.finding import Finding
    from driftline.models.policy.alerts import Levels
    from driftline.models.policy.incident import Place
    from driftline.schemas.alerts import Alert

REFERENCE: Final = 10_000
HEARD: Final = (*(f"feature x{n}" for n in range(FEATURES)), "metric accuracy")
"""What rivals hear: each feature, and whether predictions are wrong."""

_ROWS: Final = 1000
_PAGES_WITHIN: Final = 4_000  # events after the first finding about a target
_BEFORE: Final = 1_000  # events before a change that KSWIN hears: ten of its windows


@dataclass(frozen=True)
class Found:
    """One finding: at which event, by what, on what, between which events it began, and how large it was.

    Or a page of an incident, which that leads.
    """

    event: int
    detector: str
    subject: str
    earliest: int = 0
    latest: int = 0
    effect: float = 0.0
    incident: str = ""


@dataclass
class Watched:
    """What was found in a stream of so many events after its reference, and the pages that came of it, at what cost.

    `joined` has for each incident what was found in it.
    """

    events: int = 0
    findings: list[Found] = field(default_factory=list)
    pages: list[Found] = field(default_factory=list)
    joined: dict[str, set[str]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def cost(self) -> float:
        """Microseconds of an event, of those of the reference, too."""
        return self.seconds / (self.events + REFERENCE) * 1e6

    def found(self, scenario: Scenario) -> Found | None:
        """Return the first finding about a target after the change."""
        return next((f for f in self.findings if f.event >= scenario.at and f.subject in scenario.targets), None)

    def paged(self, scenario: Scenario) -> Found | None:
        """Return the first page after the change of an incident that a target leads or has joined."""
        targets = set(scenario.targets)
        return next((p for p in self.pages if p.event >= scenario.at and targets & self.joined[p.incident]), None)

    def is_told(self, scenario: Scenario, event: int) -> bool:
        """Return whether a target was found, and there was a page of it, or there is none to be waited for."""
        found = self.found(scenario)
        return found is not None and (event >= found.event + _PAGES_WITHIN or self.paged(scenario) is not None)


def driftline(
    scenario: Scenario, events: int, seed: int, between: int = 1_000_000, *, fine: int | None = None
) -> Watched:
    """Watch a stream as Driftline does by default, but for the budget.

    Batches are of a thousand rows, and of `fine` from the change on, or where nothing changes: so it is known when that
    was found. Then it ends with the page about one of the targets, if there is one soon after the finding.
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
            for record in made:
                began = time.process_time()
                outcome = pipeline.process(pipeline.read([record], intake), {})
                watched.seconds += time.process_time() - began
                for alert in outcome.alerts:
                    if alert.state is AlertState.FIRING and _is_page(alert):
                        event, subject = scenario.nth_of(alert.event_time), f"{alert.kind} {alert.target.as_text()}"
                        page = Found(event, alert.detector, subject, incident=alert.incident_id)
                        watched.pages.append(page)
                if is_after and watched.is_told(scenario, scenario.nth_of(record.timestamp or 0)):
                    return watched
    return watched


def _is_page(alert: Alert) -> bool:
    """Return whether an alert wakes someone up for what it should not: that an outage of labels is silence is true."""
    return alert.severity is not Severity.INFO and alert.kind is not Kind.SILENCE


@contextmanager
def _listening(scenario: Scenario, watched: Watched) -> Iterator[None]:
    """Note what is found before any gate; a change that is sized again and again is one."""
    decide, heard = AlertPolicy.decide, set()

    def listen(policy: AlertPolicy, findings: Sequence[Finding], levels: Levels, place: Place) -> Any:  # noqa: ANN401
        for finding in findings:
            subject, began = finding.subject.published.as_text(), finding.span.earliest
            if (subject, finding.detector, began.nth) not in heard:
                heard.add((subject, finding.detector, began.nth))
                times = place.at, began.at, finding.span.latest.at
                event, earliest, latest = (scenario.nth_of(at) for at in times)
                found = Found(event, finding.detector, subject, earliest, latest, finding.effect.value)
                watched.findings.append(found)
        decided = decide(policy, findings, levels, place)
        for incident, finding in decided.noted:
            watched.joined.setdefault(incident, set()).add(finding.subject.published.as_text())
        return decided

    AlertPolicy.decide = listen  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        AlertPolicy.decide = decide  # type: ignore[method-assign]


def river(detector: str, scenario: Scenario, events: int, seed: int, *parameters: float) -> Watched:
    """Watch what rivals hear by a detector of River, compiled: it decides alike.

    It hears all events; what it finds within Driftline's reference does not count.
    """
    kind = next(each for each in DETECTORS if each.name == detector)
    drive, watched = kind.driver(), Watched(events - REFERENCE)
    heard = HEARD[-1:] if kind.needs_bits else HEARD
    watches = np.zeros(len(heard), kind.dtype)
    for chunk in scenario.chunks(events, seed):
        began = time.process_time()
        for nth, what in enumerate(heard):
            values = _values(chunk, what)
            decisions = np.zeros(len(values), np.bool_)
            drive(watches[nth], values, parameters or kind.parameters, decisions)
            at = (np.flatnonzero(decisions) + chunk.start).tolist()
            subject = _subject(scenario, what)
            watched.findings += (Found(event, detector, subject) for event in at if event >= REFERENCE)
        watched.seconds += time.process_time() - began
    watched.findings.sort(key=lambda found: found.event)
    return watched


def kswin(scenario: Scenario, events: int, seed: int) -> Watched:
    """Watch a stream by River's KSWIN itself, of a null the first feature and whether predictions are wrong.

    Of a change it hears no more than what changes, from shortly before it on, and stops at its first finding after it:
    a value costs it as much as fifty events of a model cost Driftline.
    """
    heard, since = sampled(scenario), 0 if scenario.change is None else scenario.at - _BEFORE
    watched = Watched(events - REFERENCE)
    watches = {what: drift.KSWIN(seed=seed) for what in heard}
    for chunk in scenario.chunks(events, seed):
        unheard = max(since - chunk.start, 0)
        columns = [_values(chunk, what)[unheard:].tolist() for what in heard]
        began = time.process_time()
        for (what, watch), values in zip(watches.items(), columns, strict=True):
            for event, value in enumerate(values, chunk.start + unheard):
                watch.update(value)
                if watch.drift_detected and event >= REFERENCE:
                    watched.findings.append(Found(event, "KSWIN", _subject(scenario, what)))
                    if scenario.change is not None and event >= scenario.at:
                        return watched
        watched.seconds += time.process_time() - began
    return watched


def sampled(scenario: Scenario) -> list[str]:
    """Return what KSWIN hears: of a change what it is about, which may be nothing that a rival hears."""
    if scenario.change is None:
        return [HEARD[0], HEARD[-1]]
    return [what for what in HEARD if _subject(scenario, what) in scenario.targets]


def _subject(scenario: Scenario, what: str) -> str:
    """Return what a finding on it is taken for: a rival tells no kinds apart, so that it is right if a target is it."""
    kind = "performance" if what == HEARD[-1] else "data_drift"
    return next((target for target in scenario.targets if target.endswith(f" {what}")), f"{kind} {what}")


def _values(chunk: Chunk, what: str) -> Floats:
    """Return the values of what a rival hears, 0 for those that are missing: as a service would fill in."""
    is_feature = what != HEARD[-1]
    return np.nan_to_num(chunk.features[:, HEARD.index(what)] if is_feature else chunk.wrong.astype(np.float64))
