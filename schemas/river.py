"""What the configuration may choose from River: detectors beside Driftline's own, and the challenger.

Here is the shape alone. Whether River has such a class, and such parameters, is told where River is at hand
(`driftline.models.library.check`).
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    Tag,
    model_validator,
)

from driftline.schemas.fields import Name
from driftline.schemas.section import Distinct, Section

if TYPE_CHECKING:
    from pydantic_core import core_schema

T = TypeVar("T")

_CLASS: Final = re.compile(r"(?:[a-z_]{1,40}\.){0,3}[A-Za-z][A-Za-z0-9_]{0,63}")


class Challenger(StrEnum):
    """The estimators that need no class: River's linear models of scaled inputs, compiled, or none."""

    AUTO = "auto"
    LOGISTIC_REGRESSION = "logistic_regression"
    LINEAR_REGRESSION = "linear_regression"
    NONE = "none"


_SHORT: Final = frozenset(each.value for each in Challenger)
_ESTIMATOR: Final = rf"^({'|'.join(each.value for each in Challenger)}|[a-z_.]+\.[A-Za-z][A-Za-z0-9_]*)$"


class Watched(StrEnum):
    """The streams that a detector of River may be put on."""

    NUMERIC = "numeric"
    SCORE = "score"
    ERROR = "error"
    RESIDUAL = "residual"


def _class_name(text: str) -> str:
    if not _CLASS.fullmatch(text):
        raise ValueError("must be a class of River such as KSWIN or tree.HoeffdingTreeClassifier")
    return text


def _estimator_name(text: str) -> str:
    if text in _SHORT:
        return Challenger(text)
    if "." in text and _CLASS.fullmatch(text):
        return text
    *others, last = Challenger
    raise ValueError(f"must be {', '.join(others)}, {last}, or a class of River such as tree.HoeffdingTreeClassifier")


def _some(items: T) -> T:
    if not items:
        raise ValueError("must have at least 1 item, not 0")
    return items


Parameters: TypeAlias = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], JsonValue],
    Field(max_length=64),
]
"""Arguments of a constructor, by name. An object of River among them is a mapping with `name` and `parameters`."""


class Component(Section):
    """A class of River, and what to give to its constructor."""

    name: Annotated[str, AfterValidator(_class_name)]
    parameters: Parameters = Field(default={})


class RiverDetector(Component):
    """A detector of `river.drift`, which sees each value of the streams that it is on."""

    on: Annotated[tuple[Watched, ...], AfterValidator(_some), Distinct] = (Watched.ERROR,)


class _ShortForms:
    """Says in the JSON Schema that a mapping has short forms too."""

    def __init__(self, *forms: dict[str, Any]) -> None:
        self._forms = forms

    def __get_pydantic_json_schema__(
        self, core: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"anyOf": [handler(core), *self._forms]}


def _component(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


def _kind_of(value: object) -> str:
    return "<steps>" if isinstance(value, list | tuple) else "<name>"


Step: TypeAlias = Annotated[Component, BeforeValidator(_component), _ShortForms({"type": "string"})]
Steps: TypeAlias = Annotated[tuple[Step, ...], Field(max_length=20), AfterValidator(_some)]
Estimator: TypeAlias = Annotated[
    Annotated[str, AfterValidator(_estimator_name), Field(json_schema_extra={"pattern": _ESTIMATOR}), Tag("<name>")]
    | Annotated[Steps, Tag("<steps>")],
    Discriminator(_kind_of),
]
"""By name, or the steps of a pipeline."""


class ChallengerConfig(Section):
    """The online model that learns beside the served one."""

    estimator: Estimator = Challenger.AUTO
    parameters: Parameters = Field(default={})
    features: Annotated[tuple[Name, ...], Field(max_length=100), AfterValidator(_some), Distinct] | None = None
    sampling_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0

    @model_validator(mode="after")
    def _only_rivers_have_parameters(self) -> ChallengerConfig:
        if isinstance(self.estimator, tuple):
            if self.parameters:
                raise ValueError("parameters of a list of steps are given to its steps")
        elif isinstance(self.estimator, Challenger) and (self.parameters or self.features is not None):
            which = "parameters" if self.parameters else "features"
            raise ValueError(f"{which} are for a class of River, and {self.estimator} takes none")
        return self

    @property
    def kind(self) -> Challenger:
        """Which of those that need no class; none where it is a class of River."""
        return self.estimator if isinstance(self.estimator, Challenger) else Challenger.NONE

    @property
    def steps(self) -> tuple[Component, ...]:
        """The classes of River that it is made of; none where it is one of Driftline's own, or there is none."""
        if isinstance(self.estimator, tuple):
            return self.estimator
        if isinstance(self.estimator, Challenger):
            return ()
        return (Component(name=self.estimator, parameters=self.parameters),)


def _long_form(value: Any) -> Any:  # noqa: ANN401 - whatever stands in the file
    return {"estimator": value} if isinstance(value, str | list | tuple) else value


AnyChallenger: TypeAlias = Annotated[
    ChallengerConfig,
    BeforeValidator(_long_form),
    _ShortForms({"type": "string", "pattern": _ESTIMATOR}, {"type": "array", "minItems": 1, "maxItems": 20}),
]
"""A challenger; a name or a list of steps alone is its estimator."""
