"""One prediction, or one pair, of a version of a model: into everything that is watched of the version.

`driftline.models.watch.version_watch` and `truth_watch` say what that is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels import calibration, feature, ranked, residuals, shares, stream, thinned, trail
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.linear_model import MOST_INPUTS
from driftline.models.kernels.lines import LINE, lined, place_of, prefetch

if TYPE_CHECKING:
    from driftline.models.kernels.types import Bytes, Doubles, Integers, Record, Records

NONE = feature.NONE

MOST_FEATURES = 1000
"""Features of one version that are watched."""

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
        ("score", "i8"),
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
    ]
)
"""What is watched of a version, by index, or `NONE` where it is not.

`pages` list its `features` in the order in which a row has their values, and `input` which of them the challenger
takes, by place in that order; `layout` is another number each time that these are others. It is `steady` if its
reference is complete, and it is known what all its features are; from then on `taken` counts its predictions, those
whose rows wait included.
`loss` and `residual` are in the banks of their measure's kind; `excess` is a residual.
"""

_MEASURE, _RECENT, _SHAPE = (place_of(stream.PSI, name) for name in ("measure", "recent", "shape"))
_PSI_BYTES, _SHARE_BYTES = stream.PSI.itemsize, stream.SHARE.itemsize
_INPUT, _PAGES, _PAIRS = place_of(VERSION, "input"), place_of(VERSION, "pages"), place_of(VERSION, "pairs")
_BYTES = VERSION.itemsize

PSI, SHARE, RESIDUAL, RANKED = range(4)
"""The banks of streams, as in `stream.LAYOUTS`."""


@inlined
def _feature(version: Record, lists: Records, place: int) -> int:
    return int(lists[version.pages[place // PAGE]].feature[place % PAGE])


@inlined
def predicted(
    version: Record,
    values: Doubles,
    problems: Bytes,
    score: float,
    lists: Records,
    features: Records,
    samples: Records,
    pages: Records,
    psis: Records,
    qualities: Records,
    trails: Records,
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
    score
        NaN where there is none.
    lists, features, samples, pages, psis, qualities, trails
        Banks.
    at, offset, label_offset
        Event time, and the offsets of the prediction and of the newest label before it (-1: none).
    attention
        Where to note which streams need to be looked at.

    """
    noted = 0
    version.predictions += 1
    for place in range(version.features):
        record = features[_feature(version, lists, place)]
        worse, shifted = feature.update(
            record, problems[place], values[place], samples, pages, qualities, psis, trails, at, offset, label_offset
        )
        if worse != stream.QUIET:
            noted = _note(attention, noted, SHARE, record.quality, worse)
        if shifted != stream.QUIET:
            noted = _note(attention, noted, PSI, record.drift, shifted)
    if math.isnan(score):
        return noted
    if version.score != NONE:
        seen = ranked.update(psis[version.score], trails, score, at, offset, label_offset)
        if seen != stream.QUIET:
            noted = _note(attention, noted, PSI, version.score, seen)
    elif not version.frozen:
        thinned.update(samples[version.score_sample], pages, score)
    return noted


@inlined
def paired(
    version: Record,
    loss: float,
    score: float,
    outcome: float,
    samples: Records,
    pages: Records,
    bits: Records,
    signed: Records,
    ranks: Records,
    trails: Records,
    at: int,
    prediction_offset: int,
    label_offset: int,
    attention: Integers,
) -> int:
    """Take a pair as `driftline.models.watch.truth_watch.Scored` has it; as for the rest, see `predicted`."""
    noted = 0
    version.pairs += 1
    if not version.pairs_frozen:
        version.loss_sum += loss
        thinned.update(samples[version.loss_sample], pages, loss)
        if not math.isnan(score):
            thinned.update(samples[version.calibrated_sample], pages, score)
            thinned.update(samples[version.outcome_sample], pages, outcome)
        return noted
    if version.loss != NONE:
        if version.loss_bank == SHARE:
            seen = shares.update(bits[version.loss], trails, loss, at, prediction_offset, label_offset)
        else:
            seen = ranked.update(ranks[version.loss], trails, loss, at, prediction_offset, label_offset)
        if seen != stream.QUIET:
            noted = _note(attention, noted, version.loss_bank, version.loss, seen)
    if not version.calibrated or math.isnan(score):
        return noted
    expected = calibration.expected(version.calibration, score)
    residual = outcome - expected
    if version.residual != NONE:
        if version.residual_bank == RESIDUAL:
            seen = residuals.update(signed[version.residual], trails, residual, at, prediction_offset, label_offset)
        else:
            seen = ranked.update(ranks[version.residual], trails, residual, at, prediction_offset, label_offset)
        if seen != stream.QUIET:
            noted = _note(attention, noted, version.residual_bank, version.residual, seen)
    if version.excess != NONE:
        beyond = residual * residual - expected * (1.0 - expected)
        seen = residuals.update(signed[version.excess], trails, beyond, at, prediction_offset, label_offset)
        if seen != stream.QUIET:
            noted = _note(attention, noted, RESIDUAL, version.excess, seen)
    return noted


