"""The topics: made once, and insisted on."""

import time
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from driftline.schemas.errors import TopologyError, UnavailableError
from driftline.schemas.topics import DEAD_LETTER, INCIDENTS, LABELS, PREDICTIONS
from driftline.streams.children import free_port
from driftline.streams.embedded import EmbeddedBroker
from driftline.streams.topology import TOPICS, check_topics, create_topics, mention_topics
from tests.conditions import eventually
from tests.servers.kafka import KafkaServer

DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def empty_kafka(kafka: str) -> Iterator[str]:
    """Bootstrap address of a real Kafka without topics; `kafka` is asked for because it knows when there is none."""
    assert kafka
    with KafkaServer() as server:
        yield server.bootstrap


def test_topics_are_created_once_with_their_settings(empty_kafka: str) -> None:
    admin = AdminClient({"bootstrap.servers": empty_kafka})
    with pytest.raises(
        TopologyError, match=r"has no topic driftline.predictions, .*dead-letter: run `driftline topics"
    ):
        check_topics(empty_kafka)

    with pytest.raises(TopologyError, match=r"driftline.predictions was not created: .*[Rr]eplication"):
        create_topics(empty_kafka, partitions=6, replication_factor=3)
    admin.create_topics([NewTopic(PREDICTIONS, 6, 1)])[PREDICTIONS].result(10)
    assert create_topics(empty_kafka, partitions=6, replication_factor=1) == list(TOPICS[1:])
    assert create_topics(empty_kafka, partitions=6, replication_factor=1) == []

    assert check_topics(empty_kafka).partitions == 6
    settings = {
        topic: {name: entry.value for name, entry in answer.result(10).items()}
        for topic in TOPICS[1:]
        for answer in admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, topic)]).values()
    }
    policies = {topic: of_topic["cleanup.policy"] for topic, of_topic in settings.items()}
    assert policies == {topic: "compact" if topic == INCIDENTS else "delete" for topic in TOPICS[1:]}
    del settings[INCIDENTS]  # which keeps the last of each for ever
    assert {topic.rpartition(".")[2]: int(s["retention.ms"]) // DAY_MS for topic, s in settings.items()} == {
        "labels": 7,
        "alerts": 30,
        "retrain": 30,
        "journal": 7,
        "dead-letter": 7,
    }
    assert settings[LABELS]["message.timestamp.type"] == "LogAppendTime"
    assert int(settings[DEAD_LETTER]["max.message.bytes"]) == 10 * int(settings[LABELS]["max.message.bytes"])


def test_inputs_that_do_not_match_are_explained(empty_kafka: str) -> None:
    create_topics(empty_kafka, partitions=6, replication_factor=1)
    admin = AdminClient({"bootstrap.servers": empty_kafka})
    admin.delete_topics([LABELS])[LABELS].result(10)
    eventually(lambda: LABELS not in admin.list_topics(timeout=5).topics)
    with pytest.raises(TopologyError, match=r"has no topic driftline.labels: run"):
        check_topics(empty_kafka)
    admin.create_topics([NewTopic(LABELS, 3, 1)])[LABELS].result(10)
    eventually(lambda: LABELS in admin.list_topics(timeout=5).topics)
    with pytest.raises(TopologyError, match=r"driftline.predictions has 6 partitions and driftline.labels 3"):
        check_topics(empty_kafka)


def test_the_check_works_on_the_embedded_broker() -> None:
    with EmbeddedBroker() as server:
        with pytest.raises(TopologyError, match="has no topic"):
            check_topics(server.bootstrap)
        mention_topics(server.bootstrap)
        assert check_topics(server.bootstrap).partitions == 4
        assert create_topics(server.bootstrap, partitions=4, replication_factor=1) == []


def test_a_broker_that_is_down_is_explained_in_time() -> None:
    address = f"127.0.0.1:{free_port()}"
    start = time.monotonic()
    for call in (
        lambda: check_topics(address, timeout=0.5),
        lambda: create_topics(address, 8, 1, timeout=0.5),
        lambda: mention_topics(address, timeout=0.5),
    ):
        with pytest.raises(UnavailableError, match=rf"^Kafka at {address} does not answer \(.*Connection refused\)$"):
            call()
    assert time.monotonic() - start < 10


def test_a_host_that_does_not_exist_is_explained() -> None:
    with pytest.raises(UnavailableError, match=r"does not answer \(.*resolve"):
        check_topics("no-such-host.invalid:9092", timeout=1)


def test_a_broker_that_cannot_create_topics_is_explained_in_time() -> None:
    with (
        EmbeddedBroker() as server,
        pytest.raises(UnavailableError, match=r"^the topic driftline\.predictions was not created: .* does not answer"),
    ):
        create_topics(server.bootstrap, partitions=4, replication_factor=1, timeout=0.5)
