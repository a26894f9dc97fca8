"""The counters of a model that predicts a number, compiled: what `RegressionPerformance` reports, of pairs of weight 1.

All sums are exact (`wide_sum`). What a prediction is above the label and what it is below it are summed apart: both
sums only grow, so that one which is about nothing does not carry through all of its words each time that its sign
changes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from driftline.models.kernels.borrowed import borrowed
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.panes import turn
from driftline.models.kernels.wide_sum import ADDED, WIDE_SQUARES, WIDE_SUM, add, split
from driftline.models.kernels.wide_sum import merge as merge_sums
from driftline.models.kernels.words import product

if TYPE_CHECKING:
    from driftline.models.kernels.types import Indices, Records, Word

REGRESSION: Final = np.dtype(
    [
        ("pairs", np.int64),  # all of them
        ("rest", np.int64),  # those which are in none of the sums
        ("above", WIDE_SUM),  # prediction - label where that is positive
        ("below", WIDE_SUM),  # label - prediction where that is
        ("label", WIDE_SUM),
        ("squared_error", WIDE_SQUARES),
        ("squared_label", WIDE_SQUARES),
        ("next", np.int32),  # the pane that follows this one in the ring of a window
    ],
    align=True,
)

Outcome: TypeAlias = "tuple[bool, Number, Number, Product, Product, Product]"
"""A pair, read: whether the prediction is above the label; prediction and label; their squares, and their product."""

if TYPE_CHECKING:
    Number = tuple[bool, Word, int]
    Product = tuple[Word, Word]


class Bank(NamedTuple):
    """Everything numeric that is known of any number of regression models: of `REGRESSION`, and of `WINDOW`."""

    records: Records
    windows: Records


@kernel
def borrow(bank: Bank) -> Bank:
    """Return the bank as `borrowed` arrays, for the kernel that loops over pairs."""
    return Bank(borrowed(bank.records), borrowed(bank.windows))


@kernel
def outcome_of(label: float, prediction: float) -> Outcome:
    """Return the outcome of a pair of finite numbers."""
    of_prediction, of_label = split(prediction), split(label)
    word, other = of_prediction[1], of_label[1]
    squared, mixed, squared_label = product(word, word), product(word, other), product(other, other)
    return prediction >= label, of_prediction, of_label, squared, mixed, squared_label


@kernel
def count(bank: Bank, index: int, outcome: Outcome) -> None:
    """Count one pair of weight 1."""
    is_above, prediction, label, squared, mixed, squared_label = outcome
    record = bank.records[index]
    record.pairs += 1
    zero = np.uint64(0)
    error = record.above if is_above else record.below
    add(error, prediction[0] == is_above, zero, prediction[1], prediction[2])
    add(error, label[0] != is_above, zero, label[1], label[2])
    add(record.label, label[0], zero, label[1], label[2])
    add(record.squared_label, ADDED, squared_label[0], squared_label[1], 2 * label[2])
    add(record.squared_error, ADDED, squared[0], squared[1], 2 * prediction[2])
    add(record.squared_error, ADDED, squared_label[0], squared_label[1], 2 * label[2])
    # Twice the product, as (a - b)**2 has it. On the way a sum may be too large for a moment, and none is too small.
    add(record.squared_error, prediction[0] == label[0], mixed[0], mixed[1], prediction[2] + label[2] + 1)


@kernel
def count_at(bank: Bank, index: int, label: float, prediction: float) -> None:
    """Count one pair of weight 1: for Python, to which a word is another integer."""
    count(bank, index, outcome_of(label, prediction))


@kernel
def merge(bank: Bank, index: int, other_bank: Bank, other_index: int) -> None:
    """Add what a record of this or another bank has counted."""
    record, other = bank.records[index], other_bank.records[other_index]
    record.pairs += other.pairs
    record.rest += other.rest
    merge_sums(record.above, other.above)
    merge_sums(record.below, other.below)
    merge_sums(record.label, other.label)
    merge_sums(record.squared_error, other.squared_error)
    merge_sums(record.squared_label, other.squared_label)


@kernel
def reset(bank: Bank, index: int) -> None:
    """Forget all that was counted; the record keeps its place in a ring."""
    record = bank.records[index]
    record.pairs = record.rest = 0
    record.above[:] = 0
    record.below[:] = 0
    record.label[:] = 0
    record.squared_error[:] = 0
    record.squared_label[:] = 0


@kernel
def pane(bank: Bank, window: int) -> int:
    """Return the record of the pane that the next pair belongs to: if this one is full, the oldest, begun anew."""
    place, is_full = turn(bank.records, bank.windows, window)
    if is_full:
        reset(bank, place)
    return place


@kernel
def score_pair(bank: Bank, total: int, window: int, parts: Indices, outcome: Outcome) -> None:
    """Count one pair of weight 1 wherever it belongs: as `driftline.models.kernels.binary.score_pair` does."""
    count(bank, total, outcome)
    count(bank, pane(bank, window), outcome)
    for part in parts:
        if part >= 0:
            count(bank, part, outcome)
