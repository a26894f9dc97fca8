"""What a producer has given up, as the log and the next flush tell it."""

import pytest
from confluent_kafka import KafkaError, Message

from driftline.client.losses import Losses

TIMED_OUT = KafkaError(KafkaError._MSG_TIMED_OUT)  # noqa: SLF001 - its public name
SAID = "a record for t was not delivered"


def test_the_log_says_at_most_once_a_minute_how_many_were_lost(caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    losses = Losses(clock=lambda: now)
    for now in (1000.0, 1000.1, 1030.0, 1059.9, 1060.0, 1100.0, 1120.0, 2000.0):  # noqa: B007 - the clock reads it
        losses.on_delivery(TIMED_OUT, Message(topic="t"))
    assert caplog.messages == [
        f"{SAID}: Local: Message timed out",
        f"{SAID}, nor were 3 before it: Local: Message timed out",
        f"{SAID}, nor were 1 before it: Local: Message timed out",
        f"{SAID}: Local: Message timed out",
    ]


def test_a_flush_changes_nothing_of_what_the_log_says(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    losses = Losses(clock=lambda: now)
    for now in (0.0, 1.0, 2.0):  # noqa: B007 - as above
        losses.on_delivery(TIMED_OUT, Message(topic="t"))
        assert losses.take() == (1, TIMED_OUT)
    assert losses.take() == (0, None)
    now = 60.0
    losses.on_delivery(TIMED_OUT, Message(topic="t"))
    assert [said.partition(": ")[0] for said in caplog.messages] == [SAID, f"{SAID}, nor were 2 before it"]


def test_the_first_reason_is_the_one_that_is_kept() -> None:
    losses = Losses()
    losses.on_delivery(None, Message(topic="t"))
    losses.on_delivery(TIMED_OUT, Message(topic="t"))
    losses.on_delivery(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), Message(topic="t"))
    assert losses.take() == (2, TIMED_OUT)