# What a prediction or a pair will touch is asked for while those before it run: of what is named by what has come in.


@inlined
def ask_for_predictions(versions: Records, index: int) -> None:
    """Ask for what a prediction touches of a version with few features."""
    prefetch(versions, index, 0)
    prefetch(versions, index, _INPUT)
    prefetch(versions, index, _PAGES)


@inlined
def ask_for_pairs(versions: Records, index: int) -> None:
    """Ask for what a pair touches of a version."""
    for byte in range(_PAIRS, _BYTES, LINE):
        prefetch(versions, index, byte)


@inlined
def ask_for_lists(version: Record, lists: Records) -> None:
    """Ask for the list of features. The version's record is there."""
    for place in range(0, version.features, PAGE):
        prefetch(lists, version.pages[place // PAGE], 0)


@inlined
def ask_for_features(version: Record, lists: Records, features: Records) -> None:
    """Ask for the features. Their list is there."""
    for place in range(version.features):
        prefetch(features, _feature(version, lists, place), 0)


@inlined
def ask_for_streams(version: Record, lists: Records, features: Records, psis: Records, qualities: Records) -> None:
    """Ask for what each value of their streams touches. The features are there."""
    for place in range(version.features):
        record = features[_feature(version, lists, place)]
        if record.quality != NONE:
            prefetch(qualities, record.quality, 0)
            prefetch(qualities, record.quality, LINE)
        if record.drift != NONE:
            prefetch(psis, record.drift, 0)
    if version.score != NONE:
        prefetch(psis, version.score, 0)


@inlined
def ask_for_values(
    version: Record, lists: Records, features: Records, psis: Records, qualities: Records, trails: Records
) -> None:
    """Ask for where the next value of each stream is kept, and for what is due at it. The streams are there."""
    for place in range(version.features):
        record = features[_feature(version, lists, place)]
        if record.quality != NONE and (qualities[record.quality].count + 1) % stream.CLOCK == 0:
            _ask_for_bytes(qualities, record.quality, 2 * LINE, _SHARE_BYTES)
        if record.drift != NONE:
            _ask_for_ranked(psis, record.drift, trails)
    if version.score != NONE:
        _ask_for_ranked(psis, version.score, trails)


@kernel
def _ask_for_ranked(psis: Records, index: int, trails: Records) -> None:
    count = psis[index].count
    last = count % stream.RECENT
    prefetch(psis, index, _RECENT + 8 * last)
    if (count + 1) % trail.FINEST == 0:
        trail.ask(trails, psis[index].trail, count + 1)
    if (count + 1) % stream.CLOCK == 0:  # the detectors take those since the last time
        _ask_for_bytes(psis, index, _RECENT + 8 * (last + 1 - stream.CLOCK), _RECENT + 8 * last)
        _ask_for_bytes(psis, index, _MEASURE, _RECENT)
        _ask_for_bytes(psis, index, _SHAPE, _PSI_BYTES)


@kernel
def _ask_for_bytes(records: Records, index: int, first: int, end: int) -> None:
    for byte in range(first, end, LINE):
        prefetch(records, index, byte)


@inlined
def ask_for_truth(version: Record, bits: Records, signed: Records) -> None:
    """Ask for the streams of a pair. The version's record is there."""
    if version.loss != NONE and version.loss_bank == SHARE:
        prefetch(bits, version.loss, 0)
        prefetch(bits, version.loss, LINE)
    if version.residual != NONE and version.residual_bank == RESIDUAL:
        prefetch(signed, version.residual, 0)
    if version.excess != NONE:
        prefetch(signed, version.excess, 0)


@inlined
def _note(attention: Integers, noted: int, bank: int, index: int, seen: int) -> int:
    attention[noted, 0] = bank
    attention[noted, 1] = index
    attention[noted, 2] = seen
    return noted + 1
