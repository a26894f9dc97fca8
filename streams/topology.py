"""The topics: how Driftline makes them, and what the worker insists on before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from driftline.client.brokers import Brokers
from driftline.schemas.errors import TopologyError
from driftline.schemas.topics import (
    ALERTS,
    DEAD_LETTER,
    INCIDENTS,
    INPUTS,
    JOURNAL,
    LABELS,
    OUTPUTS,
    PREDICTIONS,
    RETRAIN,
)

if TYPE_CHECKING:
    from confluent_kafka.admin import ClusterMetadata

TOPICS: Final = (*INPUTS, *OUTPUTS)

_SECONDS: Final = 10.0
_DAY_MS: Final = 86_400_000

MAX_INPUT_BYTES: Final = 1_048_588
"""Of one batch on the wire: Kafka's default, which holds the largest event with its key and headers."""

MAX_DEAD_LETTER_BYTES: Final = 10 * MAX_INPUT_BYTES
"""The largest record that an input topic takes, with our headers on top, whatever it was compressed with there."""

# With the broker's time on every record, an event from the future is one whatever its producer's clock says.
_INPUT: Final[dict[str, int | str]] = {
    "retention.ms": 7 * _DAY_MS,
    "max.message.bytes": MAX_INPUT_BYTES,
    "message.timestamp.type": "LogAppendTime",
}
_SETTINGS: Final[dict[str, dict[str, int | str]]] = {
    PREDICTIONS: _INPUT,
    LABELS: _INPUT,
    DEAD_LETTER: {"retention.ms": 7 * _DAY_MS, "max.message.bytes": MAX_DEAD_LETTER_BYTES},
    ALERTS: {"retention.ms": 30 * _DAY_MS, "max.message.bytes": MAX_INPUT_BYTES},
    JOURNAL: {"retention.ms": 7 * _DAY_MS, "max.message.bytes": MAX_INPUT_BYTES},
    INCIDENTS: {"cleanup.policy": "compact", "max.message.bytes": MAX_INPUT_BYTES},
    RETRAIN: {"retention.ms": 30 * _DAY_MS, "max.message.bytes": MAX_INPUT_BYTES},
}


class Inputs(NamedTuple):
    """How many partitions both input topics have, and the id of the Kafka cluster they are of."""

    partitions: int
    cluster: str


def create_topics(bootstrap: str, partitions: int, replication_factor: int, *, timeout: float = _SECONDS) -> list[str]:
    """Create the topics that do not exist yet; those that do keep their settings.

    Parameters
    ----------
    bootstrap
        ``host:port``, or several separated by commas.
    partitions
        Of each topic. They cannot be changed later without starting anew: a model's records would change partition.
    replication_factor
        Copies of each partition, at most as many as there are brokers.
    timeout
        Seconds to wait for the brokers, twice at most.

    Returns
    -------
    list of str
        The topics that were created, in the order of their flow.

    Raises
    ------
    UnavailableError
        If no broker answers.
    TopologyError
        If a broker refuses a topic.

    """
    brokers = Brokers(bootstrap)
    admin = AdminClient(brokers.properties({}))
    missing = [topic for topic in TOPICS if topic not in _metadata(admin, brokers, timeout).topics]
    if not missing:
        return []
    wanted = [
        NewTopic(
            topic,
            num_partitions=partitions,
            replication_factor=replication_factor,
            config={name: str(value) for name, value in {"cleanup.policy": "delete", **_SETTINGS[topic]}.items()},
        )
        for topic in missing
    ]
    answers = admin.create_topics(wanted, request_timeout=timeout, operation_timeout=timeout)
    created = []
    for topic in missing:
        try:
            answers[topic].result()
        except KafkaException as failure:
            error = failure.args[0]
            if error.code() == KafkaError.TOPIC_ALREADY_EXISTS:  # by another one who ran this at the same time
                continue
            if error.code() in {KafkaError._TIMED_OUT, KafkaError._TRANSPORT}:  # noqa: SLF001 - their public names
                raise brokers.unavailable(f"the topic {topic} was not created", error) from None
            raise TopologyError(f"the topic {topic} was not created: {error.str()}") from None
        created.append(topic)
    return created


def mention_topics(bootstrap: str, *, timeout: float = _SECONDS) -> None:
    """Have an embedded broker make the topics: it cannot be asked to, but makes any topic that is mentioned.

    A real broker that is set to create topics by itself would do so too, with a partition count that nobody chose:
    there `create_topics` is the one to call.

    Raises
    ------
    UnavailableError
        If the broker does not answer.

    """
    brokers = Brokers(bootstrap)
    admin = AdminClient(brokers.properties({}))
    for topic in TOPICS:
        _metadata(admin, brokers, timeout, mention=topic)


def check_topics(bootstrap: str, *, timeout: float = _SECONDS) -> Inputs:
    """Check that the topics are as the worker needs them, and return what the inputs are.

    Nothing is created, whatever the broker's settings.

    Raises
    ------
    UnavailableError
        If no broker answers within `timeout` seconds.
    TopologyError
        If a topic is missing, or the two inputs differ in their number of partitions.

    """
    brokers = Brokers(bootstrap)
    cluster = _metadata(AdminClient(brokers.properties({})), brokers, timeout)
    existing = cluster.topics
    if missing := [topic for topic in TOPICS if topic not in existing]:
        names = ", ".join(missing)
        raise TopologyError(f"Kafka at {bootstrap} has no topic {names}: run `driftline topics create`")
    predictions, labels = (len(existing[topic].partitions) for topic in INPUTS)
    if predictions != labels:
        raise TopologyError(
            f"{PREDICTIONS} has {predictions} partitions and {LABELS} {labels}, so that a prediction and its label "
            "would not meet: delete both and run `driftline topics create`"
        )
    return Inputs(predictions, str(cluster.cluster_id))


def _metadata(admin: AdminClient, brokers: Brokers, timeout: float, *, mention: str | None = None) -> ClusterMetadata:
    try:
        # Without a name the question is for all topics, and a broker creates none for it.
        return admin.list_topics(timeout=timeout) if mention is None else admin.list_topics(mention, timeout=timeout)
    except KafkaException as error:
        admin.poll(0)  # lets the reason in
        raise brokers.unavailable(error=error.args[0]) from None
