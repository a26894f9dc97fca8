"""``driftline alerts``."""

from __future__ import annotations

import time
from heapq import nlargest
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaError

from driftline.client import AlertSubscriber
from driftline.schemas.errors import UnavailableError
from driftline.schemas.fields import format_timestamp
from driftline.streams.cli.output import write_json, write_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from confluent_kafka import Message, TopicPartition

    from driftline.schemas.alerts import Alert

_SLICE_SECONDS: Final = 0.2
_PATIENCE_SECONDS: Final = 30.0


class AlertLog(AlertSubscriber):
    """All alerts that Kafka has, and then the new ones, for one reader that is no member of any group.

    Parameters
    ----------
    bootstrap
        ``host:port``, or several separated by commas.
    model_id
        Leaves out the alerts of other models.

    """

    def __init__(self, bootstrap: str, model_id: str | None = None) -> None:
        self._bootstrap = bootstrap
        self._behind: set[int] = set()
        models = None if model_id is None else {model_id}
        super().__init__(bootstrap, models=models, from_beginning=True, options={"enable.partition.eof": True})

    def newest(self, count: int) -> tuple[list[Alert], int]:
        """Read to the end; return the newest alerts, at most `count`, oldest first, and how many there are.

        Raises
        ------
        UnavailableError
            If Kafka falls silent on the way.

        """
        total = 0

        def numbered() -> Iterator[tuple[int, int, Alert]]:
            nonlocal total
            for alert in self._kept():
                total += 1
                yield alert.event_time, total, alert

        # At least one, because of none it would read none.
        found = nlargest(max(count, 1), numbered(), key=lambda entry: entry[:2])[:count]
        return [alert for *_, alert in reversed(found)], total

    def _kept(self) -> Iterator[Alert]:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self._behind:
            if (alert := self.poll(_SLICE_SECONDS)) is not None:
                deadline = time.monotonic() + _PATIENCE_SECONDS
                yield alert
            elif time.monotonic() >= deadline:
                raise UnavailableError(f"Kafka at {self._bootstrap} has fallen silent before the last alert; try again")

    def _start_of(self, partition: TopicPartition, *, from_beginning: bool) -> TopicPartition:
        self._behind.add(partition.partition)
        return super()._start_of(partition, from_beginning=from_beginning)

    def _accept(self, message: Message) -> Alert | None:
        error = message.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
            self._behind.discard(message.partition() or 0)
            return None
        return super()._accept(message)


def write_alert(alert: Alert) -> None:
    """Write an alert as a line for people."""
    write_line(
        f"{format_timestamp(alert.event_time)} {alert.state:<8} {alert.severity:<8} {alert.kind}: {alert.message}"
    )


def write_alert_as_json(alert: Alert) -> None:
    """Write an alert as it is on the topic."""
    write_json(alert.model_dump(mode="json", exclude_none=True))
