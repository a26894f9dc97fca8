"""The rows of a batch, one for each record of a known model, through everything that is watched of their models.

`driftline.models.rows` makes the rows and acts on what is found.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from driftline.models.kernels import (
    bad_records,
    binary,
    linear_model,
    multiclass,
    quantile_sketch,
    regression,
    shares,
    stream,
    version,
)
from driftline.models.kernels.bad_records import BAD_RECORDS
from driftline.models.kernels.borrowed import borrowed
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.fast import PAIR, PREDICTION, REPEATED
from driftline.models.kernels.feature import LARGEST
from driftline.models.kernels.tasks import BINARY, REGRESSION

if TYPE_CHECKING:
    from driftline.models.kernels.types import Bytes, Doubles, Indices, Integers, Record, Records

NONE = -1

MODEL = np.dtype(
    [
        ("records", "i8"),
        ("task", "i8"),
        ("next_offsets", "i8", 2),
        ("number", "i8"),
        ("predictions", "i8"),
        ("pairs", "i8"),
        ("incidents", "i8"),
        ("needs", "i8"),
        ("bad", BAD_RECORDS),
        ("repeats", "i8"),
        ("repeats_reference", "i8"),
        ("repeats_threshold", "f8"),
        ("latency", "i8"),
        ("label_delay", "i8"),
        ("challenger", "i8"),
        ("challenger_since", "i8"),
        ("challenger_total", "i8"),
        ("epoch", "i8"),
        ("total", "i8"),
        ("window", "i8"),
    ],
    align=True,
)
"""One model: counts, next offsets of predictions and labels, whether incidents and needs are open, and indices.

`task` is one of `driftline.models.kernels.tasks`, once it is known. `number` is that of the newest prediction whose
row was made; `predictions` and `pairs` count since it was known what the model is. `repeats` is the stream of which
predictions repeat an id, or `NONE`: at the end of its reference, of so many, its detector gets that threshold. `epoch`
is another number each time that versions, counters or the challenger are others than they were.
"""

REVIEW_EVERY = 256
"""Records of a model between two reviews of its open incidents."""

ROW = np.dtype(
    [
        ("kind", "i8"),
        ("model", "i8"),
        ("version", "i8"),
        ("counts", "i8"),
        ("topic", "i8"),
        ("offset", "i8"),
        ("at", "i8"),
        ("prediction_offset", "i8"),
        ("label_offset", "i8"),
        ("values", "i8"),
        ("inputs", "i8"),
        ("source", "i8"),
        ("payload", "i8"),
        ("cell", "i8"),
        ("parts", "i8"),
        ("parts_end", "i8"),
        ("score", "f8"),
        ("duration", "f8"),
        ("loss", "f8"),
        ("outcome", "f8"),
        ("probability", "f8"),
        ("predicted", "f8"),
    ],
    align=True,
)
"""What a row is of, and where the rest of it stands; `NONE` in place of an index, NaN of a number.

