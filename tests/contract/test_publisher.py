"""What the worker publishes arrives, whole and in order, or `flush` says that it did not."""

import asyncio
import hashlib
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Message

from driftline.client.delivery import Delivery
from driftline.schemas.alerts import Alert, AlertState, RetrainRequest
from driftline.schemas.dead_letter import DeadLetter
from driftline.schemas.decoding import MAX_BYTES
from driftline.schemas.errors import ConfigurationError, Reason, UnavailableError
from driftline.schemas.events import encode
from driftline.schemas.partitioner import partition_of
from driftline.schemas.topics import ALERTS, DEAD_LETTER, INCIDENTS, RETRAIN
from driftline.streams.children import free_port
from driftline.streams.metrics import Metrics
from driftline.streams.outgoing import Outgoing, outgoing, refused
from driftline.streams.outlet import Outlet
from driftline.streams.publisher import Publisher
from driftline.streams.topology import MAX_INPUT_BYTES, check_topics
from tests.servers.kafka import KafkaServer
from tests.topics import make_topics, read_topic
from tests.transport_harness import until


@pytest.fixture(scope="module")
def bootstrap(broker: str) -> str:
    make_topics(broker)
    return broker


@pytest.fixture
def publisher(bootstrap: str) -> Iterator[Publisher]:
    publisher = Publisher(bootstrap)
    yield publisher
    publisher.close()


@pytest.fixture
def nowhere() -> str:
    """Address at which nothing listens."""
    return f"127.0.0.1:{free_port()}"


def noise(size: int) -> bytes:
    """Give bytes that do not compress."""
    return hashlib.shake_256().digest(size)


def publish(publisher: Publisher, event: Alert | RetrainRequest) -> None:
    for record in outgoing(event):
        publisher.put(record)


def an_alert(incident_id: str, number: int = 0) -> Alert:
    return Alert.model_validate(
        {
            "alert_id": f"{incident_id}-{number}",
            "incident_id": incident_id,
            "state": "firing",
            "severity": "warning",
            "model_id": "fraud",
            "model_version": "7",
            "kind": "data_drift",
            "detector": "e_sr",
            "target": {"feature": "amount"},
            "statistic": 0.2,
            "threshold": 0.1,
            "effect": {"measure": "psi", "value": 0.3, "before": 1.0, "after": 100.0},
            "change_point": {"earliest": 0, "latest": 1000},
            "event_time": 1795406400250,
            "offsets": [{"topic": "driftline.predictions", "partition": 2, "start": 0, "end": 10}],
            "message": "amount moved",
        }
    )


def a_request(retrain_id: str, model_id: str) -> RetrainRequest:
    return RetrainRequest.model_validate(
        {
            "retrain_id": retrain_id,
            "model_id": model_id,
            "model_version": "7",
            "reason": {"kinds": ["performance"], "incident_ids": ["i"]},
            "urgency": "warning",
            "change_point": {"earliest": 0, "latest": 1000},
            "training_data": [],
            "labelled_count": 1000,
            "event_time": 1795406400250,
        }
    )


def a_letter(key: bytes | None, value: bytes | None, *headers: tuple[str, bytes | None]) -> DeadLetter:
    offset = uuid.uuid4().int >> 68  # its own, among those of other tests
    return DeadLetter(Reason.INVALID_JSON, "not JSON", "driftline.labels", 3, offset, 17, key, value, headers)


def read_letters(bootstrap: str, letters: list[DeadLetter]) -> list[DeadLetter]:
    """Read these dead letters back from their topic, in the order of `letters`."""
    ids = {letter.id: position for position, letter in enumerate(letters)}

    def parse(message: Message) -> DeadLetter:
        headers: Any = message.headers()  # typed as what one may send, not as what comes
        return DeadLetter.parse(message.key(), message.value(), headers)

    records = read_topic(bootstrap, DEAD_LETTER, lambda message: parse(message).id in ids, count=len(letters))
    return sorted(map(parse, records), key=lambda letter: ids[letter.id])


def test_an_alert_arrives_as_a_cloudevent(bootstrap: str, publisher: Publisher) -> None:
    alert = an_alert(str(uuid.uuid4()))
    publish(publisher, alert)
    asyncio.run(publisher.flush())

    (record,) = read_topic(bootstrap, ALERTS, lambda m: m.key() == alert.incident_id.encode(), count=1)
    assert Alert.model_validate_json(record.value() or b"") == alert
    assert record.partition() == partition_of(alert.incident_id, check_topics(bootstrap).partitions)
    assert dict(record.headers() or []) == {
        "ce_specversion": b"1.0",
        "ce_id": alert.alert_id.encode(),
        "ce_source": b"driftline",
        "ce_type": b"driftline.alert.firing.v1",
        "ce_time": b"2026-11-23T04:00:00.250Z",
        "content-type": b"application/json",
    }


