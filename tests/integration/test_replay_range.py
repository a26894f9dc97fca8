"""A replay of a range of Kafka gives what files of the same records give, and never less without a word."""

import json
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from driftline.client.brokers import Brokers
from driftline.models.record import Refusal
from driftline.schemas.alerts import OffsetRange
from driftline.schemas.config import Configuration
from driftline.schemas.errors import TopologyError
from driftline.schemas.fields import format_timestamp
from driftline.schemas.partitioner import partition_of
from driftline.schemas.state import ModelState
from driftline.schemas.topics import INPUTS, LABELS, PREDICTIONS
from driftline.streams.cli import run
from driftline.streams.embedded import EmbeddedBroker
from driftline.streams.replay import EventFiles, records_of, replay
from driftline.streams.replay_files import ReplayError
from driftline.streams.replay_offsets import TimeRange, offsets_of
from driftline.streams.replay_range import KafkaRange, replay_range
from driftline.streams.topology import mention_topics
from tests.conditions import eventually
from tests.golden.cases import CASES, outputs_in
from tests.streams_of_events import Faults, write
from tests.topics import PARTITIONS
from tests.worker_harness import EMBEDDED_PARTITIONS, real_site
from tests.worker_traffic import START, mixed, on_every_partition

(FRAUD,) = (golden for golden in CASES if golden.name == "fraud")
# One that lives in partition 0 of both brokers, as all do in a replay of files.
MODEL = next(
    name
    for name in (f"fraud-{n}" for n in count())
    if partition_of(name, PARTITIONS) == partition_of(name, EMBEDDED_PARTITIONS) == 0
)


class Timed(NamedTuple):
    """A record, where it is to stand, and its time."""

    topic: str
    partition: int
    moment: int
    value: bytes


def send(kafka: str, records: Iterable[Timed]) -> None:
    producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True, "linger.ms": 20, "log_level": 0})
    for topic, partition, moment, value in records:
        producer.produce(topic, value, None, partition, timestamp=moment)
        producer.poll(0)
    assert producer.flush(60) == 0


