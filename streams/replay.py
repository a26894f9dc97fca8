"""``driftline replay``: files of events through the same pipeline as the worker's.

Each file keeps its order; between the two the smaller timestamp goes first, and of equal ones the prediction. A line,
or the row of a table, is a record and its number, from 0, the offset. A batch goes with all of its rows, by the newest
timestamp among them: it could not have been sent before.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from driftline.models.intake import Intake
from driftline.models.pipeline import Pipeline
from driftline.models.record import BatchRecord, FileRecord, Record, Refusal, rows_of
from driftline.schemas import topics
from driftline.schemas.events import Label, Prediction
from driftline.streams.replay_columns import TableColumns, fields_of
from driftline.streams.replay_files import ReplayError, Results, event_lines
from driftline.streams.replay_formats import is_table
from driftline.streams.replay_refusals import Refusals
from driftline.streams.replay_tables import Side, table_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from driftline.models.outcome import Outcome
    from driftline.schemas.config import Configuration

__all__ = [
    "BATCH",
    "EventFiles",
    "ReplayError",
    "Totals",
    "event_time",
    "merged",
    "outcomes",
    "outcomes_of",
    "records_of",
    "replay",
]

BATCH: Final = 1000

R = TypeVar("R")


class Records:
    """Records in the order of replay, and where the topics that are known to be at their end have it: next offsets."""

    def __init__(
        self,
        predictions: Iterable[tuple[int, bytes]],
        labels: Iterable[tuple[int, bytes]],
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._note = note
        self.ends: dict[str, int] = {}
        sides = self._read(predictions, topics.PREDICTIONS), self._read(labels, topics.LABELS)
        self._records = rows_of(merged(*sides, event_time))

    def __iter__(self) -> Iterator[Record]:
        """Give the records, once."""
        return self._records

    def checked(self) -> Iterator[Record]:
        """Give the records, once, and at their end tell of those that cannot be used, as `Refusals.tell` does."""
        refusals = Refusals()
        for record in self._records:
            refusals.read((record.raw.topic,))
            if isinstance(record.event, Refusal):
                refusals.refuse((record.dead_letter(record.event),))
            yield record
        refusals.tell(self._note)

    def _read(self, lines: Iterable[tuple[int, bytes]], topic: str) -> Iterator[Record | BatchRecord]:
        intake, end = Intake({topics.PREDICTIONS: Prediction, topics.LABELS: Label}, partitions=None), 0
        for number, line in lines:
            end = number + 1
            yield intake.read_any(FileRecord(topic, number, line))
        self.ends[topic] = end


@dataclass(slots=True)
class Totals:
    """What a replay has done so far."""

    records: int = 0
    alerts: int = 0
    retrain_requests: int = 0
    dead_letters: int = 0
    refusals: Refusals = field(default_factory=Refusals, compare=False, repr=False)

    def add(self, outcome: Outcome) -> None:
        """Count what some records led to."""
        self.alerts += len(outcome.alerts)
        self.retrain_requests += len(outcome.retrain_requests)
        self.dead_letters += len(outcome.dead_letters)


class EventFiles(NamedTuple):
    """The files of a replay, where events stand in those that are tables, and who is told what is odd in them."""

    predictions: Path
    labels: Path
    columns: TableColumns = TableColumns()
    note: Callable[[str], None] = lambda _: None


def replay(
    configuration: Configuration,
    files: EventFiles,
    out: Path,
    *,
    batch: int = BATCH,
    progress: Callable[[Totals], None] = lambda _: None,
) -> Totals:
    """Read both files to their end and write what they led to.

    Blank lines are skipped, though they have their number. Nothing is written before both files could be opened.

    Parameters
    ----------
    configuration
        How models are watched.
    files
        Of one JSON event or batch a line, gzipped if the name ends in ``.gz``; or tables, if it ends in ``.csv``,
        ``.tsv`` (``.gz`` too) or ``.parquet``, of one event a row.
    out
        A folder, made if need be, for ``alerts.jsonl``, ``retrain.jsonl``, ``dead_letters.jsonl`` and, once all is
        read, ``state.json``. They replace those of an earlier replay.
    batch
        Records, or rows of batches, that are processed at once; it changes nothing but speed.
    progress
        Called after every batch.

    Raises
    ------
    ReplayError
        If a file cannot be read or written.

    """
    pipeline = Pipeline(configuration, partition=0)
    totals = Totals()
    with records_of(files) as records, Results(out) as results:
        for count, outcome in outcomes_of(pipeline, iter(records), records.ends, batch, totals.refusals):
            totals.records = count
            results.add(outcome)
            totals.add(outcome)
            progress(totals)
        results.finish(pipeline.documents())
    return totals


def outcomes(pipeline: Pipeline, files: EventFiles, batch: int) -> Iterator[tuple[int, Outcome]]:
    """Yield what each batch of the records of files leads to, and how many records there have been.

    At their end it is told of those that could not be used, as `Refusals.tell` does.
    """
    refusals = Refusals()
    with records_of(files) as records:
        yield from outcomes_of(pipeline, iter(records), records.ends, batch, refusals)
    refusals.tell(files.note)


@contextmanager
def records_of(files: EventFiles) -> Iterator[Records]:
    """Open both files and give their records in the order of replay."""
    predicted = Side(files.predictions, "prediction", files.columns.predictions, _besides(files), files.note)
    labelled = Side(files.labels, "label", files.columns.labels)
    with _open(predicted) as predictions, _open(labelled) as labels:
        yield Records(predictions, labels, files.note)


def _besides(files: EventFiles) -> frozenset[str]:
    """Return the columns of labels, where one table has both: they are known only later, and no features."""
    if files.predictions.resolve() != files.labels.resolve():
        return frozenset()
    return frozenset(map(files.columns.labels.column_of, fields_of("label")))


def outcomes_of(
    pipeline: Pipeline,
    records: Iterator[Record],
    ends: Mapping[str, int],
    batch: int,
    refusals: Refusals | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """Yield what each batch of records leads to, and how many records there have been.

    `ends` are as of `Records`; in `refusals` the records are counted.
    """
    count = 0
    while chunk := list(islice(records, batch)):
        for topic, end in ends.items():
            pipeline.ends_at(topic, end)
        outcome = pipeline.process(chunk, found={})
        pipeline.discard_changes()
        if refusals is not None:
            refusals.read(record.raw.topic for record in chunk)
            refusals.refuse(outcome.dead_letters)
        count += sum(record.is_last for record in chunk)
        yield count, outcome


def _open(side: Side) -> AbstractContextManager[Iterator[tuple[int, bytes]]]:
    return table_lines(side) if is_table(side.path) else event_lines(side.path)


def merged(predictions: Iterator[R], labels: Iterator[R], time: Callable[[R], int]) -> Iterator[R]:
    """Yield the records of both in the order of replay: of both heads the one of the smaller time goes first.

    `heapq.merge` would do for sorted inputs; these are read as they are, however disordered.
    """
    prediction, label = next(predictions, None), next(labels, None)
    while prediction is not None and label is not None:
        if time(prediction) <= time(label):
            yield prediction
            prediction = next(predictions, None)
        else:
            yield label
            label = next(labels, None)
    for record, rest in ((prediction, predictions), (label, labels)):
        if record is not None:
            yield record
            yield from rest


def event_time(record: Record | BatchRecord) -> int:
    """Return when a record of a file goes, in epoch milliseconds; a bad one, which has no timestamp, goes at once."""
    if isinstance(record, BatchRecord):
        return int(record.batch.timestamp.max(initial=-1))
    return -1 if isinstance(record.event, Refusal) else record.event.timestamp
