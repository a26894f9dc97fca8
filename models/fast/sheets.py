"""The rows of a batch as columns of records, of those models whose records need no Python."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from driftline.models.batch.column import Coded, Mask, Typed, numbers
from driftline.models.fast.categories import slots_of
from driftline.models.fast.templates import MOST_PROBABILITIES
from driftline.models.kernels import templates
from driftline.models.kernels.ids import NONE
from driftline.models.watch.quality import Problem
from driftline.schemas.config import Task
from driftline.schemas.events import Label

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy.typing as npt

    from driftline.models.batch.batch import Batch
    from driftline.models.batch.column import Column
    from driftline.models.fast.book import Book
    from driftline.models.model import Model
    from driftline.models.watch.known import Known
    from driftline.models.watch.version_watch import VersionWatch

_MOST_VALUES: Final = 64  # of a column that are looked up: a binary model has two
_KINDS: Final[dict[type, int]] = {float: templates.FLOATING, int: templates.WHOLE}


class Sheet(NamedTuple):
    """What `driftline.models.kernels.templates.read` would have read of the good rows of a batch.

    `template` is `NONE` of those that are not in columns. There is a row of `features` for each.
    """

    columns: npt.NDArray[np.void]
    features: npt.NDArray[np.float64]


def sheet_of(batch: Batch, model: Model, book: Book) -> Sheet | None:
    """Return the good rows in columns; None if their model, or their version, is not one that kernels take."""
    known = model.known
    if known is None or not book.may_take(batch.sheet.kind, batch.sheet.own.get("model_version"), known):
        return None
    count = len(batch.places)
    columns = np.zeros(count, templates.READ)
    columns["owner"], columns["model"], columns["at"] = known.number, model.join.index, batch.timestamp
    columns["version"] = columns["segments"] = columns["id"] = NONE
    columns["score"] = np.nan if batch.score is None else batch.score
    columns["latency"] = np.nan if batch.latency_ms is None else batch.latency_ms
    if known.profile.task is Task.REGRESSION:
        values, columns["number"] = _numbers(batch.value)
    else:
        codes = _codes(batch.value, known, book)
        if codes is None:
            return None
        values = codes
    columns["value"] = values
    left = values == NONE
    features = np.zeros((count, 0))
    if batch.sheet.kind is Label:
        number = book.note_batch(model, known, None, (), ())
        if batch.weight is not None:
            left |= ~(np.isnan(batch.weight) | (batch.weight == 1.0))
    else:
        if len(batch.probabilities) > MOST_PROBABILITIES:
            return None
        version = batch.sheet.own["model_version"]
        number = book.note_batch(model, known, version, tuple(batch.features), tuple(batch.probabilities))
        columns["version"] = numbered = book.meanings.version(version, known)
        columns["segments"] = _combinations(batch, model, known, book)
        features, strange = _features(batch, known.versions[version], partial(book.categories.number_of, numbered))
        left |= strange
        for told in batch.probabilities.values():
            left |= np.isnan(told)
        features = np.column_stack([features, *batch.probabilities.values()])
    if number is None:
        return None
    columns["template"] = np.where(left, NONE, number)
    return Sheet(columns, features)


def _numbers(column: Column) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return whether values that were predicted, or labels, are FLOATING or WHOLE, or `NONE`, and the numbers."""
    listed = column.tolist()
    kinds = [_KINDS.get(type(value), NONE) for value in listed]
    numbers = [0.0 if kind == NONE else float(value) for kind, value in zip(kinds, listed, strict=True)]
    return np.array(kinds, np.int64), np.array(numbers)


