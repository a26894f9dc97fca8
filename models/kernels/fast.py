"""The rows of records that were read into columns: what `driftline.models.rows` makes one by one, made all at once.

`driftline.models.fast` says which models and versions are so far; of all others, and of whatever is rare, no row is
made here.
"""

from __future__ import annotations

from math import isnan, nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from driftline.models.kernels import join_table as join
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.feature import FINE, MISSING
from driftline.models.kernels.ids import NONE
from driftline.models.kernels.tasks import BINARY, REGRESSION

if TYPE_CHECKING:
    from driftline.models.kernels.rows import Banks
    from driftline.models.kernels.types import Bytes, Doubles, Indices, Integers, Record, Records

OTHER, PREDICTION, PAIR, REPEATED = range(4)
"""What a row is: a record that only counts, a prediction, a prediction with its label, a prediction sent again."""

MOST_VERSIONS = 8
MOST_SHAPES = 16

FAST = np.dtype(
    [
        ("epoch", "i8"),
        ("owner", "i8"),
        ("model", "i8"),
        ("recents", "i8"),
        ("task", "i4"),
        ("classes", "i4"),
        ("versions", "i8"),
        ("name", "i4", MOST_VERSIONS),
        ("watch", "i4", MOST_VERSIONS),
        ("part", "i4", MOST_VERSIONS),
        ("slot", "i4", MOST_VERSIONS),
        ("shapes", "i8"),
        ("shape", "i4", MOST_SHAPES),
        ("hint", "i4", 2),
    ],
    align=True,
)
"""A model whose records need no Python: as long as `epoch` is that of its record in the bank of models.

`owner` is whose the names are in its records, `task` one of `driftline.models.kernels.tasks`. Of each version: its
name, its record or `NONE`, and its counters, with their place among the recent ones. `shape` are the shapes that its
predictions have, and `hint` which templates its last records were of, by topic.
"""

SHAPE = np.dtype(
    [
        ("template", "i4"),
        ("version", "i4"),
        ("watch", "i4"),
        ("start", "i4"),
        ("layout", "i8"),
        ("classes", "i4"),
        ("probabilities", "i4"),
        ("first", "i4"),
        ("told", "i4"),
    ],
    align=True,
)
"""The predictions of a version in a template: as long as `layout` is that of the version.

From `start` on stands which feature of the template is the first of the version, the second, ..., or `NONE`: its place,
or of a category CATEGORIES less its place. There are so many `probabilities`, the `first` of them there among the
numbers of a record; which of them is that of the first class, the second, ..., or `NONE`, stands from `classes` on, and
`told` is the number of their names.
"""

CATEGORIES = -2

CATEGORY = np.dtype([("layout", "i8"), ("number", "f8"), ("problem", "i8")], align=True)
"""A value of a categorical feature: what is wrong with it, with its number among categories above that, and the number
that it is, if it is one. So it is as long as `layout` is that of the version.
"""

VALUE = np.dtype([("token", "u8"), ("answer", "i4"), ("truth", "i4")], align=True)
"""What a predicted value, or a label, means to a model that tells classes apart.

`answer` is the number of the class, as `driftline.models.kernels.tasks` has it, and the number of classes for none of
them; `truth` the same as a label, and `NONE` for none of them.
"""

COMBINATION = np.dtype([("start", "i4"), ("end", "i4")], align=True)
"""Values of the segments that stand together: where their counters stand, `NONE` as long as they have none."""

RECENT = np.dtype([("count", "i8"), ("newest", "i8", 20)], align=True)
"""How many outcomes there have been, and which was the last of each of some counters."""


class Known(NamedTuple):
    """All that is known of fast models."""

    fasts: Records
    shapes: Records
    maps: Indices
    values: Records
    combinations: Records
    parts: Indices
    categories: Records


class Made(NamedTuple):
    """The rows that are made, with what stands in them, by places from the first one on."""

    rows: Records
    values: Doubles
    problems: Bytes
    inputs: Doubles
    parts: Indices
    records: Indices
    counts: Integers