@pytest.fixture(scope="module")
def borrowed(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The real Kafka, whose topics are made as other tests find them when these are through."""
    yield kafka
    real_site(kafka, "", tmp_path_factory.mktemp("none"))


@pytest.fixture
def real(borrowed: str) -> str:
    """A real Kafka with empty input topics, whose records keep the times that they are sent with."""
    admin = AdminClient({"bootstrap.servers": borrowed, "log_level": 0})

    def present() -> set[str]:
        return set(INPUTS) & admin.list_topics(timeout=10).topics.keys()

    for deleted in admin.delete_topics(list(INPUTS)).values():
        with suppress(KafkaException):  # it is not there
            deleted.result(10)
    eventually(lambda: not present())
    config = {"message.timestamp.type": "CreateTime"}
    for made in admin.create_topics([NewTopic(topic, PARTITIONS, 1, config=config) for topic in INPUTS]).values():
        made.result(10)
    eventually(lambda: present() == set(INPUTS))
    return borrowed


@pytest.fixture
def embedded() -> Iterator[str]:
    """An embedded broker, which always keeps them."""
    with EmbeddedBroker() as server:
        mention_topics(server.bootstrap)
        yield server.bootstrap


@pytest.fixture(params=["embedded", "real"])
def either(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(request.param)
    return address


# -- the same as files ------------------------------------------------------------------------------------------------


class History:
    """What happened to one model: as files, and as records of Kafka whose times are in the order of a replay."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        stream = replace(FRAUD.stream, model_id=MODEL, faults=Faults(bad=0.02))
        files = write([stream], folder, seed=1)
        self.lines = {topic: path.read_bytes().splitlines() for topic, path in zip(INPUTS, files, strict=True)}
        configuration = FRAUD.configuration()
        (model,) = configuration.models
        models = (model.model_copy(update={"model_id": MODEL}),)
        self.configuration: Configuration = configuration.model_copy(update={"models": models})
        self.moments: dict[str, list[int]] = {topic: [] for topic in INPUTS}
        moment = START
        with records_of(EventFiles(*files)) as records:
            for record in records:
                at = 0 if isinstance(record.event, Refusal) else record.event.timestamp
                moment = max(moment + 1, at)  # no event is ahead of its record
                self.moments[record.raw.topic].append(moment)

    def records(self) -> Iterator[Timed]:
        for topic in INPUTS:
            for moment, line in zip(self.moments[topic], self.lines[topic], strict=True):
                yield Timed(topic, 0, moment, line)

    def offsets_at(self, moment: int) -> dict[str, int]:
        """Return how many records are before a moment."""
        return {topic: sum(each < moment for each in self.moments[topic]) for topic in INPUTS}

    def of_files(self, starts: dict[str, int], ends: dict[str, int]) -> dict[str, bytes]:
        """Return what a replay of these lines writes; the others are blank, so that all keep their numbers."""

        def part(topic: str) -> Path:
            path = self.folder / f"{topic}.jsonl"
            kept = range(starts[topic], ends[topic])
            path.write_bytes(b"".join(line * (n in kept) + b"\n" for n, line in enumerate(self.lines[topic])))
            return path

        files = EventFiles(part(PREDICTIONS), part(LABELS))
        replay(self.configuration, files, self.folder / "of files")
        return outputs_in(self.folder / "of files")

    def of_kafka(self, kafka: str, asked: TimeRange | Sequence[OffsetRange], *, batch: int = 1000) -> dict[str, bytes]:
        replay_range(self.configuration, KafkaRange(kafka, asked), self.folder / "of Kafka", batch=batch)
        return outputs_in(self.folder / "of Kafka")

    @property
    def middle(self) -> tuple[int, int]:
        """Two moments, each of a record, with much between and around them."""
        moments = self.moments[PREDICTIONS]
        return moments[len(moments) // 5], moments[len(moments) * 4 // 5]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return History(tmp_path_factory.mktemp("history"))


def ranges(starts: dict[str, int], ends: dict[str, int]) -> list[OffsetRange]:
    return [OffsetRange(topic=topic, partition=0, start=starts[topic], end=ends[topic]) for topic in ends]


def test_offsets_give_what_files_give_whatever_the_batches(history: History, either: str) -> None:
    send(either, history.records())
    begin, whole = history.offsets_at(0), history.offsets_at(2 * START)
    expected = history.of_files(begin, whole)
    assert all(expected.values())  # alerts, requests, dead letters: worth comparing
    assert history.of_kafka(either, ranges(begin, whole)) == expected
    assert history.of_kafka(either, ranges(begin, whole), batch=7) == expected

    starts, ends = map(history.offsets_at, history.middle)
    expected = history.of_files(starts, ends)
    assert all(expected.values())
    assert history.of_kafka(either, ranges(starts, ends)) == expected

    only = {PREDICTIONS: ends[PREDICTIONS]}
    expected = history.of_files(starts, {**only, LABELS: starts[LABELS]})
    assert history.of_kafka(either, ranges(starts, only)) == expected


def test_a_time_gives_what_files_of_the_records_of_that_time_give(history: History, real: str) -> None:
    send(real, history.records())
    since, until = history.middle
    for asked, bounds in [
        (TimeRange(since, until), (since, until)),
        (TimeRange(since, None), (since, 2 * START)),
        (TimeRange(None, until), (0, until)),
        (TimeRange(0, None), (0, 2 * START)),
    ]:
        starts, ends = map(history.offsets_at, bounds)
        assert history.of_kafka(real, asked) == history.of_files(starts, ends), asked


def test_a_quiet_time_gives_nothing(history: History, real: str) -> None:
    send(real, history.records())
    found = history.of_kafka(real, TimeRange(2 * START, 2 * START + 1))
    assert found == {"alerts.jsonl": b"", "retrain.jsonl": b"", "dead_letters.jsonl": b"", "state.json": b"{}\n"}


def test_each_partition_is_merged_by_the_time_of_its_records(embedded: str, tmp_path: Path) -> None:
    models = on_every_partition(EMBEDDED_PARTITIONS, each=2, count_each=300)
    records = [
        Timed(
            sent.topic,
            partition_of((sent.key or b"").decode(), EMBEDDED_PARTITIONS),
            json.loads(sent.value or b"")["timestamp"],
            sent.value or b"",
        )
        for sent in mixed(models, range(300))
    ]
    # All predictions first: it is their times that tell when the labels came.
    send(embedded, sorted(records, key=lambda record: INPUTS.index(record.topic)))
    asked = [
        OffsetRange(topic=topic, partition=number, start=0, end=600)
        for topic in INPUTS
        for number in range(EMBEDDED_PARTITIONS)
    ]
    told: list[int] = []
    totals = replay_range(
        Configuration(), KafkaRange(embedded, asked), tmp_path, progress=lambda totals: told.append(totals.records)
    )
    assert totals.records == told[-1] == len(records)
    assert told == sorted(told)
    states = {name: ModelState(**state) for name, state in json.loads((tmp_path / "state.json").read_bytes()).items()}
    assert states.keys() == {model.model_id for model in models}
    for model in models:
        model.assert_exact(states[model.model_id])
        assert states[model.model_id].counts.early_labels == 0
        assert states[model.model_id].partition == partition_of(model.model_id, EMBEDDED_PARTITIONS)


# -- what is not there ------------------------------------------------------------------------------------------------


def junk(partition: int, number: int, topic: str = PREDICTIONS) -> list[Timed]:
    return [Timed(topic, partition, START + n, b"junk") for n in range(number)]


def letters(folder: Path) -> list[tuple[str, int, int]]:
    """Return where the records that were read and cannot be used stood."""
    lines = map(json.loads, (folder / "dead_letters.jsonl").read_bytes().splitlines())
    return [(line["topic"], line["partition"], line["offset"]) for line in lines]


def delete(kafka: str, *before: TopicPartition) -> None:
    """Delete the records before an offset."""
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    for deleted in admin.delete_records(list(before)).values():
        deleted.result(10)


def replayed(kafka: str, asked: TimeRange | OffsetRange, folder: Path) -> list[tuple[str, int, int]]:
    wanted = KafkaRange(kafka, asked if isinstance(asked, TimeRange) else [asked])
    replay_range(Configuration(), wanted, folder)
    return letters(folder)


def refused(kafka: str, asked: TimeRange | OffsetRange, folder: Path) -> str:
    """Return why a range is refused; nothing is written then."""
    with pytest.raises(ReplayError) as raised:
        replayed(kafka, asked, folder / "refused")
    assert not (folder / "refused").exists()
    return str(raised.value)


def test_offsets_that_kafka_does_not_have_are_told(embedded: str, tmp_path: Path) -> None:
    send(embedded, junk(1, 3))
    place = OffsetRange(topic=PREDICTIONS, partition=1, start=0, end=3)
    assert replayed(embedded, place, tmp_path) == [(PREDICTIONS, 1, n) for n in range(3)]
    ahead, elsewhere = place.model_copy(update={"end": 4}), place.model_copy(update={"partition": 4})
    assert refused(embedded, ahead, tmp_path) == f"{PREDICTIONS}, partition 1 ends at 3: there are no records up to 4"
    said = f"{PREDICTIONS} has 4 partitions, from 0 on, so that none is 4"
    assert refused(embedded, elsewhere, tmp_path) == said


def test_topics_that_do_not_exist_are_told(tmp_path: Path) -> None:
    with EmbeddedBroker() as server:
        said = f"Kafka at {server.bootstrap} has no topic {PREDICTIONS}, {LABELS}"
        assert refused(server.bootstrap, TimeRange(), tmp_path) == said


def test_topics_that_differ_in_their_partitions_are_told() -> None:
    with pytest.raises(TopologyError, match=r"8 partitions of driftline\.predictions and 4 partitions of driftline"):
        offsets_of(Brokers("127.0.0.1:1"), {PREDICTIONS: 8, LABELS: 4}, TimeRange())


def test_a_broker_that_cannot_search_by_time_is_told(embedded: str, tmp_path: Path) -> None:
    assert replayed(embedded, TimeRange(), tmp_path) == []
    send(embedded, junk(1, 3))
    said = f"Kafka at {embedded} finds no records by their time: name them by their offsets"
    assert refused(embedded, TimeRange(START, None), tmp_path) == said


def test_records_that_were_deleted_are_told(real: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    send(real, [*junk(0, 10), *junk(1, 5), *junk(1, 10, LABELS)])
    delete(real, TopicPartition(PREDICTIONS, 0, 4))
    place = OffsetRange(topic=PREDICTIONS, partition=0, start=3, end=7)
    said = f"the records of {PREDICTIONS}, partition 0 from 3 on are not in Kafka any more: the oldest is at 4"
    assert refused(real, place, tmp_path) == said
    assert replayed(real, place.model_copy(update={"start": 4}), tmp_path) == [(PREDICTIONS, 0, n) for n in (4, 5, 6)]

    for since in (START, START + 4):
        assert refused(real, TimeRange(since, None), tmp_path) == (
            f"records of {PREDICTIONS}, partition 0, since {format_timestamp(since)} may not be in Kafka any more: the "
            f"oldest is of {format_timestamp(START + 4)}; begin after that, or say only where to end"
        )
    labels = [(LABELS, 1, n) for n in range(5, 10)]
    assert replayed(real, TimeRange(START + 5, None), tmp_path) == [(PREDICTIONS, 0, n) for n in range(5, 10)] + labels
    assert len(replayed(real, TimeRange(None, None), tmp_path)) == 6 + 5 + 10

    delete(real, TopicPartition(PREDICTIONS, 0, 10))
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert replayed(real, TimeRange(START + 5, None), tmp_path) == labels
    assert caplog.messages == [f"{PREDICTIONS}, partition 0, held records and has none any more: it is left out"]


def test_records_that_are_deleted_while_they_are_read_are_told(real: str, tmp_path: Path) -> None:
    value = b"x" * 100_000
    send(real, [Timed(PREDICTIONS, 0, START + n, value) for n in range(2000)])  # more than is read ahead
    wanted = KafkaRange(real, [OffsetRange(topic=PREDICTIONS, partition=0, start=0, end=2000)])

    def after(records: int) -> None:
        if records == 10:
            delete(real, TopicPartition(PREDICTIONS, 0, 1999))

    with pytest.raises(ReplayError, match=r"from \d+ on are not in Kafka any more"):
        replay_range(Configuration(), wanted, tmp_path, batch=10, progress=lambda totals: after(totals.records))
    assert not (tmp_path / "state.json").exists()


def test_offsets_of_transactions_are_no_records(real: str, tmp_path: Path) -> None:
    producer = Producer({"bootstrap.servers": real, "transactional.id": "t", "log_level": 0})
    producer.init_transactions(20)

    def transaction() -> None:
        producer.begin_transaction()
        for n in range(2):
            producer.produce(PREDICTIONS, b"junk", None, 2, timestamp=START + n)
        assert producer.flush(20) == 0

    for end in (producer.commit_transaction, producer.abort_transaction, producer.commit_transaction):
        transaction()
        end(20)
    transaction()  # and stays open: its records are not to be read yet
    committed = [(PREDICTIONS, 2, n) for n in (0, 1, 6, 7)]
    whole = OffsetRange(topic=PREDICTIONS, partition=2, start=0, end=9)
    assert replayed(real, TimeRange(), tmp_path) == committed
    assert replayed(real, TimeRange(START, None), tmp_path) == committed
    assert replayed(real, whole, tmp_path) == committed
    assert replayed(real, whole.model_copy(update={"end": 6}), tmp_path) == committed[:2]
    assert refused(real, whole.model_copy(update={"end": 11}), tmp_path).endswith("there are no records up to 11")
    producer.abort_transaction(20)
    assert replayed(real, whole.model_copy(update={"end": 12}), tmp_path) == committed


# -- the command ------------------------------------------------------------------------------------------------------

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a replay in this process; give its exit code, its output and its errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["driftline", "replay", *map(str, arguments)])
        code = run()
        return code, *capsys.readouterr()

    return call


def test_the_command_reads_what_its_options_say(real: str, tmp_path: Path, cli: Cli) -> None:
    send(real, [*junk(0, 10), *junk(1, 10, LABELS)])
    where = ("--kafka", real, "--out", tmp_path)
    moment = format_timestamp(START + 4)
    said = f"{{}} records: 0 alerts, 0 retrain requests, {{}} dead letters; written to {tmp_path}\n"

    def refused(written: int, *options: object) -> list[str]:
        """Return what is said of records of which none can be used, topic by topic."""
        code, out, err = cli(*where, *options)
        assert (code, out) == (1, said.format(written, written))
        return re.findall("none of ([0-9]+ records? of [a-z.]+) can be used, mostly for invalid_json", err)

    assert refused(4, "--from", moment, "--to", START + 6) == [f"2 records of {topic}" for topic in INPUTS]
    assert letters(tmp_path) == [(topic, n, at) for n, topic in enumerate(INPUTS) for at in (4, 5)]
    assert refused(8, "--to", moment) == [f"4 records of {topic}" for topic in INPUTS]
    offsets = ("--offsets", f"{LABELS}:1:7-9", f"--offsets={PREDICTIONS}:0:0-1")
    assert refused(3, *offsets) == [f"1 record of {PREDICTIONS}", f"2 records of {LABELS}"]
    assert letters(tmp_path) == [(PREDICTIONS, 0, 0), (LABELS, 1, 7), (LABELS, 1, 8)]
    code, out, err = cli(*where, "--offsets", f"{LABELS}:1:7-99")
    assert (code, out, err) == (1, "", f"driftline: {LABELS}, partition 1 ends at 10: there are no records up to 99\n")