def test_the_incidents_keep_the_last_alert_of_what_is_open_and_nothing_of_what_is_over(
    bootstrap: str, publisher: Publisher
) -> None:
    first, second = an_alert(str(uuid.uuid4())), an_alert(str(uuid.uuid4()))
    for alert in (first, second, second.model_copy(update={"state": AlertState.RESOLVED})):
        publish(publisher, alert)
    asyncio.run(publisher.flush())

    keys = [first.incident_id.encode(), second.incident_id.encode()]
    records = read_topic(bootstrap, INCIDENTS, lambda m: m.key() in keys, count=3)
    values = {key: [record.value() for record in records if record.key() == key] for key in keys}
    assert values == {keys[0]: [encode(first)], keys[1]: [encode(second), None]}


def test_a_request_to_retrain_arrives_under_its_model(bootstrap: str, publisher: Publisher) -> None:
    request = a_request("r", str(uuid.uuid4()))
    publish(publisher, request)
    asyncio.run(publisher.flush())

    (record,) = read_topic(bootstrap, RETRAIN, lambda m: m.key() == request.model_id.encode(), count=1)
    assert RetrainRequest.model_validate_json(record.value() or b"") == request
    assert dict(record.headers() or [])["ce_type"] == b"driftline.retrain.v1"


def test_an_incident_s_alerts_stay_in_order(bootstrap: str, publisher: Publisher) -> None:
    incident = str(uuid.uuid4())
    for number in range(2000):
        publish(publisher, an_alert(incident, number))
    asyncio.run(publisher.flush())
    assert len(publisher) == 0

    records = read_topic(bootstrap, ALERTS, lambda m: m.key() == incident.encode(), count=2000)
    ids = [Alert.model_validate_json(record.value() or b"").alert_id for record in records]
    assert ids == [f"{incident}-{number}" for number in range(2000)]


def test_a_dead_letter_keeps_every_byte(bootstrap: str, publisher: Publisher) -> None:
    letters = [
        a_letter(None, None),
        a_letter(b"", b""),
        a_letter(b"fraud", None),
        a_letter(None, bytes(range(256))),
        a_letter(b"\x00\xff", b"{", ("trace", b"\xff"), ("trace", None), ("dl.reason", b"theirs"), ("größe", b"")),
    ]
    for letter in letters:
        publisher.put(refused(letter))
    asyncio.run(publisher.flush())
    assert read_letters(bootstrap, letters) == letters


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(noise(MAX_BYTES + 1), id="one byte too large to be read"),
        pytest.param(noise(MAX_INPUT_BYTES - 2000), id="the largest that a topic takes"),
        pytest.param(b" " * 5_000_000, id="far larger, and compressed by its producer"),
    ],
)
def test_an_oversize_dead_letter_is_published(bootstrap: str, publisher: Publisher, value: bytes) -> None:
    letter = a_letter(b"k" * 256, value, ("h", b"x" * 1000))
    publisher.put(refused(letter))
    asyncio.run(publisher.flush())
    assert read_letters(bootstrap, [letter]) == [letter]


def test_what_the_broker_refuses_fails_the_flush_once(kafka: str) -> None:
    make_topics(kafka)
    publisher = Publisher(kafka)
    publisher.put(refused(a_letter(b"k", noise(12_000_000))))
    publisher.put(refused(a_letter(b"k", b"small")))
    with pytest.raises(UnavailableError, match=r"^1 record was not delivered: .* refused \(.*too large\)$"):
        asyncio.run(publisher.flush())
    asyncio.run(publisher.flush())
    publisher.close()


def test_flush_waits_beside_the_event_loop_and_says_what_is_left(nowhere: str) -> None:
    async def scenario() -> int:
        turns = 0

        async def turn() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0.01)

        turning = asyncio.create_task(turn())
        for _ in range(2):  # what is left stays
            said = rf"^2 records were not delivered within 0\.3 s: Kafka at {nowhere} does not answer \(.*refused\)$"
            with pytest.raises(UnavailableError, match=said):
                await lost.flush(0.3)
        turning.cancel()
        return turns

    lost = Publisher(nowhere)
    publish(lost, an_alert("i"))
    assert asyncio.run(scenario()) > 10
    with pytest.raises(UnavailableError, match=r"^2 records"):
        lost.close(timeout=0)
    lost.close()  # it is closed all the same