`counts` is whether it is the first row of a record, which has `offset` in its `topic`; `at` is when the prediction was
made, and `prediction_offset` and `label_offset` say where it and its label stood, or the newest label before it;
`values` is where its features begin, `inputs` where those of the challenger do; `source` is the row of a pair's
prediction if that is in the same batch; `payload` is where the join has the prediction if that is kept in columns;
`cell` is what kernels count the pair by (`driftline.models.kernels.tasks`), or `NONE` if none does, and of a prediction
the class that is predicted; `parts` to `parts_end` are the counters of its version and segments that it is counted in,
the first one `NONE` if Python counts it. `score` is P(positive) or what else calibration takes, `probability` what a
multiclass model gave to the label, `duration` the latency in ms or the delay of the label in s, and `predicted` what
the challenger has predicted.
"""


class Banks(NamedTuple):
    """All records of a partition."""

    models: Records
    versions: Records
    lists: Records
    features: Records
    samples: Records
    pages: Records
    slices: Records
    psis: Records
    shares: Records
    residuals: Records
    ranked: Records
    frequencies: Records
    gaps: Records
    trails: Records
    seasons: Records
    challengers: Records
    sketches: quantile_sketch.Sketches
    recents: Records
    binary: binary.Bank
    multiclass: multiclass.Bank
    regression: regression.Bank


class Rows(NamedTuple):
    """The rows of a batch.

    `decides` is whether a row is the last of its record; `values` and `problems` are those of features, `inputs` those
    of challengers, `parts` the counters of versions and segments. `predicted` is what challengers say of predictions.
    """

    rows: Records
    decides: Bytes
    values: Doubles
    problems: Bytes
    inputs: Doubles
    parts: Indices
    predicted: Doubles


@kernel
def run(banks: Banks, rows: Rows, start: int, attention: Integers) -> tuple[int, int]:
    """Take rows from `start` on, up to one after which something is to be done.

    Return which row is the next, and how many rows of `attention` are filled: (bank, index, what is to be looked at).
    """
    banks, rows = _borrow_banks(banks), _borrow_rows(rows)
    for place in range(start, len(rows.rows)):
        row = rows.rows[place]
        model = banks.models[row.model]
        if row.counts:
            model.records += 1
            model.next_offsets[row.topic] = row.offset + 1
            bad_records.count(model.bad, 1)
        noted = 0
        if row.kind == PREDICTION:
            noted = _predicted(banks, model, rows, place, attention)
            noted = _came(banks, model, row, 0.0, attention, noted)
        elif row.kind == REPEATED:
            noted = _came(banks, model, row, 1.0, attention, noted)
        elif row.kind == PAIR:
            noted = _paired(banks, model, rows, place, attention)
        is_due = model.needs or (model.incidents and model.records % REVIEW_EVERY == 0)
        if noted > 0 or (is_due and rows.decides[place]):
            return place + 1, noted
    return len(rows.rows), 0


@kernel
def _borrow_banks(banks: Banks) -> Banks:
    return Banks(
        borrowed(banks.models),
        borrowed(banks.versions),
        borrowed(banks.lists),
        borrowed(banks.features),
        borrowed(banks.samples),
        borrowed(banks.pages),
        borrowed(banks.slices),
        borrowed(banks.psis),
        borrowed(banks.shares),
        borrowed(banks.residuals),
        borrowed(banks.ranked),
        borrowed(banks.frequencies),
        borrowed(banks.gaps),
        borrowed(banks.trails),
        borrowed(banks.seasons),
        borrowed(banks.challengers),
        quantile_sketch.Sketches(
            borrowed(banks.sketches.records), borrowed(banks.sketches.pages), borrowed(banks.sketches.allotment)
        ),
        borrowed(banks.recents),
        binary.borrow(banks.binary),
        multiclass.borrow(banks.multiclass),
        regression.borrow(banks.regression),
    )


@kernel
def _borrow_rows(rows: Rows) -> Rows:
    return Rows(
        borrowed(rows.rows),
        borrowed(rows.decides),
        borrowed(rows.values),
        borrowed(rows.problems),
        borrowed(rows.inputs),
        borrowed(rows.parts),
        borrowed(rows.predicted),
    )


@inlined
def _came(banks: Banks, model: Record, row: Record, repeats: float, attention: Integers, noted: int) -> int:
    """Note whether a prediction repeats an id; return how many rows of `attention` are filled then."""
    if model.repeats == NONE:
        return noted
    watched = banks.shares[model.repeats]
    if watched.count == 0 and watched.learned < model.repeats_reference:
        shares.learn_flat(watched, repeats)
        watched.measure.before += (repeats - watched.measure.before) / watched.learned
        watched.measure.reference = watched.learned
        if watched.learned == model.repeats_reference:
            watched.evidence[0].threshold = model.repeats_threshold
        return noted
    seen = shares.update_flat(watched, banks.trails, repeats, row.at, row.prediction_offset, row.label_offset)
    if seen == stream.QUIET:
        return noted
    return int(version.note(attention, noted, version.SHARE, model.repeats, seen))


@inlined
def _predicted(banks: Banks, model: Record, rows: Rows, place: int, attention: Integers) -> int:
    row = rows.rows[place]
    if not math.isnan(row.duration):
        quantile_sketch.update(banks.sketches, model.latency, row.duration)
    model.predictions += 1
    if row.version == NONE:
        return 0
    watched = banks.versions[row.version]
    watched.served = model.predictions
    values, problems = rows.values[row.values :], rows.problems[row.values :]
    if row.inputs != NONE:
        challenger = banks.challengers[model.challenger]
        scaled = rows.inputs[row.inputs :]
        _take_inputs(watched, challenger, values, scaled)
        rows.predicted[place] = linear_model.predict(challenger, scaled)
    return version.predicted(
        watched,
        values,
        problems,
        row.score,
        row.cell,
        banks.lists,
        banks.features,
        banks.samples,
        banks.pages,
        banks.psis,
        banks.shares,
        banks.frequencies,
        banks.trails,
        banks.seasons,
        row.at,
        row.prediction_offset,
        row.label_offset,
        attention,
    )


@inlined
def _take_inputs(watched: Record, challenger: Record, values: Doubles, scaled: Doubles) -> None:
    """Scale the challenger's inputs, of those features that are finite numbers; a version need not have them all."""
    inputs = challenger.inputs
    present = np.empty(inputs, np.bool_)
    for place in range(inputs):
        at = watched.input[place]
        number = math.nan if at == NONE else values[at]
        present[place] = -LARGEST <= number <= LARGEST
        scaled[place] = number
    linear_model.scale(challenger, scaled, present, scaled)


