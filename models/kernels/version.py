"""One prediction, or one pair, of a version of a model: into everything that is watched of the version.

`driftline.models.watch.version_watch` and `truth_watch` say what that is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels import (
    calibration,
    feature,
    frequencies,
    groups,
    label_curve,
    losses,
    ranked,
    residuals,
    shares,
    stream,
    thinned,
)
from driftline.models.kernels import coverage as covering
from driftline.models.kernels import slices as slicing
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.coverage import COVERAGE
from driftline.models.kernels.e_frequency import CELLS
from driftline.models.kernels.linear_model import MOST_INPUTS
from driftline.models.kernels.lines import lined

if TYPE_CHECKING:
    from driftline.models.kernels.types import Bytes, Doubles, Indices, Integers, Record, Records

NONE = feature.NONE

MOST_FEATURES = 1000
"""Features of one version that are watched."""

MOST_ATTRIBUTES = 4
"""Attributes by which fairness of one version is watched."""

PAGE = 16
"""Features that stand together in the list of a version: few have as many features as there is to be room for."""

FEATURE_PAGE = np.dtype([("feature", "i4", PAGE)], align=True)

VERSION = lined(
    [
        ("predictions", "i8"),
        ("served", "i8"),
        ("taken", "i8"),
        ("layout", "i8"),
        ("features", "i8"),
        ("steady", "i8"),
        ("score", "i4"),
        ("answers", "i4"),
        ("frozen", "i8"),
        ("score_sample", "i8"),
        ("input", "i2", MOST_INPUTS),
        ("pages", "i4", -(-MOST_FEATURES // PAGE)),
        ("pairs", "i8"),
        ("pairs_frozen", "i8"),
        ("loss_sum", "f8"),
        ("loss_sample", "i8"),
        ("calibrated_sample", "i8"),
        ("outcome_sample", "i8"),
        ("calibrated", "i8"),
        ("calibration", calibration.CALIBRATION),
        ("loss_bank", "i8"),
        ("loss", "i8"),
        ("residual_bank", "i8"),
        ("residual", "i8"),
        ("excess", "i8"),
        ("labels_bank", "i8"),
        ("labels", "i8"),
        ("slices", "i8"),
        ("gaps", "i4", MOST_ATTRIBUTES),
        ("coverage", COVERAGE),
    ]
)
"""What is watched of a version, by index, or `NONE` where it is not.