def test_what_was_given_up_is_said_once_with_its_count(nowhere: str, caplog: pytest.LogCaptureFixture) -> None:
    delivery = Delivery(nowhere, linger_ms=0, patience=1, options={"message.timeout.ms": 200})
    for _ in range(3):
        delivery.put("t", key=None, value=b"v")
    with pytest.raises(UnavailableError, match=r"^3 records were not delivered: .* does not answer"):
        delivery.flush(10)
    delivery.flush(10)
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "a record for t was not delivered: Local: Message timed out"
    ]
    delivery.put("t", key=None, value=b"v")
    with pytest.raises(UnavailableError, match=r"^1 record"):
        delivery.close(10)


def test_a_full_buffer_holds_the_sender_back(bootstrap: str) -> None:
    delivery = Delivery(bootstrap, linger_ms=5, patience=10, options={"queue.buffering.max.messages": 10})
    key = uuid.uuid4().bytes
    for number in range(500):
        delivery.put(DEAD_LETTER, key=key, value=b"%d" % number, headers=a_letter(None, None).to_headers())
    delivery.close(10)
    records = read_topic(bootstrap, DEAD_LETTER, lambda m: m.key() == key, count=500)
    assert [int(record.value() or b"") for record in records] == list(range(500))


def test_a_buffer_that_stays_full_is_an_error_in_time(nowhere: str) -> None:
    delivery = Delivery(nowhere, linger_ms=5, patience=0.3, options={"queue.buffering.max.messages": 2})
    start = time.monotonic()
    for _ in range(2):
        delivery.put("t", key=None, value=b"v")
    with pytest.raises(
        UnavailableError,
        match=rf"^the buffer is full, 2 records were not delivered yet: Kafka at {nowhere} does not answer",
    ):
        delivery.put("t", key=None, value=b"v")
    assert 0.3 <= time.monotonic() - start < 5
    with pytest.raises(UnavailableError, match=r"^2 records"):
        delivery.close(0)


def test_a_record_that_can_never_be_sent_is_an_error_at_once(nowhere: str) -> None:
    delivery = Delivery(nowhere, linger_ms=5, patience=1)
    with pytest.raises(UnavailableError, match=r"^a record for t was not sent: .* refused \(.*too large\)$"):
        delivery.put("t", key=None, value=bytes(2_000_000))
    delivery.close(1)


@pytest.mark.parametrize("option", ["partitioner", "enable.idempotence", "acks", "bootstrap.servers", "linger.ms"])
def test_what_driftline_relies_on_is_no_option(nowhere: str, option: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the option {option} cannot be changed"):
        Delivery(nowhere, linger_ms=5, patience=1, options={option: "consistent"})


def test_an_option_that_does_not_exist_is_named(nowhere: str) -> None:
    with pytest.raises(ConfigurationError, match="nonsense"):
        Delivery(nowhere, linger_ms=5, patience=1, options={"nonsense": 1})


def test_records_outlast_a_broker_that_goes_and_comes_back(kafka: str) -> None:
    assert kafka  # it knows when there is no real Kafka
    with KafkaServer() as server:
        make_topics(server.bootstrap)
        publisher = Publisher(server.bootstrap)
        incident = "i"
        for number in range(100):
            publish(publisher, an_alert(incident, number))
        asyncio.run(publisher.flush())
        server.kill()
        for number in range(100, 200):
            publish(publisher, an_alert(incident, number))
        with pytest.raises(UnavailableError, match=r"^200 records were not delivered within 0\.5 s"):
            asyncio.run(publisher.flush(0.5))
        server.start()
        asyncio.run(publisher.flush(30))
        publisher.close()

        records = read_topic(server.bootstrap, ALERTS, lambda m: m.key() == b"i", count=200)
        ids = [Alert.model_validate_json(record.value() or b"").alert_id for record in records]
        assert ids == [f"{incident}-{number}" for number in range(200)]


def test_a_publishing_that_was_cancelled_is_nobody_else_s_loss(nowhere: str) -> None:
    async def scenario() -> None:
        publisher = Publisher(nowhere)
        outlet = Outlet(publisher, Metrics())
        publishing = asyncio.create_task(outlet.publish([Outgoing(ALERTS, b"i", b"{}")]))
        await until(lambda: len(publisher) > 0)
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        left = publisher._delivery._producer.flush(1)  # noqa: SLF001 - its own raises what is left
        assert left == 0, "it would be sent when Kafka is back, and others may have said more by then"
        await publisher.flush()  # which would raise
        publisher.close()

    asyncio.run(scenario())
