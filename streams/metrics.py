"""Every Prometheus series of the worker, by name.

=======================================  =========  ================================================================
name                                     kind       meaning
=======================================  =========  ================================================================
driftline_records_total                  counter    records read, by ``topic``, bad ones included
driftline_bad_records_total              counter    records refused, by ``reason``: the closed list of the contract
driftline_joined_total                   counter    pairs of a prediction and its label
driftline_one_by_one_total               counter    events that the compiled path left to Python
driftline_lag_records                    gauge      records not read yet, by ``topic`` and ``partition``
driftline_batch_records                  histogram  records of a batch
driftline_processing_seconds             histogram  time the pipeline took for a batch
driftline_checkpoint_seconds             histogram  time to publish and save a checkpoint
driftline_checkpoint_age_seconds         gauge      since the last moment at which nothing was unsaved
driftline_event_loop_delay_seconds       histogram  for how long others held the event loop, looked at each 20 ms
driftline_outage                         gauge      by ``server``, redis or kafka: 1 while it is waited for, else 0
driftline_alerts_total                   counter    alerts published, by ``kind`` and ``state``
driftline_retrain_requests_total         counter    requests to retrain published
driftline_model_performance              gauge      by ``model_id`` and ``metric``: since the start of the model
driftline_model_drift                    gauge      by ``model_id`` and ``target``: effect against the reference
driftline_model_pending                  gauge      by ``model_id``: predictions that wait for their label
driftline_open_incidents                 gauge      by ``model_id`` and ``kind``
driftline_series_dropped_total           counter    models and targets without series of their own (`ModelSeries`)
=======================================  =========  ================================================================
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from driftline.schemas.alerts import AlertState, Kind
from driftline.schemas.errors import ConfigurationError, Reason
from driftline.schemas.topics import INPUTS
from driftline.streams.model_series import Gauges, ModelSeries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

    from driftline.schemas.alerts import Alert
    from driftline.schemas.state import ModelState

# A batch has at most 1,000 records, and should take milliseconds; nothing may hold the event loop for 100.
_BATCH_RECORDS: Final = (1, 3, 10, 30, 100, 300, 1000)
_PROCESSING_SECONDS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3)
_DELAY_SECONDS: Final = (0.01, 0.03, 0.1, 0.3, 1, 3)
_CHECKPOINT_SECONDS: Final = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)


class Metrics:
    """The series of one worker, in a registry of their own.

    Parameters
    ----------
    clock
        Seconds that only grow, for the age of the checkpoint.

    Examples
    --------
    >>> metrics = Metrics()
    >>> metrics.batch({"driftline.predictions": 700, "driftline.labels": 300}, joined=290, one_by_one=3, seconds=0.02)
    >>> metrics.registry.get_sample_value("driftline_joined_total")
    290.0

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = registry = CollectorRegistry()
        self._clock = clock
        self._current_at = clock()
        self._server: tuple[WSGIServer, Thread] | None = None

        self._records = Counter("driftline_records_total", "Records read.", ["topic"], registry=registry)
        self._bad = Counter("driftline_bad_records_total", "Records refused.", ["reason"], registry=registry)
        self._joined = Counter("driftline_joined_total", "Pairs of a prediction and its label.", registry=registry)
        self._one_by_one = Counter("driftline_one_by_one_total", "Events that were not compiled.", registry=registry)
        self._lag = Gauge("driftline_lag_records", "Records not read yet.", ["topic", "partition"], registry=registry)
        self._batch = Histogram(
            "driftline_batch_records", "Records of a batch.", buckets=_BATCH_RECORDS, registry=registry
        )
        self._processing = Histogram(
            "driftline_processing_seconds", "Time for a batch.", buckets=_PROCESSING_SECONDS, registry=registry
        )
        self._checkpoint = Histogram(
            "driftline_checkpoint_seconds", "Time for a checkpoint.", buckets=_CHECKPOINT_SECONDS, registry=registry
        )
        self._delay = Histogram(
            "driftline_event_loop_delay_seconds",
            "Waited for the event loop.",
            buckets=_DELAY_SECONDS,
            registry=registry,
        )
        age = Gauge("driftline_checkpoint_age_seconds", "Since nothing was unsaved.", registry=registry)
        age.set_function(lambda: self._clock() - self._current_at)
        self._outage = Gauge("driftline_outage", "Whether a server is waited for.", ["server"], registry=registry)
        self._alerts = Counter("driftline_alerts_total", "Alerts published.", ["kind", "state"], registry=registry)
        self._retrain = Counter("driftline_retrain_requests_total", "Requests to retrain.", registry=registry)
        self._models = ModelSeries(
            Gauges(
                Gauge("driftline_model_performance", "Since the start.", ["model_id", "metric"], registry=registry),
                Gauge(
                    "driftline_model_drift", "Effect since the reference.", ["model_id", "target"], registry=registry
                ),
                Gauge("driftline_model_pending", "Predictions without a label.", ["model_id"], registry=registry),
                Gauge("driftline_open_incidents", "Open incidents.", ["model_id", "kind"], registry=registry),
                Counter("driftline_series_dropped_total", "Models and targets not shown.", registry=registry),
            )
        )
        self._start_at_zero()

    def batch(self, records: Mapping[str, int], *, joined: int, one_by_one: int, seconds: float) -> None:
        """Count a batch that was processed: records by topic, pairs, events that were taken one by one, the time."""
        for topic, count in records.items():
            self._records.labels(topic).inc(count)
        self._batch.observe(sum(records.values()))
        self._joined.inc(joined)
        self._one_by_one.inc(one_by_one)
        self._processing.observe(seconds)

    def lag(self, topic: str, partition: int, records: int) -> None:
        """Show how many records of a partition have not been read."""
        self._lag.labels(topic, partition).set(records)

    def revoked(self, partition: int) -> None:
        """Remove the lag of a partition that this worker has no more."""
        for topic in INPUTS:
            self._lag.remove(topic, partition)

    def redis_outage(self, waiting: bool) -> None:  # noqa: FBT001 - it is what is shown
        """Show whether Redis is waited for."""
        self._outage.labels("redis").set(waiting)

    def kafka_outage(self, waiting: bool) -> None:  # noqa: FBT001 - as above
        """Show whether Kafka is waited for."""
        self._outage.labels("kafka").set(waiting)

    def event_loop_delay(self, seconds: float) -> None:
        """Count a wait for the event loop."""
        self._delay.observe(seconds)

    def bad_record(self, reason: Reason) -> None:
        """Count a record that was refused."""
        self._bad.labels(reason.value).inc()

    def alert(self, alert: Alert) -> None:
        """Count an alert that was published."""
        self._alerts.labels(alert.kind.value, alert.state.value).inc()

    def retrain_request(self) -> None:
        """Count a request to retrain that was published."""
        self._retrain.inc()

    def checkpoint(self, seconds: float) -> None:
        """Count a checkpoint that was saved, and the time it took."""
        self._checkpoint.observe(seconds)
        self.nothing_unsaved()

    def nothing_unsaved(self) -> None:
        """Say that there is nothing to save: the stored state is not old."""
        self._current_at = self._clock()

    def observe_state(self, state: ModelState) -> None:
        """Show the state of a model, as of its last checkpoint."""
        self._models.observe(state)

    def forget(self, model_ids: Iterable[str]) -> None:
        """Remove the series of models that this worker has no more."""
        self._models.forget(model_ids)

    def serve(self, host: str, port: int) -> int:
        """Answer Prometheus on a port, from a thread of its own, and return the port; 0 takes a free one.

        Raises
        ------
        ConfigurationError
            If the address cannot be listened on.

        """
        try:
            self._server = start_http_server(port, addr=host, registry=self.registry)
        except OSError as error:
            raise ConfigurationError(
                f"the metrics cannot be served on {host}:{port}: {error.strerror}; set DRIFTLINE_METRICS_PORT to "
                "another port, to 0 for any that is free, or to off"
            ) from None
        return self._server[0].server_port

    def close(self) -> None:
        """Stop answering."""
        if self._server is None:
            return
        server, thread = self._server
        server.shutdown()
        server.server_close()
        thread.join()
        self._server = None

    def _start_at_zero(self) -> None:
        # A rate needs the zero before the first event.
        for topic in INPUTS:
            self._records.labels(topic)
        for server in ("redis", "kafka"):
            self._outage.labels(server).set(0)
        for reason in Reason:
            self._bad.labels(reason.value)
        for kind in Kind:
            for state in AlertState:
                self._alerts.labels(kind.value, state.value)