@inlined
def _paired(banks: Banks, model: Record, rows: Rows, place: int, attention: Integers) -> int:
    row = rows.rows[place]
    if not math.isnan(row.duration):
        quantile_sketch.update(banks.sketches, model.label_delay, row.duration)
    model.pairs += 1
    parts, truth, answer = rows.parts[row.parts : row.parts_end], NONE, NONE
    if row.cell != NONE and model.task != REGRESSION:
        classes = 2 if model.task == BINARY else banks.multiclass.records[model.total].classes
        truth, answer = row.cell // (classes + 1), row.cell % (classes + 1)
    # That of a weight other than 1 is counted by Python.
    is_counted = row.cell != NONE and len(parts) > 0 and parts[0] != NONE
    if is_counted:
        if model.task == BINARY:
            outcome = binary.outcome_of(truth, _predicted_class(answer), row.score)
            binary.score_pair(banks.binary, model.total, model.window, parts, outcome)
        elif model.task == REGRESSION:
            error = regression.outcome_of(row.outcome, row.score)
            regression.score_pair(banks.regression, model.total, model.window, parts, error)
        else:
            told = multiclass.outcome_of(truth, answer, row.probability)
            multiclass.score_pair(banks.multiclass, model.total, model.window, parts, told)
    if row.inputs != NONE:
        predicted = rows.predicted[row.source] if row.source != NONE else row.predicted
        rows.predicted[place] = predicted
        if is_counted:
            if model.task == BINARY:
                says = 1 if predicted >= 0.5 else 0  # noqa: PLR2004 - the likelier class
                challenged = binary.outcome_of(truth, says, predicted)
                binary.count(banks.binary, model.challenger_total, challenged)
            else:
                missed = regression.outcome_of(row.outcome, predicted)
                regression.count(banks.regression, model.challenger_total, missed)
        linear_model.learn(banks.challengers[model.challenger], rows.inputs[row.inputs :], row.outcome)
    if row.version == NONE:
        return 0
    return version.paired(
        banks.versions[row.version],
        row.loss,
        row.score,
        row.outcome,
        truth,
        answer,
        1000.0 * row.duration,
        parts,
        banks.samples,
        banks.pages,
        banks.slices,
        banks.gaps,
        banks.psis,
        banks.shares,
        banks.residuals,
        banks.ranked,
        banks.frequencies,
        banks.trails,
        banks.seasons,
        row.at,
        row.prediction_offset,
        row.label_offset,
        attention,
    )


@inlined
def _predicted_class(cell: int) -> int:
    return cell if cell < 2 else -1  # noqa: PLR2004 - neither of both classes
