"""The state document: what Redis holds for each model, what ``state.json`` holds after a replay.

Numbers are those of the last checkpoint. A metric that is not defined yet is null, never NaN.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from driftline.schemas.alerts import AlertState, ChangePoint, Effect, Kind, Related, Severity, Target
from driftline.schemas.config import Task
from driftline.schemas.events import SCHEMA_VERSION
from driftline.schemas.fields import Instant

Count = Annotated[int, Field(ge=0)]

_FIRST: Final = {Task.BINARY: "accuracy", Task.MULTICLASS: "accuracy", Task.REGRESSION: "mae"}


class StateSection(BaseModel):
    """A part of the document: frozen, finite, and without unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Counts(StateSection):
    """Every record of the model has one place here.

    ``predictions = joined + pending + expired + evicted`` and ``labels = joined + orphan_labels + late_labels`` hold
    at every moment.
    """

    predictions: Count = Field(description="Distinct predictions.")
    duplicate_predictions: Count = Field(description="Further records of a prediction_id already seen.")
    labels: Count = Field(description="Distinct labels: the first of each prediction_id.")
    joined: Count = Field(description="Pairs of a prediction and its label.")
    duplicate_labels: Count = Field(description="Further labels that say the same.")
    contradicting_labels: Count = Field(description="Further labels that say something else; the first one stands.")
    early_labels: Count = Field(description="Labels that came before their prediction and were joined since.")
    orphan_labels: Count = Field(description="Labels whose prediction has not been seen.")
    late_labels: Count = Field(description="Labels of predictions that had expired.")
    pending: Count = Field(description="Predictions that wait for their label.")
    expired: Count = Field(description="Predictions whose label did not come within label_timeout.")
    evicted: Count = Field(description="Predictions given up because more than max_pending waited.")
    forgotten: Count = Field(description="Tombstones and early labels given up because of max_pending.")
    outside_labels: Count = Field(description="Joined, but not scored: the label is none of the model's classes.")
    dead_letters: Count = Field(description="Records refused that named this model.")


class Incident(StateSection):
    """One open incident."""

    incident_id: str
    kind: Kind
    target: Target
    related: list[Related] = Field(
        default=[], description="What else has changed at the same time and stands out still."
    )
    state: AlertState
    severity: Severity
    model_version: str | None
    opened: Instant
    updated: Instant
    effect: Effect
    change_point: ChangePoint


class LabelCoverage(StateSection):
    """How many predictions of a version have their label: of those that are older than nearly all labels take, twice.

    A class is what was predicted: where one has far fewer labels than others, labels come for some predictions alone,
    and what they tell is not of all.
    """

    predictions: Count = Field(description="So many are as old, of the newest million or fewer.")
    share: float | None = Field(description="Of these that have a label; null where there are none.")
    by_class: dict[str, float] = Field(description="The same by the class that was predicted, of 16 at most.")


class Feed(StateSection):
    """The predictions of the model, or its labels: when the last record came, by the event time of its partition."""

    last: Instant | None
    allowed_seconds: float | None = Field(description="How long a pause may be; null while that is not known.")
    is_silent: bool


class Overview(StateSection):
    """What a list of all models shows of one: a small part of its state document.

    `metric` is the one that matters first: ``accuracy``, or ``mae`` of a regression. `lately` is over the window, and
    `reference` what it was like in the reference of the newest version; null where that is not known.
    """

    schema_version: int = SCHEMA_VERSION
    model_id: str
    partition: int
    model_version: str | None
    task: Task | None
    watermark: Instant | None
    predictions: Count
    joined: Count
    metric: str | None
    overall: float | None
    lately: float | None
    reference: float | None
    silent: list[str] = Field(description="Feeds of which nothing comes any more: ``predictions``, ``labels``.")
    incidents: list[Incident]

    @classmethod
    def of(cls, state: ModelState) -> Overview:
        """Return that of a state document."""
        metric = None if state.task is None else _FIRST[state.task]
        return cls(
            model_id=state.model_id,
            partition=state.partition,
            model_version=state.model_version,
            task=state.task,
            watermark=state.watermark,
            predictions=state.counts.predictions,
            joined=state.counts.joined,
            metric=metric,
            overall=state.performance.get(metric or ""),
            lately=state.performance.get("window", {}).get(metric),
            reference=_reference(state, metric),
            silent=[name for name, feed in state.feeds.items() if feed.is_silent],
            incidents=state.incidents,
        )


def _reference(state: ModelState, metric: str | None) -> float | None:
    """Return what the first metric was like in the reference; of classes a stream has the share of errors."""
    before = state.detectors.get(f"performance metric {metric} e_sr:error", {}).get("before")
    return 1.0 - before if before is not None and metric == "accuracy" else before


class ModelState(StateSection):
    """The state of one model.

    `performance` holds the metrics of the task since the start, and under ``window``, ``per_version``, ``per_class``
    and ``per_segment`` the same for parts; `challenger` the same of the online model beside it. `label_delay` and
    `serving_latency` hold count, min, max, p50, p90 and p99, in seconds and milliseconds.
    """

    schema_version: int = SCHEMA_VERSION
    model_id: str
    partition: int
    task: Task | None
    task_inferred: bool
    classes: list[str] | None
    positive_label: str | None
    model_version: str | None = Field(description="The version of the newest prediction.")
    watermark: Instant | None = Field(description="The newest event time of the partition when this was written.")
    next_offsets: dict[str, int] = Field(description="By topic: the first offset that is not in these numbers.")
    counts: Counts
    feeds: dict[str, Feed] = Field(default={}, description="Of ``predictions`` and of ``labels``.")
    performance: dict[str, Any]
    challenger: dict[str, Any] | None
    label_coverage: LabelCoverage | None = Field(default=None, description="Of the newest version.")
    label_delay: dict[str, float | int | None]
    serving_latency: dict[str, float | int | None]
    features: dict[str, dict[str, Any]]
    detectors: dict[str, dict[str, Any]]
    incidents: list[Incident]
    silenced: Count = Field(default=0, description="Findings large enough to page that fell into a silence.")
    reference: dict[str, Any]
