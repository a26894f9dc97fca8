"""The rows of a batch: what its records come to, in columns, until kernels have run them all at once.

A record of a model becomes a row, or a few. They wait until the batch is at its end, or until something is to be done
that kernels do not do, such as to end a reference: then they are run first. So all is done in the order of the records,
however they were cut into batches. Where kernels find something, they stop after that row, and its model decides.
"""

from __future__ import annotations

from array import array
from math import nan
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from driftline.models.kernels import rows as kernels
from driftline.models.kernels.fast import OTHER, PAIR, PREDICTION, REPEATED
from driftline.models.kernels.version import MOST_FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from driftline.models.arena import Arena
    from driftline.models.drift.finding import Finding
    from driftline.models.join.entry import Pending
    from driftline.models.join.label_join import Joined
    from driftline.models.kernels.fast import Made
    from driftline.models.record import Record
    from driftline.models.watch.truth_watch import Scored
    from driftline.models.watch.version_watch import VersionWatch
    from driftline.models.wire import WirePrediction
    from driftline.schemas.alerts import Alert, RetrainRequest
    from driftline.schemas.events import Prediction

    Decided = tuple[list[Alert], RetrainRequest | None]
    Decision = tuple["Decider", Record, int, Pending | None]
    """Who decides what comes of a record, the record, the watermark, and the prediction of its pair, if it made one."""

    Learner = tuple[int, Callable[[float], None] | None]
    """How many bytes the inputs of a challenger have, and what takes its prediction where no kernel counts that."""

NONE: Final = kernels.NONE
NOT_SCORED: Final = nan, None, nan, nan
"""What detectors see of a pair whose label is none that its model knows."""

_pack: Final = Struct("16q6d").pack
_CARRIED: Final = 2  # a bit of a model's `needs`: findings wait for the last row of their record
_MOST_ATTENTION: Final = 2 * MOST_FEATURES + 3


class Decider(Protocol):
    """Whoever decides what comes of a record: its model."""

    def decide(self, findings: list[Finding], record: Record, watermark: int, pending: Pending | None) -> Decided:
        """Return the alerts and the request that a record leads to; `pending` is of the pair, if it made one."""


