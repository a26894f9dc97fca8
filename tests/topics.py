"""Driftline's topics on the brokers of tests, and what they hold."""

from collections.abc import Callable

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from driftline.streams.topology import create_topics, mention_topics
from tests.conditions import eventually

PARTITIONS = 8


def make_topics(bootstrap: str) -> None:
    """Make the topics that a broker does not have: 8 partitions on a real one, 4 on the embedded one."""
    mention_topics(bootstrap)
    create_topics(bootstrap, PARTITIONS, replication_factor=1)


def read_topic(bootstrap: str, topic: str, wanted: Callable[[Message], bool], *, count: int) -> list[Message]:
    """Read a topic from its beginning until `count` wanted records have come, and return those.

    Those of one partition are in their order. The connection is closed before the records are returned.
    """
    found: list[Message] = []
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "tests", "enable.auto.commit": False, "log_level": 0}
    )
    try:
        partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in partitions])

        def enough() -> bool:
            messages = consumer.consume(1000, timeout=0.2)
            found.extend(m for m in messages if m.error() is None and wanted(m))
            return len(found) >= count

        eventually(enough)
    finally:
        consumer.close()
    return found
