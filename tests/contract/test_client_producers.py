"""What both producers of events keep: room is waited for, losses are counted, answers are measured."""

import asyncio
import time
import uuid
from contextlib import suppress

import pytest

from driftline.client import (
    AsyncEventProducer,
    DecodeError,
    EventProducer,
    Label,
    Prediction,
    UnavailableError,
)
from driftline.schemas.decoding import decode
from driftline.schemas.errors import Reason
from driftline.schemas.topics import LABELS, PREDICTIONS
from driftline.streams.children import free_port
from tests.topics import make_topics, read_topic

TINY = {"queue.buffering.max.messages": 2}


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


def a_label(model_id: str, number: int) -> Label:
    return Label(model_id=model_id, prediction_id=str(number), timestamp=0, label=number)


def test_events_of_an_event_loop_arrive_in_order_though_there_is_little_room(bootstrap: str, run_id: str) -> None:
    async def send() -> int:
        async with AsyncEventProducer(bootstrap, linger_ms=1, options=TINY) as producer:
            for number in range(50):
                await producer.send(a_label(run_id, number))
            await producer.send_labels(model_id=run_id, prediction_id=["50", "51"], timestamp=0, label=[50, 51])
            await producer.flush()
            return producer.undelivered

    assert asyncio.run(send()) == 0
    records = read_topic(bootstrap, LABELS, lambda m: m.key() == run_id.encode(), count=51)
    assert [decode(record.value(), Label).label for record in records[:50]] == list(range(50))


def test_who_waits_for_room_leaves_the_event_loop_to_others(nowhere: str) -> None:
    async def send() -> tuple[str, float]:
        producer = AsyncEventProducer(nowhere, patience=0.6, options=TINY | {"message.timeout.ms": 60_000})
        longest, is_over = 0.0, False

        async def tick() -> None:
            nonlocal longest
            while not is_over:
                before = time.monotonic()
                await asyncio.sleep(0.01)
                longest = max(longest, time.monotonic() - before)

        ticking = asyncio.create_task(tick())
        for number in range(2):
            await producer.send(a_label("m", number))
        with pytest.raises(UnavailableError) as full:
            await producer.send(a_label("m", 2))
        is_over = True
        await ticking
        with pytest.raises(UnavailableError, match="2 records were not delivered within 0 s"):
            await producer.close(0)
        return str(full.value), longest

    said, longest = asyncio.run(send())
    assert said.startswith(f"the buffer is full, 2 records were not delivered yet: Kafka at {nowhere} does not answer")
    assert longest < 0.5  # less than it waited


def test_what_is_lost_is_counted_for_good(nowhere: str) -> None:
    options = {"message.timeout.ms": 200}
    producer = EventProducer(nowhere, options=options)
    for count in (2, 3):
        producer.send(a_label("m", 1))
        if count == 2:
            producer.send(a_label("m", 2))
        with pytest.raises(UnavailableError):
            producer.flush()
        assert producer.undelivered == count
    producer.close()

    async def lose() -> int:
        lost = AsyncEventProducer(nowhere, options=options)
        await lost.send(a_label("m", 1))
        with pytest.raises(UnavailableError, match="1 record was not delivered"):
            await lost.__aexit__(None, None, None)
        return lost.undelivered

    assert asyncio.run(lose()) == 1


def test_an_error_of_the_service_is_not_replaced(nowhere: str) -> None:
    async def serve() -> None:
        async with AsyncEventProducer(nowhere, options={"message.timeout.ms": 200}) as producer:
            await producer.send(a_label("m", 1))
            raise KeyError("the service's own")

    with pytest.raises(KeyError) as raised:
        asyncio.run(serve())
    assert raised.value.__notes__[0].startswith("1 record was not delivered")


def serve(producer: EventProducer, run_id: str) -> list[str]:
    """Serve two predictions, one of which fails, and return their ids."""
    with producer.serving(run_id, "7", features={"amount": 12.5}, segments={"region": "eu"}) as served:
        time.sleep(0.02)
        served.score = 0.75
        served.prediction = True
    with suppress(KeyError), producer.serving(run_id, "7", prediction_id="own") as failed:
        failed.prediction = 0
        raise KeyError
    with producer.serving(run_id, "7", prediction_id="own") as own:
        own.prediction = "no"
    return [served.prediction_id, own.prediction_id]


async def serve_meanwhile(producer: AsyncEventProducer, run_id: str) -> list[str]:
    async with producer.serving(run_id, "7", features={"amount": 12.5}, segments={"region": "eu"}) as served:
        await asyncio.sleep(0.02)
        served.score = 0.75
        served.prediction = True
    with suppress(KeyError):
        async with producer.serving(run_id, "7", prediction_id="own") as failed:
            failed.prediction = 0
            raise KeyError
    async with producer.serving(run_id, "7", prediction_id="own") as own:
        own.prediction = "no"
    return [served.prediction_id, own.prediction_id]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_an_answer_is_measured_and_named(bootstrap: str, run_id: str, *, is_async: bool) -> None:
    async def meanwhile() -> list[str]:
        async with AsyncEventProducer(bootstrap) as producer:
            return await serve_meanwhile(producer, run_id)

    before = time.time() * 1000
    if is_async:
        ids = asyncio.run(meanwhile())
    else:
        with EventProducer(bootstrap) as producer:
            ids = serve(producer, run_id)
    records = read_topic(bootstrap, PREDICTIONS, lambda m: m.key() == run_id.encode(), count=2)
    first, second = (decode(record.value(), Prediction) for record in records)
    assert [first.prediction_id, second.prediction_id] == ids
    assert ids[1] == "own"
    assert len(ids[0]) == 32
    assert (first.prediction, first.score, first.features) == (True, 0.75, {"amount": 12.5})
    assert (first.segments, first.model_version, second.prediction) == ({"region": "eu"}, "7", "no")
    assert before - 1 <= first.timestamp <= second.timestamp <= time.time() * 1000
    assert 20 <= (first.latency_ms or 0) < 60_000


def test_an_answer_without_a_prediction_is_refused(nowhere: str) -> None:
    with EventProducer(nowhere) as producer, pytest.raises(DecodeError) as refusal, producer.serving("m", "7"):
        pass
    assert refusal.value.reason is Reason.MISSING_FIELD
    assert "prediction" in str(refusal.value)


@pytest.mark.parametrize("missing", ["model_id", "prediction_id", "label"])
def test_columns_that_are_needed_are_named(nowhere: str, missing: str) -> None:
    columns = {"model_id": "m", "prediction_id": ["a"], "timestamp": 0, "label": [1]}
    del columns[missing]
    with EventProducer(nowhere) as producer, pytest.raises(DecodeError, match=f"{missing}: is missing"):
        producer.send_labels(**columns)  # type: ignore[arg-type]  # what the type forbids
