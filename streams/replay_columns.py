"""Where events stand in the tables of ``driftline replay``: which column is which field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BeforeValidator, Field, ValidationError, field_validator

from driftline.schemas.config_errors import explain
from driftline.schemas.errors import ConfigurationError
from driftline.schemas.fields import Scalar
from driftline.schemas.section import Section
from driftline.streams.configuration import read_yaml
from driftline.streams.replay_files import ReplayError

if TYPE_CHECKING:
    from pathlib import Path

NEEDED: Final = {
    "prediction": ("model_id", "model_version", "prediction_id", "timestamp", "prediction"),
    "label": ("model_id", "prediction_id", "timestamp", "label"),
}
"""The fields of each kind of event that a column or a constant must give."""

_OPTIONAL: Final = {"prediction": ("score", "latency_ms"), "label": ("weight",)}

MAPS: Final = ("features", "segments", "probabilities")
"""The fields of a prediction that have a column for each name in them."""

TEXTS: Final = frozenset({"model_id", "model_version", "prediction_id"})
"""The fields that are text whatever they look like: 007 is an id."""


def fields_of(kind: str) -> tuple[str, ...]:
    """Return the fields of an event that have one column each."""
    return *NEEDED[kind], *_OPTIONAL[kind]


def _by_name(given: object) -> object:
    """Take a list for names that are those of their columns."""
    if isinstance(given, list) and all(isinstance(name, str) for name in given):
        return {name: name for name in given}
    return given


Names = Annotated[dict[str, str], BeforeValidator(_by_name), Field(max_length=10_000)]


class EventColumns(Section):
    """Where the fields of an event stand in a table.

    Attributes
    ----------
    columns
        The columns of fields; by default that of the same name.
    constants
        What fields are that have no column.
    features, segments, probabilities
        The columns of these, by name, or a list of those that have the same. By default those whose names begin with
        ``features.`` and so on; if there is none that does, all columns that are nothing else and can be are features.

    """

    columns: Names = Field(default_factory=dict)
    constants: dict[str, Scalar] = Field(default_factory=dict)
    features: Names | None = None
    segments: Names | None = None
    probabilities: Names | None = None

    @field_validator("constants")
    @classmethod
    def _ids_are_text(cls, constants: dict[str, Scalar]) -> dict[str, Scalar]:
        for name in TEXTS & constants.keys():
            # Of 1.10 YAML keeps 1.1, and nobody can tell; of 7 it keeps all.
            if type(constants[name]) not in {str, int}:
                raise ValueError(f"{name} must be text: put it in quotes")
        return constants

    def column_of(self, field: str) -> str:
        """Return the column of a field, whether a table has it or not."""
        return self.columns.get(field, field)

    def check(self, kind: str) -> None:
        """Refuse what is said of fields that events of a kind do not have.

        Raises
        ------
        ReplayError
            With the fields that they have.

        """
        fields = fields_of(kind)
        for names, what in ((self.columns, "that has a column"), (self.constants, "that can be a constant")):
            for name in names:
                if name not in fields:
                    raise ReplayError(f"{name!r} is no field of a {kind} {what}: {', '.join(fields)} are")


class TableColumns(Section):
    """Where predictions and labels stand in tables, which may be one."""

    predictions: EventColumns = EventColumns()
    labels: EventColumns = EventColumns()


def read_columns(path: Path) -> TableColumns:
    """Read a YAML file that says where events stand in tables.

    Raises
    ------
    ConfigurationError
        If it cannot be read or says something else.

    """
    document = read_yaml(path, TableColumns.model_fields)
    try:
        return TableColumns.model_validate({} if document is None else document)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_input=False)
        said = "\n".join(f"{path}: {explain(mistake, TableColumns)}" for mistake in mistakes)
        raise ConfigurationError(said) from None
