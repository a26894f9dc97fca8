"""The client against real brokers and a real Redis: events out, alerts in, state on request."""

import asyncio
import itertools
import json
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Self, TypeAlias

import numpy as np
import pytest
import redis
from confluent_kafka import Message, TopicPartition
from confluent_kafka.admin import AdminClient

from driftline import client
from driftline.client import (
    Alert,
    AlertSubscriber,
    AsyncEventProducer,
    AsyncStateReader,
    ConfigurationError,
    DecodeError,
    EventProducer,
    History,
    Label,
    ModelState,
    Overview,
    Prediction,
    RetrainRequest,
    RetrainSubscriber,
    SnapshotError,
    StateReader,
    TopologyError,
    UnavailableError,
)
from driftline.client.delivery import Delivery
from driftline.models.batch.batch import Batch, read_batch
from driftline.models.record import FileRecord
from driftline.schemas import keys
from driftline.schemas.alerts import Kind, Severity, cloudevent_headers
from driftline.schemas.decoding import MAX_BYTES, decode
from driftline.schemas.errors import Reason
from driftline.schemas.events import encode
from driftline.schemas.partitioner import partition_of
from driftline.schemas.state import Counts
from driftline.schemas.topics import ALERTS, LABELS, PREDICTIONS, RETRAIN
from driftline.streams.children import free_port
from driftline.streams.columns import Columns
from driftline.streams.embedded import EmbeddedBroker, EmbeddedValkey
from driftline.streams.topology import check_topics
from tests.conditions import eventually
from tests.topics import make_topics, read_topic


@pytest.fixture(scope="module")
def bootstrap(broker: str) -> str:
    make_topics(broker)
    return broker


@pytest.fixture
def nowhere() -> str:
    """Address at which nothing listens."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def run_id() -> str:
    """What this test's events are known by, among those of others on the same topics."""
    return str(uuid.uuid4())


@pytest.fixture
def prompt(request: pytest.FixtureRequest) -> dict[str, int]:
    """Give the options of a group that notices at once who comes and goes.

    The embedded broker lets nobody into a new group for three seconds, and into one that its last member has left
    until a session is nearly over.
    """
    options = {"heartbeat.interval.ms": 300}
    return options | {"session.timeout.ms": 3500} if request.node.callspec.params["broker"] == "embedded" else options


# --- EventProducer


def test_events_reach_their_topic_and_their_model_s_partition(bootstrap: str, run_id: str) -> None:
    predictions = [
        Prediction(
            model_id=f"{run_id}-{number}-größe"[number % 7 :],
            model_version="7",
            prediction_id=f"p-{number}",
            timestamp=number,
            prediction=1,
            features={"amount": 12.5, "note": None},
        )
        for number in range(50)
    ]
    labels = [Label(model_id=p.model_id, prediction_id=p.prediction_id, timestamp=1, label=0) for p in predictions]
    with EventProducer(bootstrap) as producer:
        for prediction, label in zip(predictions, labels, strict=True):
            producer.send(prediction)
            producer.send(label)

    ids = {p.model_id.encode() for p in predictions}
    count = check_topics(bootstrap).partitions
    for topic, sent in ((PREDICTIONS, predictions), (LABELS, labels)):
        records = read_topic(bootstrap, topic, lambda m: m.key() in ids, count=len(sent))
        assert {record.value() for record in records} == {encode(event) for event in sent}
        for record in records:
            model_id = json.loads(record.value() or b"")["model_id"]
            assert record.key() == model_id.encode()
            assert record.partition() == partition_of(model_id, count)


