"""A batch as it came: its own fields, and its columns before anything in them was checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from driftline.models.batch.column import Column, listed
from driftline.schemas.batches import GROUPS, LabelColumns, PredictionColumns
from driftline.schemas.decoding import validate
from driftline.schemas.events import Label, Prediction

Group: TypeAlias = dict[str, Column]
Kind: TypeAlias = type[Prediction | Label]

_OF_ALL = frozenset({"schema_version", "model_id", "model_version", "rows"})


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """The table that a record holds.

    Parameters
    ----------
    kind
        What each row is.
    own
        The fields that all rows share, apart from columns: of each what it is.
    rows
        How many there are.
    columns, groups
        Columns by field; columns by name, by the field that has them.

    """

    kind: Kind
    own: dict[str, Any]
    rows: int
    columns: Group
    groups: dict[str, Group]

    def fields(self, row: int) -> dict[str, Any]:
        """Return a row as the JSON object that it would be in a record of its own."""
        found = {}
        for name in self.kind.model_fields:
            if name in self.own:
                value = self.own[name]
            elif (column := self.columns.get(name)) is not None:
                value = column.item(row)
            elif (group := self.groups.get(name)) is not None:
                entries = ((entry, column.item(row)) for entry, column in group.items())
                value = {entry: item for entry, item in entries if item is not None} or None
            else:
                continue
            if value is not None:
                found[name] = value
        return found


def sheet_of(fields: dict[str, Any], kind: Kind) -> Sheet:
    """Return the table that the fields of a record make.

    Parameters
    ----------
    fields
        Those of `PredictionColumns` or `LabelColumns`; a column may be a list or a `Column`.
    kind
        What each row is.

    Raises
    ------
    DecodeError
        If they make none.

    """
    into: type[LabelColumns | PredictionColumns] = LabelColumns if kind is Label else PredictionColumns
    checked = dict(validate(fields, into))
    own, columns, groups = {}, {}, {}
    for name in kind.model_fields:
        value = checked.get(name)
        if name not in fields or value is None:
            continue
        if name in GROUPS:
            groups[name] = {entry: _column(column) for entry, column in value.items()}
        elif name not in _OF_ALL and (not isinstance(value, int | float)):
            columns[name] = _column(value)
        else:
            own[name] = value
    return Sheet(kind, own, checked["rows"], columns, groups)


def _column(value: Any) -> Column:  # noqa: ANN401 - a list, or a column already
    return listed(value) if isinstance(value, list) else value