@kernel
def compose(
    known: Known,
    banks: Banks,
    table: join.Table,
    taken: Records,
    read: Records,
    features: Doubles,
    made: Made,
    start: int,
    bases: Integers,
) -> int:
    """Make rows of records from `start` on, up to one that is not for this; return which that is.

    Parameters
    ----------
    known, banks
        What there is.
    table, taken
        The join, and what came of each record there.
    read, features
        What was read of them.
    made
        Where the rows go, and of which record each is; `counts` gets how many rows, values, inputs and parts there are.
    bases
        How many of the same there were before.

    """
    values = inputs = parts = count = 0
    place = start
    while place < len(taken):
        record = taken[place]
        if record.what == join.SKIPPED:
            place += 1
            continue
        source = read[place]
        fast = known.fasts[record.join]
        if record.what == join.OTHER or source.template == NONE or fast.epoch == 0:
            break
        model = banks.models[fast.model]
        if fast.epoch != model.epoch or fast.owner != source.owner:
            break
        row = made.rows[count]
        row.kind, row.model, row.version, row.counts = OTHER, fast.model, NONE, 1
        row.topic, row.offset, row.at = record.topic, record.offset, record.at
        row.prediction_offset = row.label_offset = row.values = row.parts = row.parts_end = 0
        row.inputs = row.source = row.cell = row.payload = NONE
        row.score = row.duration = row.loss = row.outcome = row.probability = row.predicted = nan
        if record.what == join.PREDICTION:
            if record.result == join.HELD:
                shape_index = _shape_of(known, fast, source)
                if shape_index == NONE:
                    break
                shape = known.shapes[shape_index]
                version = banks.versions[shape.watch]
                if version.layout != shape.layout or not version.steady:
                    break
                row.kind, row.version = PREDICTION, shape.watch
                row.prediction_offset, row.label_offset = record.offset, table.joins[record.join].last_label
                row.score, row.duration = source.score, source.latency
                row.values = bases[1] + values
                is_known = True
                for nth in range(version.features):
                    at = known.maps[shape.start + nth]
                    if at >= 0:
                        number = features[source.features + at]
                        problem = MISSING if isnan(number) else FINE
                    elif at == NONE:
                        number, problem = nan, MISSING
                    else:
                        code = features[source.features + CATEGORIES - at]
                        number, problem = _category(known.categories, code, shape.layout)
                        is_known &= problem != NONE
                    made.values[values + nth] = number
                    made.problems[values + nth] = problem
                if not is_known:
                    break
                values += version.features
                version.taken += 1
                payload = table.payloads[record.payload]
                payload.in_columns = 1
                model.number += 1
                payload.number = model.number
                payload.owner = source.owner
                payload.offset, payload.version, payload.value = record.offset, source.version, source.value
                payload.segments, payload.score, payload.predicted = source.segments, source.score, source.number
                payload.challenger = nan
                payload.inputs, payload.probabilities = NONE, shape.probabilities
                payload.classes, payload.told = shape.classes, shape.told
                if model.challenger != NONE:
                    row.inputs = bases[2] + inputs
                    row.payload = record.payload
                    payload.row = bases[0] + count
                    payload.row_inputs = row.inputs
                    payload.inputs = banks.challengers[model.challenger].inputs
                    for nth in range(payload.inputs):
                        made.inputs[inputs + nth] = 0.0
                    inputs += payload.inputs
                behind = max(payload.inputs, 0)
                for nth in range(shape.probabilities):
                    table.inputs[record.payload, behind + nth] = features[source.features + shape.first + nth]
                if fast.task != REGRESSION:
                    row.cell = known.values[payload.value].answer
                else:
                    row.score = source.number
                if isnan(row.score) and fast.task == BINARY:
                    row.score = _positive(known, payload, table.inputs[record.payload, behind:])
            elif record.result == join.NOTHING:
                row.kind = REPEATED
                row.prediction_offset, row.label_offset = record.offset, table.joins[record.join].last_label
            else:
                break
        elif record.result == join.PAIRED:
            payload = table.payloads[record.payload]
            if not payload.in_columns or payload.owner != fast.owner:
                break
            if fast.task != REGRESSION and known.values[source.value].truth == NONE:
                break
            nth = _version_of(fast, payload.version)
            if nth == NONE or (fast.watch[nth] != NONE and not banks.versions[fast.watch[nth]].pairs_frozen):
                break
            combination = NONE
            if payload.segments != NONE:
                combination = payload.segments
                if known.combinations[combination].start == NONE:
                    break
            row.kind, row.version = PAIR, fast.watch[nth]
            row.at, row.prediction_offset, row.label_offset = payload.at, payload.offset, record.offset
            row.duration = (record.at - payload.at) / 1000.0
            if fast.task == REGRESSION:
                row.cell, row.score, row.outcome = 0, payload.predicted, source.number
                row.loss = abs(source.number - payload.predicted)
            else:
                truth, answer = known.values[source.value].truth, known.values[payload.value].answer
                row.cell = (fast.classes + 1) * truth + answer
                row.loss = 0.0 if truth == answer else 1.0
                told = table.inputs[record.payload, max(payload.inputs, 0) :]
                if fast.task == BINARY:
                    row.outcome = float(truth)
                    row.score = _positive(known, payload, told) if isnan(payload.score) else payload.score
                else:
                    row.outcome = 1.0 - row.loss
                    if payload.probabilities:
                        row.score = told[: payload.probabilities].max()
                        at = known.maps[payload.classes + truth]
                        row.probability = told[at] if at != NONE else 0.0
            recent = banks.recents[fast.recents]
            recent.count += 1
            recent.newest[fast.slot[nth]] = recent.count
            row.parts = bases[3] + parts
            made.parts[parts] = fast.part[nth]
            parts += 1
            if combination != NONE:
                for at in range(known.combinations[combination].start, known.combinations[combination].end):
                    made.parts[parts] = known.parts[at]
                    parts += 1
            row.parts_end = bases[3] + parts
            if payload.inputs != NONE and model.challenger != NONE and payload.number >= model.challenger_since:
                row.predicted = payload.challenger
                if payload.row != NONE:
                    row.inputs, row.source = payload.row_inputs, payload.row
                else:
                    row.inputs = bases[2] + inputs
                    for nth in range(payload.inputs):
                        made.inputs[inputs + nth] = table.inputs[record.payload, nth]
                    inputs += payload.inputs
        elif record.result != join.NOTHING:
            break
        if record.what == join.LABEL:
            table.joins[record.join].last_label = record.offset
        made.records[count] = place
        count += 1
        place += 1
    made.counts[0], made.counts[1], made.counts[2], made.counts[3] = count, values, inputs, parts
    return place


