"""The counters of a binary model, compiled: what `BinaryPerformance` reports, of pairs of weight 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from driftline.models.kernels.borrowed import borrowed
from driftline.models.kernels.chunks import Chunks
from driftline.models.kernels.compiled import inlined, kernel
from driftline.models.kernels.exact_sum import EXACT_SUM, Words, add, log_loss, split
from driftline.models.kernels.logit_bins import BINS, clear, logit_bin, widen
from driftline.models.kernels.logit_bins import load as load_rows
from driftline.models.kernels.logit_bins import merge as merge_bins
from driftline.models.kernels.logit_bins import update as update_bins
from driftline.models.kernels.panes import turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINARY: Final = np.dtype(
    [
        ("pairs", np.int64),  # all of them
        ("rest", np.int64),  # those of another weight than 1, which are in none of the other counters
        ("cells", np.int64, (6,)),  # 3 * (is the label positive) + (0 predicted negative, 1 positive, 2 neither)
        ("scored", np.int64),
        ("log_loss", EXACT_SUM),
        ("squared_error", EXACT_SUM),
        ("bins", BINS),
        ("next", np.int32),  # the pane that follows this one in the ring of a window
    ],
    align=True,
)

Outcome: TypeAlias = tuple[int, int, Words, Words]
"""A pair, read: its cell, the finest bin of its score (-1 if it has none), and the words of log loss and squared error.
Of the arguments of a kernel this is the one that any number of counters take without reading the pair again."""


class Bank(NamedTuple):
    """Everything numeric that is known of any number of binary models.

    Attributes
    ----------
    records
        Of `BINARY`: counters in all, of a part, of a pane.
    windows
        Of `WINDOW`.
    chunks
        The bins of all records.

    """

    records: NDArray[np.void]
    windows: NDArray[np.void]
    chunks: Chunks


@kernel
def borrow(bank: Bank) -> Bank:
    """Return the bank as `borrowed` arrays, for the kernel that loops over pairs."""
    allotment, words, longs, shorts, octets = bank.chunks
    return Bank(
        borrowed(bank.records),
        borrowed(bank.windows),
        Chunks(borrowed(allotment), borrowed(words), borrowed(longs), borrowed(shorts), borrowed(octets)),
    )


@kernel
def outcome_of(positive: int, predicted: int, score: float) -> Outcome:
    """Return the outcome of a pair.

    Parameters
    ----------
    positive
        1 if the label is the positive class, else 0.
    predicted
        1 or 0 as well; -1 for a prediction that is neither class.
    score
        P(positive). NaN, or anything outside [0, 1], is no score.

    """
    cell = 3 * positive + (predicted if predicted >= 0 else 2)
    if not 0.0 <= score <= 1.0:
        return cell, -1, (0, 0, 0), (0, 0, 0)
    of_label = score if positive else 1.0 - score
    of_rest = score - positive
    return cell, logit_bin(score), log_loss(of_label), split(of_rest * of_rest)


@inlined
def count(bank: Bank, index: int, outcome: Outcome) -> None:
    """Count one pair of weight 1."""
    cell, finest, lost, squared_error = outcome
    record = bank.records[index]
    record.pairs += 1
    record.cells[cell] += 1
    if finest >= 0:
        record.scored += 1
        add(record.log_loss, lost)
        add(record.squared_error, squared_error)
        update_bins(record.bins, bank.chunks, finest, cell >= 3)  # noqa: PLR2004 - see the cells


@kernel
def merge(bank: Bank, index: int, other_bank: Bank, other_index: int) -> None:
    """Add what a record of this or another bank has counted."""
    record, other = bank.records[index], other_bank.records[other_index]
    record.pairs += other.pairs
    record.rest += other.rest
    record.scored += other.scored
    for cell in range(6):
        record.cells[cell] += other.cells[cell]
    theirs = other.log_loss
    add(record.log_loss, (theirs[0], theirs[1], theirs[2]))
    theirs = other.squared_error
    add(record.squared_error, (theirs[0], theirs[1], theirs[2]))
    merge_bins(record.bins, bank.chunks, other.bins, other_bank.chunks)


@kernel
def reset(bank: Bank, index: int) -> None:
    """Forget all that was counted; the record keeps its bound on bins and its place in a ring."""
    record = bank.records[index]
    record.pairs = record.rest = record.scored = 0
    record.cells[:] = 0
    record.log_loss[:] = 0
    record.squared_error[:] = 0
    clear(record.bins, bank.chunks)


@kernel
def load_bins(bank: Bank, index: int, shift: int, rows: NDArray[np.int64]) -> None:
    """Give bins ``2**shift`` times the finest, and these contents, to a record that has none."""
    load_rows(bank.records[index].bins, bank.chunks, shift, rows)


@kernel
def widen_bins(bank: Bank, index: int, shift: int) -> None:
    """Make the bins of a record at least ``2**shift`` times the finest."""
    widen(bank.records[index].bins, bank.chunks, shift)


@inlined
def pane(bank: Bank, window: int) -> int:
    """Return the record of the pane that the next pair belongs to: if this one is full, the oldest, begun anew."""
    place, is_full = turn(bank.records, bank.windows, window)
    if is_full:
        reset(bank, place)
    return place


@inlined
def score_pair(bank: Bank, total: int, window: int, parts: NDArray[np.int32], outcome: Outcome) -> None:
    """Count one pair of weight 1 wherever it belongs.

    Parameters
    ----------
    total
        The record of all pairs.
    window
        The window of the last pairs.
    parts
        The records of its version and of its values of segments; -1 for a value that it has not.

    Examples
    --------
    What calls it for many pairs goes by borrowed arrays, and leaves out pairs of another weight::

        @kernel
        def score(bank: Bank, ...) -> None:
            bank = borrow(bank)
            for n in range(pairs):
                score_pair(bank, total[n], window[n], parts[n], outcome_of(positive[n], predicted[n], score[n]))

    """
    count(bank, total, outcome)
    count(bank, pane(bank, window), outcome)
    for part in parts:
        if part >= 0:
            count(bank, part, outcome)
