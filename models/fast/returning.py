"""Predictions that have come back from the store, in columns as if they had never left memory.

A label that comes days later finds its prediction in the store alone. As an object it would have Python take the label,
and take it alone.
"""

from __future__ import annotations

from array import array
from functools import lru_cache
from math import nan
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.join.entry import Pending
from driftline.models.kernels.ids import NONE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from driftline.models.fast.book import Book
    from driftline.models.join.joins import Joins
    from driftline.models.model import Model
    from driftline.models.watch.known import Known

_COLUMNS: Final = (
    *("owner", "offset", "number", "score", "challenger", "inputs"),
    *("version", "value", "predicted", "segments", "classes", "probabilities", "told"),  # as `Meanings.of` has them
)
_MODEL: Final = np.uint64(0xFFFFFFFF)  # the bits of an entry that say whose it is


def fold(places: Sequence[int], joins: Joins, book: Book, models: Sequence[Model]) -> None:
    """Put predictions that wait in these places into columns, those of models and of names that are in the book."""
    known_of: Callable[[int], Known | None] = lru_cache(None)(lambda model: _known(models[model], book))
    payloads, shown = joins.table.arrays.payloads, joins.table.arrays.inputs
    owners = joins.table.arrays.entries["high"][payloads["entry"][places]] & _MODEL
    width = 8 * shown.shape[1]
    folded, rows, numbers = [], [], []
    for place, model in zip(places, owners.tolist(), strict=True):
        pending, known = joins.payloads[place], known_of(model)
        if known is None or not isinstance(pending, Pending) or not _is_usual(pending, known):
            continue
        names = book.meanings.of(pending, known)
        told = array("d", (pending.probabilities or {}).values()).tobytes()
        behind = pending.inputs or b""
        if names is None or len(behind) + len(told) > width:
            continue
        score, inputs = nan if pending.score is None else pending.score, NONE
        if pending.inputs is not None:
            inputs = len(behind) // 8
        challenger = nan if pending.challenger is None else pending.challenger
        rows.append((known.number, pending.offset, pending.number, score, challenger, inputs, *names))
        numbers.append((behind + told).ljust(width, b"\0"))
        folded.append(place)
    if not folded:
        return
    for name, column in zip(_COLUMNS, zip(*rows, strict=True), strict=True):
        payloads[name][folded] = column
    payloads["in_columns"][folded], payloads["row"][folded] = 1, NONE
    shown[folded] = np.frombuffer(b"".join(numbers)).reshape(len(folded), shown.shape[1])
    for place in folded:
        joins.payloads[place] = None


def _known(model: Model, book: Book) -> Known | None:
    """Return what is watched of a model, if kernels take its labels."""
    return None if model.known is None or not book.is_noted(model) else model.known


def _is_usual(pending: Pending, known: Known) -> bool:
    """Return whether a prediction was shown to the challenger that there is now, or to none."""
    if pending.inputs is None or pending.challenger is None:
        return pending.inputs is None and pending.challenger is None
    return known.online is not None and len(pending.inputs) == len(known.online.zeros)
