"""``driftline replay --journal``: a worker's run over the records in Kafka, once more, as its journal tells it.

The same records in the same order, the same checkpoints and restarts: so it comes to the same alerts, byte for byte.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from contextlib import closing
from operator import itemgetter
from time import thread_time
from typing import TYPE_CHECKING, Final

from confluent_kafka import TopicPartition
from pydantic import ValidationError

from driftline import __version__
from driftline.client.brokers import Brokers
from driftline.models.intake import Intake
from driftline.models.outcome import Outcome
from driftline.schemas.alerts import Alert
from driftline.schemas.errors import ConfigurationError
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import JOURNAL, LABELS, PREDICTIONS
from driftline.streams.checkpoint import MemoryStore
from driftline.streams.journal import Began, Read, digest, parse_entry
from driftline.streams.lane import Lane
from driftline.streams.replay import Totals
from driftline.streams.replay_files import ReplayError, Results
from driftline.streams.replay_kafka import SECONDS, Reader, asking, partitions_of
from driftline.streams.transport import Log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from driftline.schemas.config import Configuration
    from driftline.schemas.state import ModelState

_logger: Final = logging.getLogger(__name__)

_ENDLESS: Final = 2**62


def replay_journal(
    configuration: Configuration, bootstrap: str, out: Path, *, progress: Callable[[Totals], None] = lambda _: None
) -> Totals:
    """Replay the newest history of every partition, and write what it led to.

    Parameters
    ----------
    configuration
        That of the run: another is refused.
    bootstrap
        ``host:port``, or several separated by commas.
    out
        A folder, as of `driftline.streams.replay.replay`. Alerts and requests come partition by partition.
    progress
        Called after every checkpoint.

    Raises
    ------
    UnavailableError
        If no broker answers.
    ConfigurationError
        If the run had another configuration.
    ReplayError
        If the journal or the records are not in Kafka any more as far back as the history goes, or lead elsewhere.

    """
    brokers = Brokers(bootstrap)
    totals = Totals()
    documents: dict[str, ModelState] = {}
    partitions = partitions_of(brokers)
    histories = _histories(_journal(brokers, partitions.get(JOURNAL, 0)))
    if not histories or PREDICTIONS not in partitions:
        raise ReplayError(f"Kafka at {bootstrap} has no journal of a run: no worker has made a checkpoint there")
    with Results(out) as results:
        for partition, entries in sorted(histories.items()):
            run = _Run(configuration, brokers, partition, partitions[PREDICTIONS])
            try:
                for entry in entries:
                    results.add(asyncio.run(run.take(entry, totals)))
                    progress(totals)
                documents |= run.documents()
            finally:
                run.close()
        results.finish(documents)
    return totals


def _histories(values: Iterator[bytes]) -> dict[int, list[Began | Read]]:
    """Return the entries of each partition's newest history, by number."""
    newest: dict[int, str] = {}
    entries: defaultdict[tuple[int, str], dict[int, Began | Read]] = defaultdict(dict)
    for value in values:
        try:
            entry = parse_entry(value)
        except ValidationError:
            raise ReplayError(f"{JOURNAL} holds an entry of another version than this one, {__version__}") from None
        entries[entry.partition, entry.history][entry.number] = entry
        newest[entry.partition] = entry.history
    found = {}
    for partition, history in newest.items():
        numbered = entries[partition, history]
        missing = next((n for n in range(max(numbered) + 1) if n not in numbered), None)
        if missing is not None:
            raise ReplayError(
                f"{JOURNAL} has no entry {missing} of partition {partition} any more: it cannot be replayed"
            )
        found[partition] = [numbered[number] for number in sorted(numbered)]
    return found


def _steps(entry: Read) -> Iterator[tuple[str, int] | int | list[str]]:
    """Yield what was done in order: records were taken, time had passed up to a moment, or topics were passed over."""
    # Topics are passed over just before records are taken, and time passes after some were.
    steps: list[tuple[int, int | list[str]]] = [*entry.moments, *entry.passed]
    between = deque(sorted(steps, key=itemgetter(0)))  # of those at one place, moments are first
    taken = 0
    for topic, count in entry.runs:
        end = taken + count
        while between and between[0][0] < end:
            after, step = between.popleft()
            if after > taken:
                yield topic, after - taken
                taken = after
            yield step
        yield topic, end - taken
        taken = end
    yield from (step for _, step in between)


class _Run:
    """The run of one partition."""

    def __init__(self, configuration: Configuration, brokers: Brokers, partition: int, partitions: int) -> None:
        self._configuration = configuration
        self._brokers = brokers
        self._partition = partition
        self._store = MemoryStore()
        self._intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=partitions)
        self._lane = Lane(configuration, self._intake, self._store, partition)
        self._readers: dict[str, Reader] = {}

    async def take(self, entry: Began | Read, totals: Totals) -> Outcome:
        """Take the next entry, and return what it led to."""
        if isinstance(entry, Began):
            await self._begin(entry)
            return Outcome()
        outcome = Outcome()
        for step in _steps(entry):
            match step:
                case int() as now:
                    self._lane.pass_time(now)
                case list() as passed:
                    self._lane.pass_over(frozenset(passed))
                case (topic, count):
                    await self._lane.process(self._readers[topic].take(count))
                    totals.records += count
        changes = self._lane.pipeline.changes(entry.saved, most_models=len(entry.saved))
        cut = self._lane.checkpoint_of(changes, thread_time())
        await self._store.save(cut.checkpoint, self._lane.owner)
        outcome.dead_letters += cut.unsaved.letters
        for event in (event for events in cut.unsaved.events.values() for event in events):
            if isinstance(event, Alert):
                outcome.alerts.append(event)
            else:
                outcome.retrain_requests.append(event)
        totals.add(outcome)
        return outcome

    async def _begin(self, began: Began) -> None:
        if began.configuration != digest(self._configuration):
            raise ConfigurationError(
                f"the run of partition {self._partition} had another configuration ({began.configuration}, this one is "
                f"{digest(self._configuration)}): give that one with --config"
            )
        if began.version != __version__:
            _logger.warning("the run was made by version %s, and this is %s", began.version, __version__)
        self._store.damage(self._partition, began.before)
        self._lane = Lane(self._configuration, self._intake, self._store, self._partition)
        committed = 0 if began.is_rebuilt else None
        await self._lane.restore({topic: Log(at, _ENDLESS, committed) for topic, at in began.offsets.items()})
        if self._lane.began is None or self._lane.began.offsets != began.offsets:
            raise ReplayError(f"partition {self._partition} does not stand where the run began: {began.offsets}")
        self.close()
        self._readers = {
            topic: Reader(self._brokers, TopicPartition(topic, self._partition, at))
            for topic, at in began.offsets.items()
        }

    def close(self) -> None:
        """End reading."""
        for reader in self._readers.values():
            reader.close()

    def documents(self) -> dict[str, ModelState]:
        """Return the state document of every model."""
        return self._lane.pipeline.documents()


def _journal(brokers: Brokers, partitions: int) -> Iterator[bytes]:
    """Give the values of all records of the journal."""
    for number in range(partitions):
        with asking(brokers) as consumer:
            first, end = consumer.get_watermark_offsets(TopicPartition(JOURNAL, number), timeout=SECONDS)
        with closing(Reader(brokers, TopicPartition(JOURNAL, number, first))) as reader:
            yield from (record.value or b"" for record in reader.until(end))
