"""The configuration: one YAML file, every field with a default, nothing accepted that is not built."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from driftline.schemas.alerts import Kind
from driftline.schemas.classes import class_token
from driftline.schemas.config_errors import explain
from driftline.schemas.durations import Duration, PositiveDuration, parse_duration
from driftline.schemas.errors import ConfigurationError
from driftline.schemas.fields import Instant, Name, Value
from driftline.schemas.river import AnyChallenger, Challenger, ChallengerConfig, RiverDetector, Watched
from driftline.schemas.section import Distinct, Section, repeated

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Task(StrEnum):
    """What a model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class FeatureKind(StrEnum):
    """How the values of a feature are watched."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"


class FeatureConfig(Section):
    """One feature; what is not given is inferred from the first events."""

    kind: FeatureKind | None = None
    min: float | None = Field(default=None, description="A numeric value below is counted as out of range.")
    max: float | None = Field(default=None, description="A numeric value above is counted as out of range.")

    @model_validator(mode="after")
    def _ordered(self) -> FeatureConfig:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("min must not exceed max")
        if self.kind is FeatureKind.CATEGORICAL and (self.min is not None or self.max is not None):
            raise ValueError("min and max are for numeric features")
        return self


_WEEK: Final = parse_duration("7d")
_MOST_GAPS: Final = 4


class ReferenceConfig(Section):
    """What "normal" is: the first events of each version."""

    events: Annotated[int, Field(ge=100, le=1_000_000)] = 10_000
    min_span: Duration = Field(
        default=parse_duration("1d"), description="Event time that it must span before slow changes are told apart."
    )
    label_delay: Duration | None = Field(
        default=None,
        description="How long labels mostly take: pairs count from then on. By default, what the first labels tell.",
    )

    @property
    def spans_a_week(self) -> bool:
        """Whether what comes back each week is to be known as that."""
        return self.min_span >= _WEEK


Detector = Literal["e_sr"]
Detectors = Annotated[tuple[Detector, ...], Distinct]


class DetectorsConfig(Section):
    """Which detectors watch which streams; an empty list watches none."""

    numeric: Detectors = ("e_sr",)
    categorical: Detectors = ("e_sr",)
    score: Detectors = ("e_sr",)
    error: Detectors = ("e_sr",)
    label: Detectors = ("e_sr",)
    quality: Detectors = ("e_sr",)
    river: Annotated[tuple[RiverDetector, ...], Field(max_length=20)] = ()

    def on(self, stream: Watched) -> list[RiverDetector]:
        """Return the detectors of River that are on a stream."""
        return [each for each in self.river if stream in each.on]

    def watches(self, stream: Watched) -> bool:
        """Return whether any detector is on a stream, Driftline's own or River's."""
        own = {Watched.NUMERIC: self.numeric, Watched.SCORE: self.score}.get(stream, self.error)
        return bool(own or self.on(stream))

    @model_validator(mode="after")
    def _each_stands_once(self) -> DetectorsConfig:
        if twice := repeated((each.name, stream) for each in self.river for stream in each.on):
            name, stream = twice[0]
            raise ValueError(f"river: {name} is on {stream} twice")
        return self


def _without_default(schema: dict[str, Any]) -> None:
    """Say nothing of a default that depends on what else is configured."""
    del schema["default"]


class MinEffect(Section):
    """How large a change must be to page, by measure; the value is compared with the alert's ``effect.value``."""

    psi: Annotated[float, Field(ge=0)] = Field(default=0.1, description="Features: population stability index.")
    prediction_psi: Annotated[float, Field(ge=0)] = Field(
        default=0.1,
        description="The same of scores and predictions; by default as psi.",
        json_schema_extra=_without_default,
    )
    label_psi: Annotated[float, Field(ge=0)] = Field(
        default=0.1, description="The same of labels; by default as psi.", json_schema_extra=_without_default
    )
    error_rate: Share = Field(default=0.02, description="Classification: how much more often wrong.")
    relative_mae: Annotated[float, Field(ge=0)] = Field(default=0.1, description="Regression: growth of the MAE.")
    calibration: Share = Field(default=0.03, description="Label minus what the reference expects of the score.")
    residual_rank: Share = Field(default=0.05, description="Regression: shift of the residuals' mean rank.")
    bad_share: Share = Field(default=0.05, description="Data quality: how many more values are bad.")

    @model_validator(mode="after")
    def _as_features(self) -> MinEffect:
        """Let what is said of features go for what is not said of predictions and labels."""
        for name in {"prediction_psi", "label_psi"} - self.model_fields_set:
            object.__setattr__(self, name, self.psi)
        return self


