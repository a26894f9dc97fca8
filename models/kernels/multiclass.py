"""The counters of a model that tells several classes apart, compiled: what `MulticlassPerformance` reports, of pairs of
weight 1.

Of each class three counts are kept: of labels, of predictions, and of where both agree.
"""  # noqa: D205 - the summary needs its second line

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from driftline.models.kernels.borrowed import borrowed
from driftline.models.kernels.compiled import kernel
from driftline.models.kernels.exact_sum import EXACT_SUM, add, log_loss
from driftline.models.kernels.panes import turn

if TYPE_CHECKING:
    from driftline.models.kernels.exact_sum import Words
    from driftline.models.kernels.types import Indices, Integers, Records

MULTICLASS: Final = np.dtype(
    [
        ("pairs", np.int64),  # all of them
        ("rest", np.int64),  # those which are in none of the other counters
        ("outside", np.int64),  # whose prediction is none of the classes
        ("scored", np.int64),
        ("log_loss", EXACT_SUM),
        ("classes", np.int64),
        ("start", np.int64),  # among the counts: by class, of labels, then of predictions, then of both alike
        ("next", np.int32),  # the pane that follows this one in the ring of a window
    ],
    align=True,
)

Outcome: TypeAlias = "tuple[int, int, bool, Words]"
"""A pair, read: the numbers of its label and its prediction, the number of classes where that is none of them; whether
there was a probability of the label, and the words of its log loss.
"""


class Bank(NamedTuple):
    """Everything numeric that is known of any number of such models: of `MULTICLASS`, of `WINDOW`, and counts."""

    records: Records
    windows: Records
    counts: Integers


@kernel
def borrow(bank: Bank) -> Bank:
    """Return the bank as `borrowed` arrays, for the kernel that loops over pairs."""
    return Bank(borrowed(bank.records), borrowed(bank.windows), borrowed(bank.counts))


@kernel
def outcome_of(label: int, predicted: int, probability: float) -> Outcome:
    """Return the outcome of a pair; NaN, or anything outside [0, 1], is no probability of the label."""
    if not 0.0 <= probability <= 1.0:
        return label, predicted, False, (0, 0, 0)
    return label, predicted, True, log_loss(probability)


@kernel
def count(bank: Bank, index: int, outcome: Outcome) -> None:
    """Count one pair of weight 1."""
    label, predicted, is_scored, lost = outcome
    record = bank.records[index]
    record.pairs += 1
    bank.counts[record.start + label] += 1
    if predicted == record.classes:
        record.outside += 1
    else:
        bank.counts[record.start + record.classes + predicted] += 1
        if predicted == label:
            bank.counts[record.start + 2 * record.classes + label] += 1
    if is_scored:
        record.scored += 1
        add(record.log_loss, lost)


@kernel
def merge(bank: Bank, index: int, other_bank: Bank, other_index: int) -> None:
    """Add what a record of this or another bank has counted, over the same classes."""
    record, other = bank.records[index], other_bank.records[other_index]
    record.pairs += other.pairs
    record.rest += other.rest
    record.outside += other.outside
    record.scored += other.scored
    theirs = other.log_loss
    add(record.log_loss, (theirs[0], theirs[1], theirs[2]))
    for place in range(3 * record.classes):
        bank.counts[record.start + place] += other_bank.counts[other.start + place]


@kernel
def reset(bank: Bank, index: int) -> None:
    """Forget all that was counted; the record keeps its classes and its place in a ring."""
    record = bank.records[index]
    record.pairs = record.rest = record.outside = record.scored = 0
    record.log_loss[:] = 0
    bank.counts[record.start : record.start + 3 * record.classes] = 0


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
