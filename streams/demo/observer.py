"""What can be seen of Driftline from outside: its alerts, its requests to retrain, and the state that it keeps."""

from __future__ import annotations

import time
from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Self

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from driftline.client import AlertSubscriber, RetrainSubscriber, StateReader
from driftline.schemas.topics import ALERTS, INPUTS, RETRAIN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from driftline.client import Alert, ModelState, RetrainRequest

_STATE_SECONDS: Final = 0.25
_RATE_SAMPLES: Final = 4  # checkpoints over which the rate is taken
_ANSWER_SECONDS: Final = 10.0


class Observer:
    """Reads whatever has come, without waiting for it.

    Attributes
    ----------
    alerts, requests
        Everything that was published, in the order of arrival.
    state
        The model's state at the last checkpoint; None before the first.
    baseline
        The metrics of all pairs at the first checkpoint with a whole reference; None before.

    """

    def __init__(self, bootstrap: str, redis: str, model_id: str) -> None:
        self.alerts: list[Alert] = []
        self.requests: list[RetrainRequest] = []
        self.state: ModelState | None = None
        self.baseline: dict[str, Any] | None = None
        self._bootstrap = bootstrap
        self._redis = redis
        self._model_id = model_id
        self._asked = 0.0
        self._checkpoints: deque[tuple[float, int]] = deque(maxlen=_RATE_SAMPLES)

    def __enter__(self) -> Self:
        """Connect."""
        with ExitStack() as stack:
            self._alerts = stack.enter_context(AlertSubscriber(self._bootstrap, from_beginning=True))
            self._requests = stack.enter_context(RetrainSubscriber(self._bootstrap, from_beginning=True))
            self._states = stack.enter_context(StateReader(self._redis))
            self._stack = stack.pop_all()
        self._admin = AdminClient({"bootstrap.servers": self._bootstrap, "log_level": 0})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        self._stack.close()

    def look(self) -> None:
        """Take in what has come."""
        while (alert := self._alerts.poll(0)) is not None:
            self.alerts.append(alert)
        while (request := self._requests.poll(0)) is not None:
            self.requests.append(request)
        now = time.monotonic()
        if now - self._asked >= _STATE_SECONDS:
            self._asked = now
            self.state = self._states.state(self._model_id)
            if self.baseline is None and self.state is not None and self.state.reference.get("pairs_complete"):
                self.baseline = self.state.performance
            records = sum(self.next_offsets.values())
            if not self._checkpoints or records != self._checkpoints[-1][1]:
                self._checkpoints.append((now, records))

    @property
    def next_offsets(self) -> Mapping[str, int]:
        """By topic, how many records the last checkpoint covers."""
        return dict.fromkeys(INPUTS, 0) if self.state is None else self.state.next_offsets

    @property
    def rate(self) -> float:
        """Records a second between the last checkpoints."""
        if len(self._checkpoints) < 2:  # noqa: PLR2004 - a rate needs two
            return 0.0
        (begin, before), (end, after) = self._checkpoints[0], self._checkpoints[-1]
        return (after - before) / (end - begin)

    def has_seen(self, script_end: Mapping[str, int]) -> bool:
        """Return whether a checkpoint covers these records, and all that was published before it has come.

        The worker publishes before it saves, so what follows from the records is in the topics then.
        """
        if any(self.next_offsets.get(topic, 0) < end for topic, end in script_end.items()):
            return False
        return len(self.alerts) == self._published(ALERTS) and len(self.requests) == self._published(RETRAIN)

    def _published(self, topic: str) -> int:
        partitions = self._admin.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic].partitions
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # confluent-kafka gives it no types
        ends = self._admin.list_offsets({TopicPartition(topic, number): latest for number in partitions})
        return sum(answer.result(_ANSWER_SECONDS).offset for answer in ends.values())