class Silence(Section):
    """Event time in which no finding is told: maintenance, say. What stands apart for long after it is told then."""

    start: Instant
    end: Instant
    every: PositiveDuration | None = Field(default=None, description="Again and again, this long after its start.")
    kinds: Annotated[tuple[Kind, ...], Distinct] = Field(default=(), description="Of these kinds; empty: of all.")

    @model_validator(mode="after")
    def _in_order(self) -> Silence:
        if self.end <= self.start:
            raise ValueError("end must be after start")
        if self.every is not None and self.end - self.start > self.every:
            raise ValueError("every must not be shorter than the silence itself")
        return self

    def end_of(self, kind: Kind, at: int) -> int | None:
        """Return until when nothing of a kind is to be told at an event time; None if it is.

        Examples
        --------
        >>> sunday = Silence(start="2026-11-29T02:00:00Z", end="2026-11-29T04:00:00Z", every="7d")
        >>> week = 7 * 86_400_000
        >>> sunday.end_of(Kind.DATA_DRIFT, sunday.start + week) == sunday.end + week
        True
        >>> sunday.end_of(Kind.DATA_DRIFT, sunday.end) is None
        True

        """
        if at < self.start or (self.kinds and kind not in self.kinds):
            return None
        since = at - self.start
        within = since if self.every is None else since % self.every
        return at - within + (self.end - self.start) if within < self.end - self.start else None


class AlertsConfig(Section):
    """When a finding becomes a page."""

    events_between_false_alarms: Annotated[int, Field(ge=1000, le=1_000_000_000_000)] = Field(
        default=1_000_000, description="Of all detectors of the model together, at least, on average."
    )
    min_effect: MinEffect = MinEffect()
    cooldown: Duration = Field(default=parse_duration("1h"), description="Between two updates of one incident.")
    resolve_after: Annotated[int, Field(ge=1)] = Field(
        default=1000, description="Events for which the effect must stay below half of min_effect."
    )
    silences: Annotated[tuple[Silence, ...], Field(max_length=100)] = ()


class FairnessMetric(StrEnum):
    """The rate that is to be alike for all groups of an attribute, of joined pairs."""

    TRUE_POSITIVE_RATE = "true_positive_rate"
    FALSE_POSITIVE_RATE = "false_positive_rate"
    SELECTION_RATE = "selection_rate"
    ERROR_RATE = "error_rate"


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class FairnessConfig(Section):
    """Between which groups a gap is watched for."""

    attributes: Annotated[tuple[Name, ...], Field(max_length=_MOST_GAPS), Distinct] = ()
    metric: Annotated[
        tuple[FairnessMetric, ...],
        Field(min_length=1),
        Distinct,
        BeforeValidator(_listed, json_schema_input_type=FairnessMetric | tuple[FairnessMetric, ...]),
    ] = Field(default=(FairnessMetric.TRUE_POSITIVE_RATE,), description="One, or several.")
    max_gap: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.1, description="Between the rate of a group and that of all others; what is larger pages."
    )

    @model_validator(mode="after")
    def _not_too_many(self) -> FairnessConfig:
        if len(self.attributes) * len(self.metric) > _MOST_GAPS:
            raise ValueError(f"{_MOST_GAPS} at most, each of the attributes times each metric")
        return self


class SilenceConfig(Section):
    """How long the predictions of a model, or its labels, may pause; what is longer pages, and ``0s`` never does."""

    predictions: Duration | None = Field(
        default=None, description="By default, what is told by their pauses: three times what happened twice."
    )
    labels: Duration | None = Field(
        default=None, description="While there are predictions; by default, as it is for these."
    )


class RetrainBudget(Section):
    """How many requests to retrain there may be, at most."""

    requests: Annotated[int, Field(ge=1, le=1000)]
    per: PositiveDuration = Field(description="Of event time.")


OfAVersion = Literal[
    Kind.DATA_DRIFT,
    Kind.PREDICTION_DRIFT,
    Kind.LABEL_DRIFT,
    Kind.CONCEPT_DRIFT,
    Kind.PERFORMANCE,
    Kind.DATA_QUALITY,
    Kind.FAIRNESS,
]
"""Kinds of what a new version may put right: all but silence."""


class RetrainConfig(Section):
    """When an incident, or the calendar, asks for a new model."""

    on: Annotated[tuple[OfAVersion, ...], Distinct] = (Kind.CONCEPT_DRIFT, Kind.PERFORMANCE)
    min_labels: Annotated[int, Field(ge=0)] = 1000
    cooldown: Duration = Field(
        default=parse_duration("6h"), description="How long a request is open, unless a new version appears."
    )
    schedule: PositiveDuration | None = Field(
        default=None, description="Event time after which a version is to be replaced in any case."
    )
    budget: RetrainBudget | None = None


_TASKS_OF_CHALLENGERS: Final[dict[Challenger, set[Task | None]]] = {
    Challenger.LOGISTIC_REGRESSION: {None, Task.BINARY},
    Challenger.LINEAR_REGRESSION: {None, Task.REGRESSION},
}