@pytest.mark.parametrize("written_as", ["arrow", "json"])
def test_batches_reach_their_topic_and_their_model_s_partition(bootstrap: str, run_id: str, written_as: str) -> None:
    model_id, size = f"{run_id}-größe", 6000
    ids = [f"p-{number}" for number in range(size)]
    amounts: list[Any] = [number * 1.37 for number in range(size)]
    if written_as == "json":
        amounts[::100] = ["n/a"] * 60
    with EventProducer(bootstrap) as producer:
        producer.send_predictions(
            model_id=model_id,
            model_version="7",
            prediction_id=ids,
            timestamp=np.arange(size),
            prediction=np.arange(size) % 2 == 0,
            features={"amount": amounts, **{f"f{n}": np.arange(size) / 7 for n in range(20)}},
            segments={"region": ["eu", None] * (size // 2)},
        )
        producer.send_labels(model_id=model_id, prediction_id=ids, timestamp=7, label=np.arange(size) % 2)

    count = check_topics(bootstrap).partitions
    for topic, kind in ((PREDICTIONS, Prediction), (LABELS, Label)):
        found: list[str] = []
        records = read_topic(bootstrap, topic, lambda m: m.key() == model_id.encode(), count=1)
        while sum(batch_of(record, kind).rows for record in records) < size:  # the other half was on its way
            records = read_topic(bootstrap, topic, lambda m: m.key() == model_id.encode(), count=len(records) + 1)
        for record in records:
            assert record.partition() == partition_of(model_id, count)
            assert len(record.value() or b"") <= MAX_BYTES
            is_arrow = (record.value() or b"").startswith(b"\xff\xff\xff\xff")
            assert is_arrow == (written_as == "arrow" or kind is Label)
            found += batch_of(record, kind).prediction_id
        assert found == ids


def batch_of(record: Message, kind: type[Prediction | Label]) -> Batch:
    headers: Any = record.headers() or ()
    batch = read_batch(FileRecord("t", 0, record.value(), headers=headers), kind)
    assert batch is not None
    return batch


def test_a_batch_of_which_the_worker_would_refuse_a_row_is_not_sent(nowhere: str) -> None:
    with EventProducer(nowhere) as producer, pytest.raises(DecodeError, match=r"label\['1'\]: must be a string"):
        producer.send_labels(model_id="m", prediction_id=["a", "b"], timestamp=0, label=[1, None])


def test_a_model_s_events_stay_in_order_whichever_thread_sends_them(bootstrap: str, run_id: str) -> None:
    def send(thread: int) -> None:
        for number in range(200):
            identifier = f"{thread}-{number}"
            producer.send(Label(model_id=run_id, prediction_id=identifier, timestamp=0, label=number))

    with EventProducer(bootstrap, linger_ms=5) as producer:
        threads = [threading.Thread(target=send, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        producer.flush()

    records = read_topic(bootstrap, LABELS, lambda m: m.key() == run_id.encode(), count=800)
    sent = [decode(record.value(), Label).prediction_id for record in records]
    for sender in range(4):
        assert [i for i in sent if i.startswith(f"{sender}-")] == [f"{sender}-{number}" for number in range(200)]


def a_prediction_of(size: int, model_id: str) -> Prediction:
    """Make a prediction that takes `size` bytes."""

    def of(features: dict[str, str]) -> Prediction:
        return Prediction(
            model_id=model_id, model_version="7", prediction_id="p", timestamp=0, prediction=1, features=features
        )

    features = {f"f{number:03}": "x" * 4000 for number in range(size // 4100)}
    missing = size - len(encode(of(features)))
    entry = len(',"g000":""')
    return of(
        features | {f"g{n:03}": "x" * (min(4000, missing - n * 4000) - entry) for n in range(-(-missing // 4000))}
    )


def test_the_largest_event_is_sent_and_a_larger_one_refused(bootstrap: str, run_id: str) -> None:
    model_id = run_id.ljust(256, "ö")
    largest, larger = (a_prediction_of(size, model_id) for size in (MAX_BYTES, MAX_BYTES + 1))
    assert (len(encode(largest)), len(encode(larger))) == (MAX_BYTES, MAX_BYTES + 1)
    with EventProducer(bootstrap) as producer:
        producer.send(largest)
        with pytest.raises(DecodeError, match="at most 1000000 are read") as refusal:
            producer.send(larger)
    assert refusal.value.reason is Reason.TOO_LARGE
    (record,) = read_topic(bootstrap, PREDICTIONS, lambda m: m.key() == model_id.encode(), count=1)
    assert decode(record.value(), Prediction) == largest


def test_events_that_do_not_arrive_are_said_at_the_end(nowhere: str) -> None:
    label = Label(model_id="m", prediction_id="p", timestamp=0, label=1)
    producer = EventProducer(nowhere, options={"message.timeout.ms": 200})
    producer.send(label)
    producer.send(label)
    with pytest.raises(UnavailableError, match=rf"^2 records were not delivered: Kafka at {nowhere} does not answer"):
        producer.__exit__(None, None, None)
    producer.close()


def test_an_error_on_its_way_is_not_replaced(nowhere: str) -> None:
    def serve() -> None:
        with EventProducer(nowhere, options={"message.timeout.ms": 200}) as producer:
            producer.send(Label(model_id="m", prediction_id="p", timestamp=0, label=1))
            raise KeyError("the service's own")

    with pytest.raises(KeyError) as raised:
        serve()
    assert raised.value.__notes__[0].startswith("1 record was not delivered")


def test_options_reach_the_library_and_the_partitioner_is_none(nowhere: str) -> None:
    EventProducer(nowhere, options={"compression.type": "lz4", "client.id": "checkout"}).close()
    with pytest.raises(ConfigurationError, match="the option partitioner cannot be changed"):
        EventProducer(nowhere, options={"partitioner": "consistent"})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("request.required.acks", 0),
        ("queue.buffering.max.ms", 0),
        ("metadata.broker.list", "elsewhere:9092"),
        ("transactional.id", "checkout"),
    ],
)
def test_what_driftline_relies_on_is_no_option_under_another_name(nowhere: str, option: str, value: str | int) -> None:
    with pytest.raises(ConfigurationError, match=f"the option {option} cannot be changed"):
        EventProducer(nowhere, options={option: value})


def test_options_that_hold_others_are_refused(nowhere: str) -> None:
    options: Any = {"default.topic.config": {"partitioner": "random"}}
    with pytest.raises(ConfigurationError, match=r"the option default\.topic\.config must be a string, a number"):
        EventProducer(nowhere, options=options)
    with pytest.raises(ConfigurationError, match=r"the option auto\.commit\.enable cannot be changed"):
        AlertSubscriber(nowhere, "pager", options={"auto.commit.enable": True})


def a_prediction_with(feature: object, model_id: str = "m") -> Prediction:
    return Prediction(
        model_id=model_id, model_version="7", prediction_id="p", timestamp=0, prediction=1, features={"f": feature}
    )


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("feature", "reason"),
    [
        (Decimal(1), Reason.WRONG_TYPE),
        (b"bytes", Reason.WRONG_TYPE),
        ({(1, 2): 3}, Reason.WRONG_TYPE),
        ("\ud800", Reason.WRONG_TYPE),
        ([10**5000], Reason.WRONG_TYPE),
        ({1: 1, "1": 2}, Reason.DUPLICATE_KEY),
        (nested(7), Reason.TOO_DEEP),
        ((nested(6),), Reason.TOO_DEEP),
        (nested(100_000), Reason.TOO_DEEP),
    ],
)
def test_what_the_worker_would_refuse_is_not_sent(nowhere: str, feature: object, reason: Reason) -> None:
    with EventProducer(nowhere) as producer, pytest.raises(DecodeError) as refusal:
        producer.send(a_prediction_with(feature))
    assert refusal.value.reason is reason
    if reason is Reason.WRONG_TYPE:
        assert refusal.value.detail.startswith("a value cannot be written as JSON; send strings, numbers, booleans or")
    assert "ud800" not in refusal.value.detail


def test_a_label_that_is_no_text_is_not_sent(nowhere: str) -> None:
    with EventProducer(nowhere) as producer, pytest.raises(DecodeError, match="surrogates not allowed"):
        producer.send(Label(model_id="m", prediction_id="p", timestamp=0, label="\ud800"))


def test_what_is_nested_as_deep_as_the_worker_reads_is_sent(bootstrap: str, run_id: str) -> None:
    with EventProducer(bootstrap) as producer:
        producer.send(a_prediction_with([(1, {"b": None}), nested(5)], run_id))
    (record,) = read_topic(bootstrap, PREDICTIONS, lambda m: m.key() == run_id.encode(), count=1)
    assert decode(record.value(), Prediction).features == {"f": [[1, {"b": None}], nested(5)]}


def end_without_close(script: str) -> str:
    """Run a script that ends without `close`, and give what it wrote on standard error."""
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True, timeout=60
    )
    return ended.stderr


def test_the_events_of_a_process_that_just_ends_arrive(bootstrap: str, run_id: str) -> None:
    said = end_without_close(f"""
        from driftline.client import EventProducer, Label
        producer = EventProducer("{bootstrap}", linger_ms=100_000)
        for number in range(10):
            producer.send(Label(model_id="{run_id}", prediction_id="p", timestamp=0, label=number))
    """)
    assert said == ""
    records = read_topic(bootstrap, LABELS, lambda m: m.key() == run_id.encode(), count=10)
    assert [decode(record.value(), Label).label for record in records] == list(range(10))


def test_a_process_that_just_ends_says_in_time_what_it_lost(nowhere: str) -> None:
    start = time.monotonic()
    said = end_without_close(f"""
        import os, weakref
        from driftline.client import EventProducer, Label, delivery
        delivery._LAST_SECONDS = 1.0
        producer = EventProducer("{nowhere}")
        for number in range(10):
            producer.send(Label(model_id="m", prediction_id="p", timestamp=0, label=number))
        if (child := os.fork()) == 0:  # the events are still its parent's alone to send
            weakref.finalize._exitfunc()  # as an interpreter that ends; librdkafka would hang at what follows
            os._exit(0)
        os.waitpid(child, 0)
    """)
    assert time.monotonic() - start < 15
    lines = [line for line in said.splitlines() if line.startswith("a producer was not closed")]
    assert len(lines) == 1
    assert "and 10 records were not delivered within 1 s: Kafka at " in lines[0]


def test_a_producer_that_is_dropped_sends_what_it_has(bootstrap: str, run_id: str) -> None:
    producer = EventProducer(bootstrap, linger_ms=100_000)
    producer.send(Label(model_id=run_id, prediction_id="p", timestamp=0, label=1))
    del producer
    assert len(read_topic(bootstrap, LABELS, lambda m: m.key() == run_id.encode(), count=1)) == 1


def test_a_producer_that_was_closed_has_nothing_left_to_say(nowhere: str, caplog: pytest.LogCaptureFixture) -> None:
    producer = EventProducer(nowhere)
    producer.send(Label(model_id="m", prediction_id="p", timestamp=0, label=1))
    with pytest.raises(UnavailableError, match=r"^1 record was not delivered"):
        producer.close(timeout=0)
    with pytest.raises(UnavailableError, match=r"^the producer is closed$"):
        producer.send(Label(model_id="m", prediction_id="p", timestamp=0, label=1))
    with pytest.raises(UnavailableError, match=r"^the producer is closed$"):
        producer.flush()
    del producer
    assert "was not closed" not in caplog.text


# --- AlertSubscriber and RetrainSubscriber


def an_alert(run_id: str, number: int) -> Alert:
    return Alert.model_validate(
        {
            "alert_id": f"{run_id}-{number}",
            "incident_id": run_id,  # one key, one partition, one order
            "state": "firing",
            "severity": "warning",
            "model_id": run_id,
            "kind": "data_drift",
            "detector": "e_sr",
            "target": {"feature": "amount"},
            "statistic": 0.2,
            "threshold": 0.1,
            "effect": {"measure": "psi", "value": 0.3},
            "change_point": {"earliest": 0, "latest": 1000},
            "event_time": 0,
            "offsets": [],
            "message": "amount moved",
        }
    )


def publish(bootstrap: str, *events: Alert | RetrainRequest | bytes, key: str) -> None:
    delivery = Delivery(bootstrap, linger_ms=5, patience=10)
    for event in events:
        topic = RETRAIN if isinstance(event, RetrainRequest) else ALERTS
        if isinstance(event, bytes):
            delivery.put(topic, key=key.encode(), value=event)
        else:
            delivery.put(topic, key=key.encode(), value=encode(event), headers=cloudevent_headers(event))
    delivery.close(10)


def numbers(alerts: AlertSubscriber, run_id: str, *, count: int) -> list[int]:
    """Take `count` alerts of this run, all but the last of them dealt with, and give their numbers."""
    found: list[int] = []

    def enough() -> bool:
        while len(found) < count and (alert := alerts.poll(0.2)) is not None:
            if alert.model_id == run_id:
                found.append(int(alert.alert_id.rpartition("-")[2]))
        return len(found) == count

    eventually(enough)
    return found


def joined(alerts: AlertSubscriber, bootstrap: str, run_id: str) -> list[str]:
    """Publish alerts, from number 1 on, until one comes, and give the ids of those that came.

    A group has its partitions once it has asked each for its end, and nothing shows that but an alert that comes.
    """
    found: list[str] = []
    sent = 0

    def comes() -> bool:
        nonlocal sent
        sent += 1
        publish(bootstrap, an_alert(run_id, sent), key=run_id)
        while (alert := alerts.poll(0.2)) is not None:
            if alert.model_id == run_id:
                found.append(alert.alert_id)
        return bool(found)

    eventually(comes)
    return found


def test_a_group_goes_on_after_the_last_alert_it_dealt_with(
    bootstrap: str, run_id: str, prompt: dict[str, int]
) -> None:
    first = [an_alert(run_id, number) for number in range(5)]
    publish(bootstrap, *first[:3], b"{", first[0], *first[3:], b"{", first[0], key=run_id)
    with AlertSubscriber(bootstrap, run_id, from_beginning=True, options=prompt) as alerts:
        assert numbers(alerts, run_id, count=3) == [0, 1, 2]
    # 2 was given, and no further one was asked for: it may not have been dealt with.
    with AlertSubscriber(bootstrap, run_id, options=prompt) as alerts:
        assert numbers(alerts, run_id, count=4) == [2, 0, 3, 4]  # what was left out before, it does not remember
        # What is left out counts as dealt with too.
        eventually(lambda: alerts.poll(0.1) is None and alerts.skipped >= 2)
    publish(bootstrap, an_alert(run_id, 5), key=run_id)
    with AlertSubscriber(bootstrap, run_id, options=prompt) as alerts:
        assert numbers(alerts, run_id, count=1) == [5]
        assert alerts.skipped == 0


def test_those_that_were_asked_for_come_and_the_others_are_dealt_with(
    bootstrap: str, run_id: str, prompt: dict[str, int]
) -> None:
    alerts = [an_alert(run_id, number) for number in range(6)]
    other = {"model_id": f"{run_id}-other"}
    changes: list[dict[str, Any]] = [
        *({"severity": Severity.INFO}, {"kind": Kind.PERFORMANCE}, {"severity": Severity.CRITICAL}),
        *(other, {}, {}),
    ]
    published = [alert.model_copy(update=change) for alert, change in zip(alerts, changes, strict=True)]
    lost = an_alert(run_id, 6).model_copy(update={"model_id": None})
    publish(bootstrap, *published, lost, key=run_id)
    asked: dict[str, Any] = {"models": {run_id}, "kinds": ["data_drift"], "severity": "warning"}
    with AlertSubscriber(bootstrap, run_id, **asked, from_beginning=True, options=prompt) as wanted:
        assert numbers(wanted, run_id, count=3) == [2, 4, 5]
        assert wanted.poll(0.2) is None
    with AlertSubscriber(bootstrap, run_id, options=prompt) as rest:  # of the group nothing is left
        publish(bootstrap, an_alert(run_id, 7), key=run_id)
        assert numbers(rest, run_id, count=1) == [7]


@pytest.mark.parametrize(
    ("asked", "mistake"),
    [
        ({"kinds": ["drift"]}, "there is no kind 'drift': choose from data_drift, "),
        ({"severity": "grave"}, "there is no severity 'grave': choose from info, warning, critical"),
        ({"models": "fraud"}, r"models is a collection of names: \['fraud'\], not 'fraud'"),
    ],
)
def test_what_cannot_be_asked_for_is_explained(nowhere: str, asked: dict[str, Any], mistake: str) -> None:
    with pytest.raises(ConfigurationError, match=mistake):
        AlertSubscriber(nowhere, **asked)


def test_iteration_gives_one_after_the_other(bootstrap: str, run_id: str) -> None:
    with AlertSubscriber(bootstrap) as alerts:
        publish(bootstrap, *(an_alert(run_id, number) for number in range(3)), key=run_id)
        assert list(itertools.islice(alerts, 3)) == [an_alert(run_id, number) for number in range(3)]


def test_repeats_are_left_out_and_what_cannot_be_read_is_counted(
    bootstrap: str, run_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    twice = an_alert(run_id, 0)
    with AlertSubscriber(bootstrap) as alerts:
        publish(bootstrap, twice, b"{", twice, b"{}", an_alert(run_id, 1), twice, an_alert(run_id, 2), key=run_id)
        assert numbers(alerts, run_id, count=3) == [0, 1, 2]
        assert alerts.skipped == 2
    assert caplog.text.count("skipped the record at driftline.alerts, partition ") == 2


def test_only_so_many_ids_are_remembered(bootstrap: str, run_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftline.client.subscription._REMEMBERED", 2)
    with AlertSubscriber(bootstrap) as alerts:
        publish(bootstrap, *(an_alert(run_id, number) for number in (0, 1, 0, 2, 1, 0)), key=run_id)
        # The second 0 made 1 the oldest, and 2 put it out; then 1 put out 0.
        assert numbers(alerts, run_id, count=5) == [0, 1, 2, 1, 0]


def test_without_a_group_all_of_them_come_each_time(bootstrap: str, run_id: str) -> None:
    publish(bootstrap, an_alert(run_id, 0), an_alert(run_id, 1), key=run_id)
    for _ in range(2):
        with AlertSubscriber(bootstrap, from_beginning=True) as alerts:
            assert numbers(alerts, run_id, count=2) == [0, 1]


def test_without_a_group_the_next_alert_comes_even_if_it_was_published_before_the_first_poll(
    bootstrap: str, run_id: str
) -> None:
    publish(bootstrap, an_alert(run_id, 0), key=run_id)
    with AlertSubscriber(bootstrap) as alerts:
        publish(bootstrap, an_alert(run_id, 1), key=run_id)
        assert numbers(alerts, run_id, count=1) == [1]


def test_a_new_group_begins_with_the_next_alert(bootstrap: str, run_id: str, prompt: dict[str, int]) -> None:
    publish(bootstrap, an_alert(run_id, 0), key=run_id)
    with AlertSubscriber(bootstrap, run_id, options=prompt) as alerts:
        assert f"{run_id}-0" not in joined(alerts, bootstrap, run_id)


@pytest.mark.parametrize("strategy", ["range,roundrobin", "cooperative-sticky"])
def test_what_is_published_while_a_group_is_down_comes_from_partitions_too_that_it_never_read(
    bootstrap: str, run_id: str, prompt: dict[str, int], strategy: str
) -> None:
    options: dict[str, str | int | float | bool] = {**prompt, "partition.assignment.strategy": strategy}
    with AlertSubscriber(bootstrap, run_id, options=options) as alerts:
        joined(alerts, bootstrap, run_id)
    missing = {f"{run_id}-{number}" for number in range(1000, 1016)}
    delivery = Delivery(bootstrap, linger_ms=5, patience=10)
    for number in range(1000, 1016):
        delivery.put(ALERTS, key=f"{run_id}-{number}".encode(), value=encode(an_alert(run_id, number)))
    delivery.close(10)
    with AlertSubscriber(bootstrap, run_id, options=options) as alerts:

        def all_came() -> bool:
            while missing and (alert := alerts.poll(0.2)) is not None:
                missing.discard(alert.alert_id)
            return not missing

        eventually(all_came)


def test_a_group_whose_place_is_not_told_says_so_and_skips_nothing(
    bootstrap: str, run_id: str, prompt: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with AlertSubscriber(bootstrap, run_id, options=prompt) as alerts:
        publish(bootstrap, an_alert(run_id, 0), key=run_id)
        with monkeypatch.context() as at_once:
            at_once.setattr("driftline.client.subscription._CONNECT_SECONDS", 0.0)
            with pytest.raises(UnavailableError, match=f"^Kafka at {bootstrap} does not answer"):
                eventually(lambda: alerts.poll(0.2))
        assert numbers(alerts, run_id, count=1) == [0]


def test_a_group_that_was_down_too_long_goes_on_with_the_oldest_alert_left(kafka: str, run_id: str) -> None:
    make_topics(kafka)
    publish(kafka, an_alert(run_id, 0), key=run_id)
    with AlertSubscriber(kafka, run_id, from_beginning=True) as alerts:
        assert numbers(alerts, run_id, count=1) == [0]
        alerts.poll(0)
    publish(kafka, *(an_alert(run_id, number) for number in range(1, 5)), key=run_id)
    of_ours = read_topic(kafka, ALERTS, lambda m: m.key() == run_id.encode(), count=5)
    third = TopicPartition(ALERTS, of_ours[2].partition() or 0, of_ours[2].offset() or 0)
    admin = AdminClient({"bootstrap.servers": kafka})
    for answer in admin.delete_records([third]).values():
        answer.result()
    with AlertSubscriber(kafka, run_id) as alerts:
        assert numbers(alerts, run_id, count=3) == [2, 3, 4]


def test_a_group_without_a_name_is_refused(nowhere: str) -> None:
    with pytest.raises(ConfigurationError, match="the consumer group has an empty name"):
        AlertSubscriber(nowhere, "")


def test_a_subscriber_that_was_closed_says_so(bootstrap: str) -> None:
    alerts = AlertSubscriber(bootstrap)
    alerts.close()
    with pytest.raises(UnavailableError, match=r"^the subscriber is closed$"):
        alerts.poll(0)


def test_two_members_share_the_alerts_and_hand_over(bootstrap: str, run_id: str, prompt: dict[str, int]) -> None:
    events = [an_alert(run_id, number) for number in range(40)]
    for start in range(4):
        publish(bootstrap, *events[start::4], key=f"{run_id}-{start}")
    seen: list[str] = []

    def take(alerts: AlertSubscriber) -> int:
        """Take up to one of our alerts, and give how many different ones have come in all."""
        while (alert := alerts.poll(0.02)) is not None:
            if alert.model_id == run_id:
                seen.append(alert.alert_id)
                break
        return len(set(seen))

    with AlertSubscriber(bootstrap, run_id, from_beginning=True, options=prompt) as one:
        eventually(lambda: take(one) >= 5)
        with AlertSubscriber(bootstrap, run_id, from_beginning=True, options=prompt) as two:
            eventually(lambda: take(one) + take(two) >= 80, seconds=60)
    # At least once, and more than once only what was under way at the hand-over.
    assert set(seen) == {event.alert_id for event in events}


def test_an_event_of_a_partition_that_has_gone_is_left_to_its_new_owner(
    bootstrap: str, run_id: str, prompt: dict[str, int]
) -> None:
    publish(bootstrap, an_alert(run_id, 0), key=run_id)
    with AlertSubscriber(bootstrap, run_id, from_beginning=True, options=prompt) as alerts:
        assert numbers(alerts, run_id, count=1) == [0]
        alerts._consumer.unassign()  # noqa: SLF001 - as a rebalance does, at a moment of the test's choice
        assert alerts.poll(0) is None
    with AlertSubscriber(bootstrap, run_id, from_beginning=True, options=prompt) as alerts:
        assert numbers(alerts, run_id, count=1) == [0]


def test_requests_to_retrain_are_read_alike(bootstrap: str, run_id: str) -> None:
    request = RetrainRequest.model_validate(
        {
            "retrain_id": run_id,
            "model_id": run_id,
            "model_version": "7",
            "reason": {"kinds": ["performance"], "incident_ids": ["i"]},
            "urgency": "warning",
            "change_point": {"earliest": 0, "latest": 1000},
            "training_data": [{"topic": LABELS, "partition": 2, "start": 0, "end": 10}],
            "labelled_count": 1000,
            "event_time": 0,
        }
    )
    publish(bootstrap, request, request, key=run_id)
    with RetrainSubscriber(bootstrap, from_beginning=True) as requests:
        found = [r for r in iter(lambda: requests.poll(2), None) if r.model_id == run_id]
    assert found == [request]


def test_a_subscriber_without_a_broker_says_so_in_time(nowhere: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftline.client.subscription._CONNECT_SECONDS", 0.5)
    start = time.monotonic()
    with pytest.raises(UnavailableError, match=rf"^Kafka at {nowhere} does not answer \(.*Connection refused\)$"):
        AlertSubscriber(nowhere, "pager")
    assert time.monotonic() - start < 5


def test_a_subscriber_without_its_topic_says_what_to_do() -> None:
    said = r"^the topic driftline\.alerts does not exist: run `driftline topics create`$"
    with EmbeddedBroker() as server, pytest.raises(TopologyError, match=said):
        AlertSubscriber(server.bootstrap, "pager")


def test_a_subscriber_outlasts_a_broker_that_has_gone(caplog: pytest.LogCaptureFixture) -> None:
    with EmbeddedBroker() as server:
        make_topics(server.bootstrap)
        with AlertSubscriber(server.bootstrap, from_beginning=True) as alerts:
            server.kill()

            def warned() -> bool:
                assert alerts.poll(0.1) is None
                return f"no broker of Kafka at {server.bootstrap} answers" in caplog.text

            eventually(warned)


# --- StateReader


def a_state(model_id: str, *, joined: int = 0) -> ModelState:
    return ModelState.model_validate(
        {
            "model_id": model_id,
            "partition": partition_of(model_id, 8),
            "task": "binary",
            "task_inferred": True,
            "classes": ["0", "1"],
            "positive_label": "1",
            "model_version": "7",
            "watermark": 1795406400250,
            "next_offsets": {PREDICTIONS: 17},
            "counts": dict.fromkeys(Counts.model_fields, 0) | {"joined": joined},
            "performance": {"accuracy": 0.9},
            "challenger": None,
            "label_delay": {},
            "serving_latency": {},
            "features": {},
            "detectors": {},
            "incidents": [],
            "reference": {},
        }
    )


@pytest.fixture
def worker_redis(empty_redis: str) -> Iterator[redis.Redis]:
    """Give a connection to a Redis on which a worker of 8 partitions has run."""
    with redis.Redis.from_url(empty_redis) as connection:
        connection.hset(keys.TOPOLOGY, "partitions", "8")
        yield connection


class Waiting:
    """An `AsyncStateReader` for those who wait for each answer."""

    def __init__(self, url: str) -> None:
        self._runner = asyncio.Runner()
        self._reader = self._runner.run(self._make(url))

    @staticmethod
    async def _make(url: str) -> AsyncStateReader:
        return AsyncStateReader(url)

    def models(self) -> list[str]:
        return self._runner.run(self._reader.models())

    def state(self, model_id: str) -> ModelState | None:
        return self._runner.run(self._reader.state(model_id))

    def overviews(self) -> list[Overview]:
        return self._runner.run(self._reader.overviews())

    def states(self) -> list[ModelState]:
        async def all_of_them() -> list[ModelState]:
            return [state async for state in self._reader.states()]

        return self._runner.run(all_of_them())

    def history(self, *asked: Any) -> History | None:  # noqa: ANN401 - as the reader's
        return self._runner.run(self._reader.history(*asked))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._reader.close())
        self._runner.close()


Reader: TypeAlias = type[StateReader] | type[Waiting]


@pytest.fixture(params=[StateReader, Waiting], ids=["sync", "async"])
def reading(request: pytest.FixtureRequest) -> Reader:
    reader: Reader = request.param
    return reader


def store(connection: redis.Redis, *states: ModelState) -> None:
    for state in states:
        connection.hset(keys.state(state.partition), state.model_id, state.model_dump_json())
        connection.hset(keys.overview(state.partition), state.model_id, Overview.of(state).model_dump_json())


def test_the_state_of_every_model_is_read(reading: Reader, empty_redis: str, worker_redis: redis.Redis) -> None:
    states = {f"größe-{i}": a_state(f"größe-{i}", joined=i) for i in range(1000)}
    store(worker_redis, *states.values())
    with reading(empty_redis) as reader:
        assert reader.models() == sorted(states)
        assert reader.state("größe-17") == states["größe-17"]
        assert reader.state("never seen") is None
        assert {state.model_id: state for state in reader.states()} == states
        assert reader.overviews() == [Overview.of(states[model_id]) for model_id in sorted(states)]


def test_a_reader_sees_the_next_checkpoint(reading: Reader, empty_redis: str, worker_redis: redis.Redis) -> None:
    with reading(empty_redis) as reader:
        assert reader.models() == []
        for joined in (1, 2):
            store(worker_redis, a_state("m", joined=joined))
            state = reader.state("m")
            assert state is not None
            assert state.counts.joined == joined


def test_a_redis_without_a_worker_is_explained(reading: Reader, empty_redis: str) -> None:
    calls: list[Callable[[StateReader | Waiting], object]] = [
        lambda reader: reader.models(),
        lambda reader: reader.state("m"),
        lambda reader: reader.history("m"),
        lambda reader: reader.overviews(),
        lambda reader: list(reader.states()),
    ]
    with reading(empty_redis) as reader:
        for call in calls:
            with pytest.raises(TopologyError, match="no worker has run on it"):
                call(reader)


def test_a_reader_outlasts_a_redis_that_was_set_up_anew(
    reading: Reader, empty_redis: str, worker_redis: redis.Redis
) -> None:
    moved = next(name for name in map(str, itertools.count()) if partition_of(name, 8) != partition_of(name, 16))
    with reading(empty_redis) as reader:
        assert reader.state(moved) is None
        worker_redis.flushall()
        worker_redis.hset(keys.TOPOLOGY, "partitions", "16")
        state = a_state(moved).model_copy(update={"partition": partition_of(moved, 16)})
        store(worker_redis, state)
        assert reader.state(moved) == state
    for ask in (lambda reader: reader.models() == [moved], lambda reader: list(reader.states()) == [state]):
        worker_redis.hset(keys.TOPOLOGY, "partitions", "8")
        with reading(empty_redis) as reader:
            assert reader.models() == []
            worker_redis.hset(keys.TOPOLOGY, "partitions", "16")
            assert ask(reader)


@pytest.mark.parametrize("partitions", ["oops", "0", "-8", "1.5", ""])
def test_a_topology_of_something_else_is_explained(
    reading: Reader, empty_redis: str, worker_redis: redis.Redis, partitions: str
) -> None:
    worker_redis.hset(keys.TOPOLOGY, "partitions", partitions)
    with reading(empty_redis) as reader, pytest.raises(TopologyError, match=r"driftline:topology .* is not Dri"):
        reader.state("m")


def test_a_state_of_another_version_is_explained(reading: Reader, empty_redis: str, worker_redis: redis.Redis) -> None:
    document = json.loads(a_state("m").model_dump_json()) | {"mood": "good"}
    worker_redis.hset(keys.state(partition_of("m", 8)), "m", json.dumps(document))
    with reading(empty_redis) as reader, pytest.raises(SnapshotError, match="another version of Driftline"):
        reader.state("m")


def test_a_redis_that_is_down_or_locked_is_explained_without_its_password(reading: Reader) -> None:
    with EmbeddedValkey() as server:
        url = server.url.replace("//", "//:hunter2@")
        with redis.Redis.from_url(server.url) as operator:
            operator.config_set("requirepass", "another")
        with reading(url) as reader:
            with pytest.raises(UnavailableError, match=f"^Redis at 127.0.0.1:{server.port} ") as locked:
                reader.models()
            server.kill()
            with pytest.raises(
                UnavailableError, match=r"does not answer: .*Connect(ion| call) (refused|reset|failed)"
            ) as down:
                reader.state("m")
        assert "hunter2" not in str(locked.value) + str(down.value)


def keep(connection: redis.Redis, *moments: int, model_id: str = "m") -> None:
    """Store what metrics were at some checkpoints, by the number of each."""
    columns, partition = Columns(), partition_of(model_id, 8)
    for nth, at in enumerate(moments):
        state = a_state(model_id, joined=nth).model_copy(update={"watermark": at})
        for field, row in columns.rows(state).items():
            connection.hset(keys.series(partition), field, row)
    connection.hset(keys.columns(partition), model_id, columns.pack())


def test_metrics_are_read_over_time(reading: Reader, empty_redis: str, worker_redis: redis.Redis) -> None:
    first = 1_795_406_400_000  # a full hour
    minutes = [first + 60_000 * minute for minute in range(100)]
    keep(worker_redis, *minutes, minutes[-1] + 59_999)
    keep(worker_redis, first, model_id="another")
    with reading(empty_redis) as reader:
        found = reader.history("m")
        assert found is not None
        assert found.times == [*minutes[40:-1], minutes[-1] + 59_999]
        assert found.metrics["counts.joined"] == [*range(40, 99), 100]
        found = reader.history("m", "15m", ["counts.joined", "performance.accuracy", "no such"])
        assert found is not None
        assert found.times == [*minutes[14::15], minutes[-1] + 59_999]
        assert found.metrics == {
            "counts.joined": [*range(14, 100, 15), 100],
            "performance.accuracy": [0.9] * 7,
            "no such": [None] * 7,
        }
        assert reader.history("never seen") is None
        with pytest.raises(ConfigurationError, match="there is no resolution '2m'"):
            reader.history("m", "2m")


def test_what_a_pause_has_left_of_a_round_before_is_not_read(
    reading: Reader, empty_redis: str, worker_redis: redis.Redis
) -> None:
    first = 1_795_406_400_000
    later = first + 3_600_000 + 600_000
    keep(worker_redis, first, first + 600_000 - 1, first + 1_200_000, later)
    with reading(empty_redis) as reader:
        found = reader.history("m")
        assert found is not None
        assert found.times == [first + 1_200_000, later]


# --- what it costs, and its documentation


def test_importing_the_client_is_light() -> None:
    """What that costs is measured by ``benchmarks.imports``; here is what must never be part of it."""
    script = """
        import sys
        import driftline.client
        heavy = {"aiokafka", "faust", "numpy", "prometheus_client", "rich", "river", "typer", "yaml"}
        print(sorted(heavy & sys.modules.keys()), sorted(m for m in sys.modules if m.startswith("driftline.streams")))
    """
    said = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True, timeout=60
    )
    assert said.stdout == "[] []\n"


@pytest.mark.parametrize(
    "example", [EventProducer, AsyncEventProducer, AlertSubscriber, RetrainSubscriber, StateReader, AsyncStateReader]
)
def test_the_examples_of_the_documentation_run(
    example: type[object],
    bootstrap: str,
    empty_redis: str,
    worker_redis: redis.Redis,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_id = str(uuid.uuid4())
    publish(bootstrap, an_alert(run_id, 0), key=run_id)
    store(worker_redis, a_state("fraud", joined=17))
    _, _, code = textwrap.dedent("    " + (example.__doc__ or "")).partition("::\n")
    code = code.replace("127.0.0.1:9092", bootstrap).replace("redis://127.0.0.1:6379/0", empty_redis)
    for group in ("pager", "trainer"):
        code = code.replace(f'"{group}"', f'"{run_id}"')
    exec(textwrap.dedent(code), {})  # noqa: S102 - our own documentation
    printed = capsys.readouterr().out
    if example is AlertSubscriber:
        assert "feature amount" in printed
    if example in {StateReader, AsyncStateReader}:
        assert printed == "fraud 17 []\n"


def test_all_that_is_exported_is_there() -> None:
    assert all(hasattr(client, name) for name in client.__all__)