def _codes(column: Column, known: Known, book: Book) -> npt.NDArray[np.int64] | None:
    """Return the numbers of values that were predicted, or of labels; None if there are too many."""
    if isinstance(column, Coded):
        places, distinct = column.codes, np.arange(len(column.texts))
        listed: Iterable[Any] = column.texts
    elif isinstance(column, Typed):
        distinct, places = np.unique(column.values, return_inverse=True)
        listed = distinct.tolist()
        if column.values.dtype.kind == "f" and (np.signbit(column.values) & (column.values == 0)).any():
            return None  # -0.0 is another value, and the same to numpy
    else:
        values = column.tolist()
        kinds = {(type(value), repr(value)): value for value in values}
        order = {kind: place for place, kind in enumerate(kinds)}
        places, distinct = np.array([order[type(value), repr(value)] for value in values]), np.arange(len(kinds))
        listed = list(kinds.values())
    if len(distinct) > _MOST_VALUES:
        return None
    codes = np.array([book.meanings.value(value, known) for value in listed] or [NONE], np.int64)
    of_rows: npt.NDArray[np.int64] = codes[places]
    return of_rows


def _combinations(batch: Batch, model: Model, known: Known, book: Book) -> npt.NDArray[np.int64]:
    """Return the numbers of the values of segments that stand together."""
    names = [name for name in batch.segments if name in model.config.segments]
    others = np.zeros(len(batch.places), np.bool_)  # whether a row has an attribute that is not configured
    for name in batch.segments.keys() - set(names):
        others |= batch.segments[name].codes >= 0
    mixed = others.astype(np.int64)
    for name in names:
        column = batch.segments[name]
        # Numbered anew each time, so that many attributes of many values do not overflow.
        _, mixed = np.unique(mixed * (len(column.texts) + 1) + column.codes + 1, return_inverse=True)
    _, firsts, places = np.unique(mixed, return_index=True, return_inverse=True)
    codes = []
    for first in firsts.tolist():
        found = {name: batch.segments[name].item(first) for name in names}
        segments = {name: value for name, value in found.items() if value is not None}
        # With an attribute more than are configured they are chosen, and stand in the order of the configuration.
        codes.append(book.meanings.combination(segments | ({"": ""} if others[first] else {}), model, known))
    return np.array(codes, np.int64)[places]


def _features(
    batch: Batch, watch: VersionWatch, number_of: Callable[[VersionWatch, str, Any], int]
) -> tuple[npt.NDArray[np.float64], Mask]:
    """Return the features, a column for each, and which rows have one that is not missing and no kernel knows."""
    count, slots = len(batch.places), slots_of(watch)
    features, strange = np.empty((count, len(batch.features))), np.zeros(count, np.bool_)
    for place, (name, column) in enumerate(batch.features.items()):
        if (what := slots.get(name, templates.FEATURE)) == templates.FEATURE:
            values, problems = numbers(column)
            features[:, place] = values
            is_missing = problems == Problem.MISSING if problems is not None else False
            is_number = problems == Problem.FINE if problems is not None else True
            strange |= ~(is_missing | (is_number & ~np.isnan(values)))
            continue
        listed, places = _distinct(column)
        codes = np.full(len(listed), np.nan)
        is_strange = np.zeros(len(listed), np.bool_)
        for nth, value in enumerate(listed):
            if what == templates.ANY and type(value) is str:
                codes[nth] = NONE
            elif value is not None:
                codes[nth] = number = number_of(watch, name, value)
                is_strange[nth] = number == NONE
        features[:, place] = codes[places]
        strange |= is_strange[places]
    return features, strange


def _distinct(column: Column) -> tuple[list[Any], npt.NDArray[np.int64]]:
    """Return the values of a column, each once, and which of them each row has."""
    if isinstance(column, Coded):
        codes, places = np.unique(column.codes, return_inverse=True)
        return [None if code < 0 else column.texts[code] for code in codes.tolist()], places
    values = column.tolist()
    keys = [value if type(value) is str else (type(value), repr(value)) for value in values]
    distinct = dict(zip(keys, values, strict=True))
    order = {key: place for place, key in enumerate(distinct)}
    return list(distinct.values()), np.array([order[key] for key in keys], np.int64)