class ModelConfig(Section):
    """How one model is watched."""

    model_id: Name
    task: Task | None = None
    positive_label: Value | None = None
    classes: Annotated[tuple[Value, ...], Field(min_length=2, max_length=1000)] | None = None
    reference: ReferenceConfig = ReferenceConfig()
    features: Annotated[dict[Name, FeatureConfig], Field(max_length=1000)] = Field(default={})
    segments: Annotated[tuple[Name, ...], Field(max_length=20), Distinct] = ()
    fairness: FairnessConfig = FairnessConfig()
    detectors: DetectorsConfig = DetectorsConfig()
    alerts: AlertsConfig = AlertsConfig()
    silence: SilenceConfig = SilenceConfig()
    retrain: RetrainConfig = RetrainConfig()
    challenger: AnyChallenger = ChallengerConfig()
    window: Annotated[int, Field(ge=100, le=10_000_000)] = Field(
        default=10_000, description="Joined pairs of the rolling performance window."
    )
    label_timeout: PositiveDuration = parse_duration("7d")
    max_pending: Annotated[int, Field(ge=1)] = 1_000_000

    @property
    def names_river(self) -> bool:
        """Whether it names any class of River."""
        return bool(self.detectors.river or self.challenger.steps)

    @model_validator(mode="after")
    def _classes_fit(self) -> ModelConfig:
        if self.classes is None:
            return self
        by_token: dict[str, Value] = {}
        for value in self.classes:
            if (token := class_token(value)) in by_token:
                first = by_token[token]
                raise ValueError(f"classes: {first!r} and {value!r} are spellings of one class; keep one of them")
            by_token[token] = value
        if self.task is Task.REGRESSION:
            raise ValueError("classes are for task: binary or multiclass")
        is_binary = self.task is Task.BINARY or self.positive_label is not None
        if is_binary and len(self.classes) != len(("negative", "positive")):
            raise ValueError(f"a binary model has two classes, not {len(self.classes)}")
        if self.positive_label is not None and class_token(self.positive_label) not in by_token:
            raise ValueError(f"positive_label: {self.positive_label!r} is not among the classes")
        return self

    @model_validator(mode="after")
    def _fairness_fits(self) -> ModelConfig:
        for attribute in self.fairness.attributes:
            if attribute not in self.segments:
                raise ValueError(f"fairness: {attribute!r} is not among the segments; add it to them")
        for metric in self.fairness.metric if self.fairness.attributes else ():
            fitting = {None, Task.BINARY} | ({Task.MULTICLASS} if metric is FairnessMetric.ERROR_RATE else set())
            if self.task not in fitting:
                raise ValueError(f"fairness: {metric} does not fit task: {self.task}")
        return self

    @model_validator(mode="after")
    def _task_fits(self) -> ModelConfig:
        if self.positive_label is not None and self.task not in {None, Task.BINARY}:
            raise ValueError("positive_label is for task: binary")
        estimator = self.challenger.estimator
        tasks = _TASKS_OF_CHALLENGERS.get(estimator) if isinstance(estimator, Challenger) else None
        if tasks is not None and self.task not in tasks:
            raise ValueError(f"challenger: {estimator} does not fit task: {self.task}")
        return self


class BadRecordsConfig(Section):
    """What a rising share of records that cannot be used leads to, over the last 1,000 records."""

    alert_share: Share = 0.05
    stop_share: Share | None = Field(default=None, description="The worker exits with code 1; off by default.")


class Configuration(Section):
    """The whole file.

    Examples
    --------
    >>> configuration = parse_configuration({"models": [{"model_id": "fraud", "label_timeout": "2d"}]})
    >>> configuration.of("fraud").label_timeout
    172800000
    >>> configuration.of("never seen").label_timeout
    604800000

    """

    models: tuple[ModelConfig, ...] = ()
    bad_records: BadRecordsConfig = BadRecordsConfig()
    max_models: Annotated[int, Field(ge=1)] = Field(default=10_000, description="Of one partition.")

    @model_validator(mode="after")
    def _distinct(self) -> Configuration:
        if twice := repeated(model.model_id for model in self.models):
            raise ValueError(f"models: {twice[0]!r} is configured twice")
        return self

    def of(self, model_id: str) -> ModelConfig:
        """Return the configuration of a model: its own, or the defaults."""
        return next((m for m in self.models if m.model_id == model_id), None) or ModelConfig(model_id=model_id)


def parse_configuration(document: object) -> Configuration:
    """Check a configuration that was read from YAML; None is the empty file.

    Raises
    ------
    ConfigurationError
        With one line per mistake: where, and what to write instead.

    """
    try:
        return Configuration.model_validate({} if document is None else document)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False)
        raise ConfigurationError("\n".join(explain(mistake, Configuration) for mistake in mistakes)) from None
