"""One value of a watched feature: its quality, and its drift.

`driftline.models.watch.feature` says what a feature is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from driftline.models.kernels import frequencies, ranked, shares, stream, thinned
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.lines import lined

if TYPE_CHECKING:
    from driftline.models.kernels.types import Record, Records

FINE, MISSING, WRONG_TYPE, NON_FINITE, OUT_OF_RANGE, UNSEEN = range(6)
PROBLEMS = 6

CATEGORY_SHIFT = 4
PROBLEM = (1 << CATEGORY_SHIFT) - 1
"""What is wrong with a category are these bits; above them stands its number among those of `frequencies`."""

LARGEST = 1e100
"""Squares and products of what is smaller stay finite."""

NONE = -1
"""In place of an index, or of a number."""

FEATURE = lined(
    [
        ("numeric", "u1"),
        ("frozen", "u1"),
        ("sample", "i4"),
        ("quality", "i4"),
        ("drift", "i4"),
        ("minimum", "f8"),
        ("maximum", "f8"),
        ("problems", "i8", PROBLEMS),
        ("recent", "u1", stream.RECENT // 2),
    ]
)
"""`sample`, `quality` and `drift` are indices of a sample of the reference and of streams, or `NONE`; the drift of one
that is `numeric` is a stream of ranks, that of others one of frequencies.

`recent` holds the problems of the values that the quality stream has had, at that stream's count, four bits each. Where
that stream says that a value was fine there stands what was there before, so that such a value touches one line less.
"""


@inlined
def update(
    feature: Record,
    problem: int,
    number: float,
    samples: Records,
    pages: Records,
    qualities: Records,
    psis: Records,
    categories: Records,
    trails: Records,
    seasons: Records,
    at: int,
    prediction_offset: int,
    label_offset: int,
) -> tuple[int, int]:
    """Take a value: what is wrong with it so far, and the number if it is one.

    Return what `stream.update` says of the quality and of the drift.
    """
    # Of an unsigned and a signed number numba makes a float.
    signed: int = np.int64(problem)  # type: ignore[assignment]
    cell, problem = signed >> CATEGORY_SHIFT, signed & PROBLEM
    has_number = feature.numeric and problem == FINE
    has_category = not feature.numeric and (problem == FINE or problem == UNSEEN)
    if has_number:
        if not -LARGEST <= number <= LARGEST:  # NaN is in no interval
            problem = NON_FINITE
            has_number = False
        elif number < feature.minimum or number > feature.maximum:
            problem = OUT_OF_RANGE
    feature.problems[problem] += 1
    if not feature.frozen:
        if feature.quality != NONE:
            shares.learn_flat(qualities[feature.quality], 0.0 if problem == FINE else 1.0)
        if has_number:
            thinned.update(samples[feature.sample], pages, number)
            if feature.drift != NONE:
                ranked.learn(psis[feature.drift], seasons, number, at)
        elif has_category and feature.drift != NONE:
            frequencies.learn(categories[feature.drift], cell, at)
        return stream.QUIET, stream.QUIET
    worse = shifted = stream.QUIET
    if feature.quality != NONE:
        quality = qualities[feature.quality]
        bad = 0.0 if problem == FINE else 1.0
        worse = shares.update_flat(quality, trails, bad, at, prediction_offset, label_offset)
        if problem != FINE:
            _note(feature, quality.count % stream.RECENT, problem)
    if feature.drift != NONE and has_number:
        shifted = ranked.update(psis[feature.drift], trails, seasons, number, at, prediction_offset, label_offset)
    elif feature.drift != NONE and has_category:
        watched = categories[feature.drift]
        shifted = frequencies.update(watched, trails, cell, at, prediction_offset, label_offset)
    return worse, shifted


@kernel
def _note(feature: Record, place: int, problem: int) -> None:
    both, shift = int(feature.recent[place // 2]), place % 2 * 4
    feature.recent[place // 2] = (both & ~(15 << shift)) | (problem << shift)


@kernel
def update_at(
    features: Records,
    index: int,
    problem: int,
    number: float,
    samples: Records,
    pages: Records,
    qualities: Records,
    psis: Records,
    categories: Records,
    trails: Records,
    seasons: Records,
    at: int,
    prediction_offset: int,
    label_offset: int,
) -> tuple[int, int]:
    """Do what `update` does, for Python."""
    return update(
        features[index],
        problem,
        number,
        samples,
        pages,
        qualities,
        psis,
        categories,
        trails,
        seasons,
        at,
        prediction_offset,
        label_offset,
    )