`pages` list its `features` in the order in which a row has their values, and `input` which of them the challenger
takes, by place in that order; `layout` is another number each time that these are others. It is `steady` if its
reference is complete, and it is known what all its features are; from then on `taken` counts its predictions, those
whose rows wait included.
`gaps` are those of attributes, the first of which that is `NONE` has none behind it.
`score` is of numbers that are predicted, `answers` of classes.
`coverage` is of the predictions since labels have matured.
`loss`, `residual` and `labels` are in the banks of their measure's kind; `excess` is a residual.
"""

PSI, SHARE, RESIDUAL, RANKED, FREQUENCY, GAPS = range(6)
"""The banks of streams, as in `stream.LAYOUTS`, and that of `groups.GROUPS` behind them."""


@inlined
def _feature(version: Record, lists: Records, place: int) -> int:
    return int(lists[version.pages[place // PAGE]].feature[place % PAGE])


@inlined
def predicted(
    version: Record,
    values: Doubles,
    problems: Bytes,
    score: float,
    answer: int,
    lists: Records,
    features: Records,
    samples: Records,
    pages: Records,
    psis: Records,
    qualities: Records,
    categories: Records,
    trails: Records,
    seasons: Records,
    at: int,
    offset: int,
    label_offset: int,
    attention: Integers,
) -> int:
    """Take a prediction; return how many rows of `attention` are filled: (bank, index, what `stream.update` said).

    Parameters
    ----------
    version
        Its record.
    values, problems
        Of its features, in their order.
    score, answer
        What is predicted: NaN where it is no number, `NONE` where it is no class.
    lists, features, samples, pages, psis, qualities, categories, trails, seasons
        Banks.
    at, offset, label_offset
        Event time, and the offsets of the prediction and of the newest label before it (-1: none).
    attention
        Where to note which streams need to be looked at.

    """
    noted = 0
    version.predictions += 1
    covering.predicted(version.coverage, answer, offset, at, version.pairs)
    for place in range(version.features):
        record = features[_feature(version, lists, place)]
        worse, shifted = feature.update(
            record,
            problems[place],
            values[place],
            samples,
            pages,
            qualities,
            psis,
            categories,
            trails,
            seasons,
            at,
            offset,
            label_offset,
        )
        if worse != stream.QUIET:
            noted = note(attention, noted, SHARE, record.quality, worse)
        if shifted != stream.QUIET:
            noted = note(attention, noted, PSI if record.numeric else FREQUENCY, record.drift, shifted)
    if answer != NONE and version.answers != NONE:
        # Of more than 16 classes some share a number.
        answers, cell = categories[version.answers], answer % CELLS
        if not version.frozen:
            frequencies.learn(answers, cell, at)
        else:
            seen = frequencies.update(answers, trails, cell, at, offset, label_offset)
            if seen != stream.QUIET:
                noted = note(attention, noted, FREQUENCY, version.answers, seen)
    if not -feature.LARGEST <= score <= feature.LARGEST:  # NaN is in no interval
        return noted
    if not version.frozen:
        thinned.update(samples[version.score_sample], pages, score)
        if version.score != NONE:
            ranked.learn(psis[version.score], seasons, score, at)
    elif version.score != NONE:
        seen = ranked.update(psis[version.score], trails, seasons, score, at, offset, label_offset)
        if seen != stream.QUIET:
            noted = note(attention, noted, PSI, version.score, seen)
    return noted


@inlined
def paired(
    version: Record,
    loss: float,
    score: float,
    outcome: float,
    truth: int,
    answer: int,
    delay: float,
    parts: Indices,
    samples: Records,
    pages: Records,
    slices: Records,
    gaps: Records,
    psis: Records,
    bits: Records,
    signed: Records,
    ranks: Records,
    categories: Records,
    trails: Records,
    seasons: Records,
    at: int,
    prediction_offset: int,
    label_offset: int,
    attention: Integers,
) -> int:
    """Take a pair as `driftline.models.watch.truth_watch.Scored` has it; as for the rest, see `predicted`.

    `truth` is the class of the label, or `NONE`, and `answer` the one that was predicted; the label took `delay`
    milliseconds, or NaN; `parts` are the counters that the pair is counted in: of its version, and of its segments.
    """
    noted = 0
    version.pairs += 1
    covering.paired(version.coverage, answer, prediction_offset, loss)
    if version.slices != NONE:
        noted = _sliced(
            slices[version.slices],
            version.pairs_frozen,
            loss,
            truth,
            parts,
            bits,
            ranks,
            trails,
            seasons,
            at,
            prediction_offset,
            label_offset,
            attention,
        )
    if truth != NONE and version.gaps[0] != NONE:
        noted = _compared(version, gaps, truth, answer, loss, parts, attention, noted)
    if not version.pairs_frozen:
        version.loss_sum += loss
        thinned.update(samples[version.loss_sample], pages, loss)
        if not math.isnan(score):
            thinned.update(samples[version.calibrated_sample], pages, score)
            thinned.update(samples[version.outcome_sample], pages, outcome)
        _learned(version, loss, score, outcome, truth, delay, psis, bits, signed, ranks, categories, seasons, at)
        return noted
    if version.labels != NONE:
        seen = stream.QUIET
        if version.labels_bank == PSI:
            seen = ranked.update(psis[version.labels], trails, seasons, outcome, at, prediction_offset, label_offset)
        elif truth != NONE:
            labels = categories[version.labels]
            seen = frequencies.update(labels, trails, truth % CELLS, at, prediction_offset, label_offset)
        if seen != stream.QUIET:
            noted = note(attention, noted, version.labels_bank, version.labels, seen)
    if version.loss != NONE:
        if version.loss_bank == SHARE:
            seen = shares.update(bits[version.loss], trails, loss, at, prediction_offset, label_offset)
        else:
            seen = losses.update(ranks[version.loss], trails, seasons, loss, at, prediction_offset, label_offset)
        if seen != stream.QUIET:
            noted = note(attention, noted, version.loss_bank, version.loss, seen)
    if not version.calibrated or math.isnan(score):
        return noted
    residual, beyond = _residuals(version, score, outcome)
    if version.residual != NONE:
        if version.residual_bank == RESIDUAL:
            seen = residuals.update(signed[version.residual], trails, residual, at, prediction_offset, label_offset)
        else:
            seen = losses.update(
                ranks[version.residual], trails, seasons, residual, at, prediction_offset, label_offset
            )
        if seen != stream.QUIET:
            noted = note(attention, noted, version.residual_bank, version.residual, seen)
    if version.excess != NONE:
        seen = residuals.update(signed[version.excess], trails, beyond, at, prediction_offset, label_offset)
        if seen != stream.QUIET:
            noted = note(attention, noted, RESIDUAL, version.excess, seen)
    return noted


@inlined
def _learned(
    version: Record,
    loss: float,
    score: float,
    outcome: float,
    truth: int,
    delay: float,
    psis: Records,
    bits: Records,
    signed: Records,
    ranks: Records,
    categories: Records,
    seasons: Records,
    at: int,
) -> None:
    """Let what watches pairs learn from one of the reference, as far as it is there."""
    if version.labels != NONE:
        if version.labels_bank == PSI:
            ranked.learn(psis[version.labels], seasons, outcome, at)
        elif truth != NONE:
            frequencies.learn(categories[version.labels], truth % CELLS, at)
    if version.loss != NONE:
        if version.loss_bank == SHARE:
            shares.learn(bits[version.loss], loss, at)
        else:
            losses.learn(ranks[version.loss], seasons, loss, at)
    curve = version.coverage.curve
    if not version.calibrated or math.isnan(score):
        label_curve.learn(curve, delay, loss, outcome, math.nan, math.nan)
        return
    residual, beyond = _residuals(version, score, outcome)
    label_curve.learn(curve, delay, loss, outcome, residual, beyond)
    if version.residual != NONE:
        if version.residual_bank == RESIDUAL:
            residuals.learn(signed[version.residual], residual, at)
        else:
            losses.learn(ranks[version.residual], seasons, residual, at)
    if version.excess != NONE:
        residuals.learn(signed[version.excess], beyond, at)


@kernel
def _sliced(
    slices: Record,
    is_frozen: int,
    loss: float,
    truth: int,
    parts: Indices,
    bits: Records,
    ranks: Records,
    trails: Records,
    seasons: Records,
    at: int,
    prediction_offset: int,
    label_offset: int,
    attention: Integers,
) -> int:
    """Show the loss of a pair to the slices that it is of; return how many rows of `attention` are filled."""
    noted = 0
    for nth in range(len(parts)):
        key = parts[nth]
        if nth == 0:  # the counters of the version; in their place, the class
            key = slicing.key_of_class(truth) if truth != NONE else NONE
        place = slicing.find(slices, key) if key != NONE else NONE
        if place == NONE:
            continue
        index = slices.stream[place]
        if not is_frozen:
            slices.sum[place] += loss
            if slices.bank == SHARE:
                shares.learn(bits[index], loss, at)
            else:
                losses.learn(ranks[index], seasons, loss, at)
            continue
        if slices.bank == SHARE:
            seen = shares.update(bits[index], trails, loss, at, prediction_offset, label_offset)
        else:
            seen = losses.update(ranks[index], trails, seasons, loss, at, prediction_offset, label_offset)
        if seen != stream.QUIET:
            noted = note(attention, noted, slices.bank, index, seen)
    return noted


@kernel
def _compared(
    version: Record,
    gaps: Records,
    truth: int,
    answer: int,
    loss: float,
    parts: Indices,
    attention: Integers,
    noted: int,
) -> int:
    """Count a pair for the groups that it is of; return how many rows of `attention` are filled then."""
    for nth in range(MOST_ATTRIBUTES):
        index = version.gaps[nth]
        if index == NONE:
            return noted
        compared = gaps[index]
        if compared.place < len(parts) and parts[compared.place] != NONE:
            group = groups.update(compared, parts[compared.place], truth, answer, loss)
            if group != groups.NONE:
                noted = note(attention, noted, GAPS, index, group)
    return noted


@inlined
def _residuals(version: Record, score: float, outcome: float) -> tuple[float, float]:
    """Return by how much the outcome differs from what calibration expects, and its square from what that does."""
    expected = calibration.expected(version.calibration, score)
    residual = outcome - expected
    return residual, residual * residual - expected * (1.0 - expected)


@inlined
def note(attention: Integers, noted: int, bank: int, index: int, seen: int) -> int:
    """Note that a stream is to be looked at; return how many rows of `attention` are filled then."""
    attention[noted, 0] = bank
    attention[noted, 1] = index
    attention[noted, 2] = seen
    return noted + 1
