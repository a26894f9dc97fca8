"""What happens in the demo, when, and which alerts it must lead to.

Places in the script are counted in predictions. Between incidents the traffic is stationary: each prediction is about a
reading drawn at random, with replacement.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from driftline.models.drift.finding import Subject
from driftline.schemas.alerts import Kind, Target
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence


class Fault(StrEnum):
    """What goes wrong in an incident."""

    UNIT_CHANGE = "unit change"
    NULL_STORM = "null storm"
    CONCEPT_CHANGE = "concept change"


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that goes wrong, from prediction `start` to before prediction `end`.

    Attributes
    ----------
    story
        What happens, for people.
    topic
        Where the wrong records are: delays are counted in records of this topic.
    expected
        What the alerts of one incident must tell of, all of it, whichever leads.
    possible
        What they may tell of as well; anything else is a failure.
    retrains
        Whether a request to retrain must follow; otherwise none may.

    """

    fault: Fault
    start: int
    end: int
    story: str
    topic: str
    expected: tuple[Subject, ...]
    retrains: bool
    possible: tuple[Subject, ...] = ()


UNIT_FEATURE: Final = "f3"
UNIT_FACTOR: Final = 100

NULL_FEATURE: Final = "f8"
NULL_SHARE: Final = 0.6

CONCEPT_FEATURE: Final = "f8"
CONCEPT_LIMIT: Final = 50.0

INCIDENTS: Final[Sequence[Incident]] = (
    # The model does not use the sensor, so neither its scores nor its accuracy move.
    Incident(
        Fault.UNIT_CHANGE,
        start=3000,
        end=4500,
        story=f"sensor {UNIT_FEATURE} now reports hundredths: its values are {UNIT_FACTOR} times as large",
        topic=PREDICTIONS,
        expected=(Subject(Kind.DATA_DRIFT, Target(feature=UNIT_FEATURE)),),
        retrains=False,
    ),
    # The model uses this one and takes its mean instead, which moves the scores too little to page.
    Incident(
        Fault.NULL_STORM,
        start=6500,
        end=8000,
        story=f"something upstream drops sensor {NULL_FEATURE}: {NULL_SHARE:.0%} of its values are null",
        topic=PREDICTIONS,
        expected=(Subject(Kind.DATA_QUALITY, Target(feature=NULL_FEATURE)),),
        retrains=False,
        possible=(Subject(Kind.PREDICTION_DRIFT, Target(metric="score")),),  # for information
    ),
    Incident(
        Fault.CONCEPT_CHANGE,
        start=10_000,
        end=12_000,
        story=f"{CONCEPT_FEATURE} above {CONCEPT_LIMIT:g} now counts as an anomaly too; the inputs are as before",
        topic=LABELS,
        expected=(
            Subject(Kind.PERFORMANCE, Target(metric="accuracy")),
            Subject(Kind.CONCEPT_DRIFT, Target(metric="calibration")),
        ),
        retrains=True,
        possible=(Subject(Kind.LABEL_DRIFT, Target(metric="label")),),
    ),
)

PREDICTIONS_IN_ALL: Final = 15_000
"""Of the whole script, the last recovery included."""


def incident_at(prediction: int) -> Incident | None:
    """Return what goes wrong at a prediction, by its number from 0."""
    return next((incident for incident in INCIDENTS if incident.start <= prediction < incident.end), None)


def act_at(prediction: int) -> str:
    """Say in a few words where the script stands.

    Examples
    --------
    >>> act_at(0), act_at(4500)
    ('calm: what comes now is the reference', 'recovery from the unit change')

    """
    if (now := incident_at(prediction)) is not None:
        return f"{now.fault}: {now.story}"
    if prediction >= PREDICTIONS_IN_ALL:
        return "the last incident is over; labels are still to come"
    past = [incident for incident in INCIDENTS if incident.end <= prediction]
    return f"recovery from the {past[-1].fault}" if past else "calm: what comes now is the reference"