@kernel
def fill(rows: Records, read: Records, values: Records) -> None:
    """Give the join what was read of records, but for the hashes of their ids, and the tokens of numbers."""
    for place in range(len(rows)):
        source, row = read[place], rows[place]
        if source.template != NONE:
            row.join, row.at = source.model, source.at
            if row.topic and source.value >= 0:  # that of a number is for Python to say
                row.token = values[source.value].token


@kernel
def _shape_of(known: Known, fast: Record, source: Record) -> int:
    for nth in range(fast.shapes):
        shape = known.shapes[fast.shape[nth]]
        if shape.template == source.template and shape.version == source.version:
            return fast.shape[nth]
    return NONE


@kernel
def _category(categories: Records, code: float, layout: int) -> tuple[float, int]:
    """Return the number that a value of a categorical feature is, and what is wrong with it: `NONE` if nobody knows."""
    if isnan(code):
        return nan, MISSING
    if code < 0:
        return nan, FINE
    category = categories[int(code)]
    return category.number, category.problem if category.layout == layout else NONE


@kernel
def _positive(known: Known, payload: Record, told: Doubles) -> float:
    """Return P(positive) by the probabilities of both classes, or of one of them."""
    if payload.probabilities:
        for positive in (1, 0):
            at = known.maps[payload.classes + positive]
            if at != NONE:
                return told[at] if positive else 1.0 - told[at]
    return nan


@kernel
def _version_of(fast: Record, name: int) -> int:
    for nth in range(fast.versions):
        if fast.name[nth] == name:
            return nth
    return NONE


@kernel
def keep_inputs(table: join.Table, made: Records, inputs: Doubles, predicted: Doubles) -> None:
    """Keep with the predictions that wait what the challenger was shown and has said, once their rows have run."""
    for place in range(len(made)):
        row = made[place]
        if row.kind != PREDICTION or row.payload == NONE:
            continue
        payload = table.payloads[row.payload]
        payload.row = NONE
        payload.challenger = predicted[place]
        for nth in range(payload.inputs):
            table.inputs[row.payload, nth] = inputs[row.inputs + nth]
