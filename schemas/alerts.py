"""What Driftline publishes: alerts for people and pipelines, and requests to retrain."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from driftline.schemas.events import SCHEMA_VERSION, Event
from driftline.schemas.fields import Instant, Name, format_timestamp


class Kind(StrEnum):
    """What an alert is about."""

    DATA_DRIFT = "data_drift"
    PREDICTION_DRIFT = "prediction_drift"
    LABEL_DRIFT = "label_drift"
    CONCEPT_DRIFT = "concept_drift"
    PERFORMANCE = "performance"
    DATA_QUALITY = "data_quality"
    FAIRNESS = "fairness"
    SILENCE = "silence"


class AlertState(StrEnum):
    """Where an incident stands after this alert."""

    FIRING = "firing"
    UPDATED = "updated"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How urgent an alert is, from how large its effect is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Published(BaseModel):
    """What every published document has in common: frozen, finite, and without unknown fields."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_by_name=True, serialize_by_alias=True
    )


class Target(Published):
    """What moved: exactly one of these.

    Examples
    --------
    >>> Target(feature="amount").as_text()
    'feature amount'

    """

    feature: str | None = None
    segment: str | None = None
    class_: Annotated[str | None, Field(alias="class")] = None
    metric: str | None = None
    version: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Target:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("a target names exactly one of feature, segment, class, metric and version")
        return self

    def as_text(self) -> str:
        """Name the target as a person would, and as ids do."""
        ((kind, name),) = self.model_dump(by_alias=True, exclude_none=True).items()
        return f"{kind} {name}"


class Distances(Published):
    """How far a distribution is from its reference, as it is estimated: each from 0, alike, to 1.

    Of what is in no order, such as categories, there are two. The Wasserstein distance is that of the ranks among the
    reference's values.
    """

    jensen_shannon: float
    hellinger: float
    kolmogorov_smirnov: float | None = None
    wasserstein: float | None = None


class Effect(Published):
    """How much it moved, against the reference.

    `measure` names the scale of `value`, and `interval` is of two standard errors; `before` and `after` are in the
    target's own unit.
    """

    measure: str
    value: float
    interval: tuple[float, float] | None = None
    before: float | None = None
    after: float | None = None
    distances: Distances | None = None


class ChangePoint(Published):
    """Between which moments of event time the change began."""

    earliest: Instant
    latest: Instant


class OffsetRange(Published):
    """The records of one partition in the half-open range ``[start, end)``."""

    topic: str
    partition: Annotated[int, Field(ge=0)]
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _in_order(self) -> OffsetRange:
        if self.start > self.end:
            raise ValueError("a range of offsets ends before it starts")
        return self


class Related(Published):
    """What an incident is about, or what has changed at the same time."""

    kind: Kind
    target: Target


class Evidence(Related):
    """A finding that led to the alert, or that came with it: the newest one of its detector about its target."""

    model_version: Name | None = None
    detector: str
    statistic: float
    threshold: float
    effect: Effect
    change_point: ChangePoint
    event_time: Instant


class Alert(Event):
    """One transition of an incident.

    An incident is about one cause: what stands out at the same time is told with it. `kind`, `target` and all that is
    said of them are of the finding that leads; `evidence` holds it and the others.

    `alert_id` is derived from the incident and the transition's number, `incident_id` from the model, the kind, the
    target and the record at which it opened: a replay of the same records gives the same ids.
    """

    model_config = ConfigDict(allow_inf_nan=False, validate_by_name=True, serialize_by_alias=True)

    alert_id: str
    incident_id: str
    state: AlertState
    severity: Severity
    model_id: Name | None = Field(default=None, description="Absent where undecodable records name no known model.")
    model_version: Name | None = None
    kind: Kind
    detector: str
    target: Target
    statistic: float
    threshold: float
    effect: Effect
    change_point: ChangePoint
    event_time: Instant = Field(description="Event time at which it was decided.")
    offsets: list[OffsetRange]
    evidence: list[Evidence] = Field(default_factory=list)
    label_coverage: float | None = Field(
        default=None, description="Of what labels tell: the share of predictions, old enough, that have one."
    )
    message: str


class RetrainReason(Published):
    """The incidents that ask for a new model, or the schedule that does."""

    kinds: list[Kind]
    incident_ids: list[str]
    schedule: str | None = Field(default=None, description="The configured time that has passed, and no incident.")


class RetrainRequest(Event):
    """A request to train a new version on the records after the change, or on all of a version."""

    model_config = ConfigDict(allow_inf_nan=False, serialize_by_alias=True)

    retrain_id: str
    model_id: Name
    model_version: Name
    reason: RetrainReason
    urgency: Severity
    change_point: ChangePoint | None = Field(default=None, description="Absent where nothing has changed.")
    training_data: list[OffsetRange]
    labelled_count: Annotated[int, Field(ge=0)]
    event_time: Instant

    @field_validator("training_data")
    @classmethod
    def _in_order(cls, ranges: list[OffsetRange]) -> list[OffsetRange]:
        return sorted(ranges, key=lambda r: (r.topic, r.partition, r.start))


CLOUDEVENT_SOURCE: Final = "driftline"


def cloudevent_headers(event: Alert | RetrainRequest) -> list[tuple[str, bytes]]:
    """Return the headers of the CloudEvents 1.0 Kafka protocol binding, binary content mode."""
    match event:
        case Alert():
            kind, identifier = f"alert.{event.state}", event.alert_id
        case RetrainRequest():
            kind, identifier = "retrain", event.retrain_id
    headers = {
        "ce_specversion": "1.0",
        "ce_id": identifier,
        "ce_source": CLOUDEVENT_SOURCE,
        "ce_type": f"driftline.{kind}.v{SCHEMA_VERSION}",
        "ce_time": format_timestamp(event.event_time),
        "content-type": "application/json",
    }
    return [(name, value.encode()) for name, value in headers.items()]
