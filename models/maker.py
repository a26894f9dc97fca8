"""The rows of a batch: what a kernel makes of all it can, and Python of the rest, in the order of the records."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.models.kernels.fast import Made, compose, keep_inputs
from driftline.models.kernels.ids import NONE
from driftline.models.kernels.join_table import LABEL, PAIRED, SKIPPED
from driftline.models.kernels.rows import ROW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.models.arena import Arena
    from driftline.models.fast.book import Book
    from driftline.models.join.joins import Joins
    from driftline.models.kernels.rows import Rows as Columns
    from driftline.models.model import Model
    from driftline.models.reading import Reading
    from driftline.models.rows import Decided, Decision, Rows

_MOST_LOOKS: Final = 64.0
_RECORDS_A_LOOK: Final = 500
_CHEAP_LOOK: Final = 0.05
_MOST_PATIENCE: Final = 64


class Maker:
    """Makes and runs the rows of records that have passed the join.

    Parameters
    ----------
    models
        By the number that the join has of them.
    book, joins, arena, rows
        Of the partition.

    """

    def __init__(self, models: Sequence[Model], book: Book, joins: Joins, arena: Arena, rows: Rows) -> None:
        self._models = models
        self._book = book
        self._joins = joins
        self._arena = arena
        self._rows = rows
        self._looks = _MOST_LOOKS  # that may be taken at records from which nothing is learned

    def run(self, batch: Reading) -> tuple[list[Decided], int]:
        """Make the rows of records and run them all; return what was decided, and how many no kernel could make."""
        self._rows.enter(partial(self._decision, batch), self._keep)
        one_by_one = self._make(batch)
        decided = self._rows.run()
        self._rows.leave()  # or it would hold the batch, and this
        self._looks = min(self._looks + len(batch) / _RECORDS_A_LOOK, _MOST_LOOKS)
        return decided, one_by_one

    def _make(self, batch: Reading) -> int:
        """Make the rows of records, by a kernel as far as it can, and else one by one; return how many were so."""
        is_fast = (batch.columns["template"] != NONE).tolist()
        done = self._compose(batch, 0) if is_fast[0] else 0
        one_by_one = 0
        if done == len(batch):  # as nearly always
            return one_by_one
        rows = batch.rows
        columns = zip(
            *(rows[name].tolist() for name in ("join", "what", "result", "payload", "watermark")), strict=True
        )
        # What the kernel has refused of predictions, or of labels, is likely to be refused again: the next come later.
        first = int(is_fast[0] and not done)  # which has just been refused
        patience, until, place = [1] * 4, [first] * 4, done
        for at, (join, what, result, payload, watermark) in enumerate(columns):
            if at < place or what == SKIPPED:
                continue
            if is_fast[at] and at >= until[what]:
                place = self._compose(batch, at)
                if place > at:
                    patience[what] = 1
                    continue
                until[what] = at + patience[what]
                patience[what] = min(2 * patience[what], _MOST_PATIENCE)
            one_by_one += 1
            record, model = batch[at], self._models[join]
            model.take(record, result, payload, watermark, self._rows, self._joins)
            # A label that was read is left to Python because of its prediction: there is nothing to learn from it.
            is_told = is_fast[at] and what == LABEL and not self._book.is_stale(model)
            if self._looks >= 1 and not is_told and self._book.may_learn(record.event, model.known):
                # What has been learned since the batch was read may be all that there was to learn.
                price = 1.0 if self._book.size == batch.book_size else _CHEAP_LOOK
                self._looks -= 0.0 if self._book.learn(record, model) else price
            if result == PAIRED and what == LABEL and (known := model.known) is not None:
                self._book.meanings.claim(self._joins.combination(payload, known.number), known)
        return one_by_one

    def _compose(self, batch: Reading, start: int) -> int:
        waiting = len(batch) - start
        most_inputs = self._joins.table.arrays.inputs.shape[1]
        made = Made(
            np.empty(waiting, ROW),
            np.empty(waiting * self._book.most_features + 1),
            np.empty(waiting * self._book.most_features + 1, np.uint8),
            np.empty(waiting * most_inputs + 1),
            np.empty(waiting * self._book.meanings.most_parts + 1, np.int32),
            np.empty(waiting, np.int32),
            np.zeros(4, np.int64),
        )
        place = compose(
            self._book.known,
            self._arena.banks,
            self._joins.table.arrays,
            batch.rows,
            batch.columns,
            batch.features,
            made,
            start,
            self._rows.bases,
        )
        self._rows.extend(made)
        return int(place)

    def _decision(self, batch: Reading, place: int) -> Decision:
        """Return who decides on a record that a kernel has made the row of, and what with."""
        row = batch.rows[place]
        pending = self._joins.pending(int(row["payload"])) if row["result"] == PAIRED else None
        return self._models[row["join"]], batch[place], int(row["watermark"]), pending

    def _keep(self, columns: Columns) -> None:
        keep_inputs(self._joins.table.arrays, columns.rows, columns.inputs, columns.predicted)
