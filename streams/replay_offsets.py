"""Which offsets a range of Kafka's records has, and whether all of them are there."""

from __future__ import annotations

import logging
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from confluent_kafka import TopicPartition

from driftline.schemas.alerts import OffsetRange
from driftline.schemas.errors import TopologyError
from driftline.schemas.fields import format_timestamp
from driftline.schemas.topics import INPUTS
from driftline.streams.replay_files import ReplayError
from driftline.streams.replay_kafka import SECONDS, Reader, asking

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from confluent_kafka import Consumer

    from driftline.client.brokers import Brokers

_logger: Final = logging.getLogger(__name__)

_Place: TypeAlias = tuple[str, int]  # a topic and the number of a partition


class TimeRange(NamedTuple):
    """The records of both topics from the first that Kafka has of `since` or later, to before the first of `until`.

    In epoch milliseconds. None is the oldest record that there is, and the end as it is at the start of the replay.
    """

    since: int | None = None
    until: int | None = None


def offsets_of(
    brokers: Brokers, partitions: Mapping[str, int], asked: TimeRange | Sequence[OffsetRange]
) -> dict[int, list[OffsetRange]]:
    """Return the offsets that are asked for, by partition; ranges that hold none are left out.

    Parameters
    ----------
    brokers
        Where the records are.
    partitions
        How many each topic has.
    asked
        A time, or the offsets of some partitions, each named once.

    Raises
    ------
    UnavailableError
        If no broker answers.
    TopologyError
        If the topics differ in their number of partitions.
    ReplayError
        If there are no such topics or offsets, or not any more.

    """
    topics = INPUTS if isinstance(asked, TimeRange) else sorted({each.topic for each in asked})
    if missing := [topic for topic in topics if topic not in partitions]:
        raise ReplayError(f"Kafka at {brokers.bootstrap} has no topic {', '.join(missing)}")
    if len({partitions[topic] for topic in topics}) > 1:
        differ = " and ".join(f"{partitions[topic]} partitions of {topic}" for topic in topics)
        raise TopologyError(f"there are {differ}, so that a prediction and its label would not meet")
    if isinstance(asked, TimeRange):
        asked = _by_time(brokers, [(topic, n) for topic in topics for n in range(partitions[topic])], asked)
    else:
        _check_offsets(brokers, partitions, asked)
    found: defaultdict[int, list[OffsetRange]] = defaultdict(list)
    for each in asked:
        if each.start < each.end:
            found[each.partition].append(each)
    return dict(found)


def _check_offsets(brokers: Brokers, partitions: Mapping[str, int], asked: Sequence[OffsetRange]) -> None:
    for each in asked:
        if each.partition >= (count := partitions[each.topic]):
            raise ReplayError(f"{each.topic} has {count} partitions, from 0 on, so that none is {each.partition}")
    with asking(brokers) as consumer:
        logs = _logs(consumer, [(each.topic, each.partition) for each in asked])
    for each in asked:
        first, end = logs[each.topic, each.partition]
        where = f"{each.topic}, partition {each.partition}"
        if each.start < first:
            raise ReplayError(
                f"the records of {where} from {each.start} on are not in Kafka any more: the oldest is at {first}"
            )
        if each.end > end:
            raise ReplayError(f"{where} ends at {end}: there are no records up to {each.end}")


def _by_time(brokers: Brokers, places: Sequence[_Place], asked: TimeRange) -> list[OffsetRange]:
    with asking(brokers) as consumer:
        logs = _logs(consumer, places)
        ends = {place: end for place, (_, end) in logs.items()}
        _check_times(brokers, logs, _offsets_at(brokers, consumer, ends, 0))
        untils = ends if asked.until is None else _offsets_at(brokers, consumer, ends, asked.until)
        sinces = None if asked.since is None else _offsets_at(brokers, consumer, ends, asked.since)
        # After all others, so that what is deleted meanwhile is noticed.
        firsts = {place: first for place, (first, _) in _logs(consumer, places).items()}
    if sinces is not None and asked.since is not None:
        for place in places:
            if 0 < firsts[place] >= sinces[place]:
                _tell_loss(brokers, place, firsts[place], ends[place], asked.since)
    starts = firsts if sinces is None else sinces
    return [
        OffsetRange(topic=place[0], partition=place[1], start=min(starts[place], untils[place]), end=untils[place])
        for place in places
    ]


def _check_times(brokers: Brokers, logs: Mapping[_Place, tuple[int, int]], oldest: Mapping[_Place, int]) -> None:
    """Refuse brokers that find nothing since 1970 where there is something: then they would find nothing at all."""
    filled = [place for place, (first, end) in logs.items() if first < end]
    if filled and all(oldest[place] == logs[place][1] for place in filled):
        raise ReplayError(f"Kafka at {brokers.bootstrap} finds no records by their time: name them by their offsets")


def _tell_loss(brokers: Brokers, place: _Place, first: int, end: int, since: int) -> None:
    """Refuse a range of which a part may have been deleted: all before `first` is, and is not known to be older.

    Of a partition that holds nothing it is only told: its models may be gone for long, and others are not to suffer.
    """
    topic, partition = place
    with closing(Reader(brokers, TopicPartition(topic, partition, first))) as reader:
        oldest = next(reader.until(end), None)
    if oldest is None:
        _logger.warning("%s, partition %s, held records and has none any more: it is left out", topic, partition)
        return
    raise ReplayError(
        f"records of {topic}, partition {partition}, since {format_timestamp(since)} may not be in Kafka any more: the "
        f"oldest is of {format_timestamp(oldest.timestamp or 0)}; begin after that, or say only where to end"
    )


def _logs(consumer: Consumer, places: Iterable[_Place]) -> dict[_Place, tuple[int, int]]:
    """Return the first offset of partitions, and the end up to which they can be read."""
    return {place: consumer.get_watermark_offsets(TopicPartition(*place), timeout=SECONDS) for place in places}


def _offsets_at(brokers: Brokers, consumer: Consumer, ends: Mapping[_Place, int], moment: int) -> dict[_Place, int]:
    """Return the offset of the first record of a moment or later in each partition, its end if there is none."""
    found = {}
    for each in consumer.offsets_for_times([TopicPartition(*place, moment) for place in ends], timeout=SECONDS):
        if each.error is not None:
            raise brokers.unavailable(f"{each.topic}, partition {each.partition}, was not searched", each.error)
        end = ends[each.topic, each.partition]
        # A negative one says that there is none; one beyond the end has come since.
        found[each.topic, each.partition] = min(each.offset, end) if each.offset >= 0 else end
    return found
