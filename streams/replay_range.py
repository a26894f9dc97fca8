"""``driftline replay`` of a range of what Kafka has: each partition through a pipeline of its own, as in the worker.

The two topics of a partition are merged by the time that Kafka has of their records, as a worker merges what waits for
it. What a worker did depends on more: that is what `driftline.streams.replay_journal` follows.
"""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import TopicPartition

from driftline.client.brokers import Brokers
from driftline.models.intake import Intake
from driftline.models.pipeline import Pipeline
from driftline.models.record import rows_of
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import INPUTS, LABELS, PREDICTIONS
from driftline.streams.replay import BATCH, Totals, merged, outcomes_of
from driftline.streams.replay_files import Results
from driftline.streams.replay_kafka import Reader, partitions_of
from driftline.streams.replay_offsets import offsets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from driftline.models.record import FileRecord, Record
    from driftline.schemas.alerts import OffsetRange
    from driftline.schemas.config import Configuration
    from driftline.schemas.state import ModelState
    from driftline.streams.replay_offsets import TimeRange


class KafkaRange(NamedTuple):
    """The records of a replay: where they are, and a time, or the offsets of some partitions, each named once."""

    bootstrap: str
    asked: TimeRange | Sequence[OffsetRange]


def replay_range(
    configuration: Configuration,
    wanted: KafkaRange,
    out: Path,
    *,
    batch: int = BATCH,
    progress: Callable[[Totals], None] = lambda _: None,
) -> Totals:
    """Read a range of the input topics and write what it led to. It begins without any state.

    Parameters
    ----------
    configuration
        How models are watched.
    wanted
        Of both input topics by time, of one or both by offsets.
    out
        A folder, as of `driftline.streams.replay.replay`. Alerts and requests come partition by partition. It is not
        touched before all of the range was found to be there.
    batch
        Records, or rows of batches, that are processed at once; it changes nothing but speed.
    progress
        Called after every batch.

    Raises
    ------
    UnavailableError
        If no broker answers.
    TopologyError
        If the topics differ in their number of partitions.
    ReplayError
        If a part of the range is not in Kafka, or not any more, or if a file cannot be written.

    """
    brokers = Brokers(wanted.bootstrap)
    totals = Totals()
    documents: dict[str, ModelState] = {}
    partitions = partitions_of(brokers)
    found = offsets_of(brokers, partitions, wanted.asked)
    with Results(out) as results:
        for partition, ranges in sorted(found.items()):
            pipeline = Pipeline(configuration, partition)
            before = totals.records
            # Where a range ends nothing is missing, nor of a topic that is not in it.
            ends = dict.fromkeys(INPUTS, 0) | {each.topic: each.end for each in ranges}
            with _records_of(brokers, ranges, partitions[ranges[0].topic]) as records:
                for count, outcome in outcomes_of(pipeline, records, ends, batch, totals.refusals):
                    results.add(outcome)
                    totals.records = before + count
                    totals.add(outcome)
                    progress(totals)
            documents |= pipeline.documents()
        results.finish(documents)
    return totals


@contextmanager
def _records_of(brokers: Brokers, ranges: Iterable[OffsetRange], partitions: int) -> Iterator[Iterator[Record]]:
    """Give the records of the ranges of one partition, in the order of a worker that finds them waiting."""
    intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=partitions)
    sides: dict[str, Iterator[FileRecord]] = {topic: iter(()) for topic in INPUTS}
    with ExitStack() as stack:
        for each in ranges:
            start = TopicPartition(each.topic, each.partition, each.start)
            sides[each.topic] = stack.enter_context(closing(Reader(brokers, start))).until(each.end)
        yield rows_of(map(intake.read_any, merged(sides[PREDICTIONS], sides[LABELS], _broker_time)))


def _broker_time(record: FileRecord) -> int:
    return -1 if record.timestamp is None else record.timestamp