class Rows:
    """The rows of a partition that wait, and what they are made of.

    Parameters
    ----------
    arena
        The numbers of the models that they are of.

    """

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self.leave()
        self._attention = np.zeros((_MOST_ATTENTION, 3), np.int64)
        self._carried: list[Finding] = []
        self._decided: list[Decided] = []
        self._pair: Pending | None = None
        self.begin(0, 0)
        self._clear()

    def _clear(self) -> None:
        self._rows = bytearray()
        self._decides = bytearray()
        self._values = bytearray()
        self._problems = bytearray()
        self._inputs = bytearray()
        self._parts = array("i")
        self._deciders: list[Decision | int | None] = []
        self._challenged: dict[int, tuple[Pending, int, int, int]] = {}
        self._judged: list[tuple[Callable[[float], None], int]] = []

    def enter(self, resolve: Callable[[int], Decision], keep: Callable[[kernels.Rows], None]) -> None:
        """Say who decides on a record that `extend` names, and who is given rows when they have run."""
        self._resolve, self._keep = resolve, keep

    def leave(self) -> None:
        """Forget both."""
        self._resolve, self._keep = _nobody, _drop

    # -- one record after the other -----------------------------------------------------------------------------------

    def begin(self, topic: int, offset: int) -> None:
        """Begin with a record: of predictions, 0, or labels, 1."""
        self._topic = topic
        self._offset = offset
        self._counts = 1
        self._pair = None

    def end(self, decider: Decider, record: Record, watermark: int) -> None:
        """End the record that was begun: it is decided once its last row has run."""
        if self._deciders and not self._counts:
            self._decides[-1] = 1
            self._deciders[-1] = decider, record, watermark, self._pair
        else:
            findings, self._carried = self._carried, []
            self._decided.append(decider.decide(findings, record, watermark, self._pair))

    def carry(self, finding: Finding) -> None:
        """Take what was found in the record at hand otherwise than by a row; no row may wait."""
        self._carried.append(finding)

    def add_other(self, model: int) -> None:
        """Add the row of a record that only counts."""
        self._rows += _pack(
            *(OTHER, model, NONE, self._counts, self._topic, self._offset),
            *(0, 0, 0, 0, NONE, NONE, NONE, NONE, 0, 0, nan, nan, nan, nan, nan, nan),
        )
        self._added()

    def add_repeated(self, model: int, at: int, label_offset: int) -> None:
        """Add the row of a prediction whose id was there before; the newest label before it stood at that offset."""
        self._rows += _pack(
            *(REPEATED, model, NONE, self._counts, self._topic, self._offset),
            *(at, self._offset, label_offset, 0, NONE, NONE, NONE, NONE, 0, 0, nan, nan, nan, nan, nan, nan),
        )
        self._added()

    def add_prediction(  # noqa: PLR0913, PLR0917 - what a row is made of
        self,
        model: int,
        watch: VersionWatch | None,
        prediction: Prediction | WirePrediction,
        score: float | None,
        answer: int | None,
        latency: float | None,
        offset: int,
        label_offset: int,
        challenged: tuple[Pending, bytes] | None,
    ) -> None:
        """Add the row of a prediction.

        `watch` is of its version, if that is watched, and `answer` the number of the class that it predicts. If the
        challenger is to predict as well, `challenged` says what gets that, and has as many zeros as it has inputs.
        """
        inputs = NONE
        if challenged is not None:
            pending, zeros = challenged
            inputs = len(self._inputs)
            self._inputs += zeros
            self._challenged[id(pending)] = pending, len(self._deciders), inputs, inputs + len(zeros)
            inputs >>= 3
        self._rows += _pack(
            PREDICTION,
            model,
            NONE if watch is None else watch.index,
            self._counts,
            self._topic,
            self._offset,
            prediction.timestamp,
            offset,
            label_offset,
            len(self._problems),
            inputs,
            NONE,
            NONE,
            NONE if answer is None else answer,
            0,
            0,
            nan if score is None else score,
            nan if latency is None else latency,
            nan,
            nan,
            nan,
            nan,
        )
        if watch is not None:
            watch.read(prediction.features, self._values, self._problems)
        self._added()

    def add_pair(  # noqa: PLR0913, PLR0917 - what a row is made of
        self,
        model: int,
        watch: VersionWatch | None,
        joined: Joined,
        scored: Scored,
        delay: float | None,
        cell: int,
        parts: Sequence[int],
        learner: Learner | None,
    ) -> None:
        """Add the row of a pair.

        `parts` are the records that it is counted in, if a kernel counts it by its cell; `learner` is there if the
        challenger is to learn from it, should it have been shown the prediction.
        """
        pending, truth = joined
        inputs = source = NONE
        if learner is not None:
            inputs, source = self._inputs_of(pending, learner)
        start = len(self._parts)
        self._parts.extend(parts)
        loss, score, outcome, probability = scored
        predicted = pending.challenger
        self._rows += _pack(
            PAIR,
            model,
            NONE if watch is None else watch.index,
            self._counts,
            self._topic,
            self._offset,
            pending.at,
            pending.offset,
            truth.offset,
            0,
            inputs,
            source,
            NONE,
            cell,
            start,
            start + len(parts),
            nan if score is None else score,
            nan if delay is None else delay,
            loss,
            outcome,
            probability,
            nan if predicted is None else predicted,
        )
        self._added()
        self._pair = pending

    def _inputs_of(self, pending: Pending, learner: Learner) -> tuple[int, int]:
        """Return where the challenger's inputs of a pair begin, and the row of its prediction if that waits too."""
        size, judge = learner
        if pending.inputs is not None:
            if len(pending.inputs) != size:
                raise ValueError(f"{len(pending.inputs)} bytes of scaled inputs for a challenger of {size}")
            inputs, source = len(self._inputs) >> 3, NONE
            self._inputs += pending.inputs
        elif (challenged := self._challenged.get(id(pending))) is not None:
            _, source, first, _ = challenged
            inputs = first >> 3
        else:
            return NONE, NONE
        if judge is not None:
            self._judged.append((judge, len(self._deciders)))
        return inputs, source

    def extend(self, made: Made) -> None:
        """Add rows that a kernel has made, each of them the only one of its record."""
        rows, values, inputs, parts = made.counts.tolist()
        self._rows += made.rows[:rows].tobytes()
        self._values += made.values[:values].tobytes()
        self._problems += made.problems[:values].tobytes()
        self._inputs += made.inputs[:inputs].tobytes()
        self._parts.frombytes(made.parts[:parts].tobytes())
        self._decides += b"\1" * rows
        self._deciders += made.records[:rows].tolist()
        self._counts = 0

    @property
    def bases(self) -> npt.NDArray[np.int64]:
        """How many rows, values, inputs and parts wait."""
        return np.array([len(self._deciders), len(self._problems), len(self._inputs) >> 3, len(self._parts)], np.int64)

    def _added(self) -> None:
        self._decides.append(0)
        self._deciders.append(None)
        self._counts = 0

    # -- all that wait ------------------------------------------------------------------------------------------------

    def run(self) -> list[Decided]:
        """Run all rows; return what was decided since this was called last."""
        self.run_first()
        decided, self._decided = self._decided, []
        return decided

    def run_first(self) -> None:
        """Run the rows that wait, before something is done that no row says."""
        if not self._deciders:
            return
        columns = kernels.Rows(
            np.frombuffer(self._rows, kernels.ROW),
            np.frombuffer(self._decides, np.uint8),
            _view(self._values, np.float64),
            _view(self._problems, np.uint8),
            _view(self._inputs, np.float64),
            _view(self._parts, np.int32),
            np.empty(len(self._deciders)),
        )
        deciders, challenged, judged = self._deciders, self._challenged, self._judged
        self._clear()
        banks, start, end = self._arena.banks, 0, len(deciders)
        while start < end:
            start, noted = kernels.run(banks, columns, start, self._attention)
            self._attend(columns.rows[start - 1], deciders[start - 1], noted)
        self._keep(columns)
        predicted, inputs = columns.predicted.tolist(), columns.inputs.tobytes()
        for pending, row, first, last in challenged.values():
            pending.inputs = inputs[first:last]
            pending.challenger = predicted[row]
        for judge, row in judged:
            judge(predicted[row])

    def _attend(self, row: Any, decider: Decision | int | None, noted: int) -> None:  # noqa: ANN401 - an array of integers
        """Look at what the last row that ran has led to."""
        findings, self._carried = self._carried, []
        if noted:
            at, offset, label_offset = (int(row[name]) for name in ("at", "prediction_offset", "label_offset"))
            for bank, index, seen in self._attention[:noted].tolist():
                found = self._arena.streams.owner(bank, index).attend(seen, at, offset, label_offset)
                if found is not None:
                    findings.append(found)
        if decider is not None:
            model, record, watermark, pending = self._resolve(decider) if isinstance(decider, int) else decider
            self._decided.append(model.decide(findings, record, watermark, pending))
        elif findings:
            self._carried = findings
            self._arena.models.rows[row["model"]]["needs"] |= _CARRIED


def _nobody(record: int) -> Decision:
    raise LookupError(f"nobody has said who decides on record {record}")


def _drop(_columns: kernels.Rows) -> None:
    pass


def _view(buffer: bytearray | array[int], dtype: type[np.generic]) -> Any:  # noqa: ANN401 - an array of that type
    return np.frombuffer(buffer, dtype) if buffer else np.empty(0, dtype)
