"""The Faust app: two agents, two tasks that go on beside them, and the worker behind all.

``faust -A driftline.streams.app worker`` finds ``app`` here, made from the environment when it is asked for.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any, Final

from driftline.schemas.config import Configuration
from driftline.schemas.errors import DriftlineError, UnavailableError
from driftline.schemas.topics import INPUTS
from driftline.streams.checkpoint import RedisStore
from driftline.streams.compiled import compiled
from driftline.streams.configuration import read_configuration
from driftline.streams.metrics import Metrics
from driftline.streams.publisher import Publisher
from driftline.streams.settings import Settings
from driftline.streams.topology import check_topics
from driftline.streams.transport import BatchApp, Log, deliveries
from driftline.streams.worker import Ports, Worker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faust.types import TP, StreamT

_logger: Final = logging.getLogger(__name__)

_TICK_SECONDS: Final = 0.25
_LOOK_SECONDS: Final = 0.02


class DriftlineApp(BatchApp):
    """A Faust app that runs a `Worker`, from the servers' first answer to the last checkpoint.

    A bug crashes it, before anything of what it did is saved. A `DriftlineError` while it runs is kept as `failure`,
    and whoever runs the app is to stop it: then the partitions that are well are saved.
    """

    metrics_port: int | None = None
    """Where Prometheus may ask, once the app has started."""

    failure: DriftlineError | None = None
    """Why it cannot go on."""

    def __init__(self, settings: Settings, configuration: Configuration, **options: Any) -> None:  # noqa: ANN401 - Faust's
        self._settings = settings
        self._configuration = configuration
        self._worker: Worker | None = None
        self._failed = asyncio.Event()
        super().__init__(
            settings.group,
            listener=self,
            broker=";".join(f"kafka://{address}" for address in settings.kafka.split(",")),
            consumer_group_instance_id=settings.instance,
            datadir=str(settings.state_dir or tempfile.gettempdir()),
            **options,
        )
        self._store: RedisStore | None = None
        self._publisher: Publisher | None = None
        self._metrics = Metrics()

    async def on_start(self) -> None:
        """Look for the servers before anything is read: what is missing is said at once."""
        settings = self._settings
        inputs = await asyncio.to_thread(check_topics, settings.kafka)
        self._store = RedisStore(settings.redis)
        await self._store.claim_topology(*inputs)
        self._publisher = Publisher(settings.kafka)
        if settings.metrics_port is not None:
            self.metrics_port = self._metrics.serve(settings.metrics_host, settings.metrics_port)
        self._worker = Worker(
            self._configuration,
            Ports(self, self._store, self._publisher, self._metrics),
            partitions=inputs.partitions,
            interval=settings.checkpoint_seconds,
        )
        await super().on_start()
        _collect_garbage()

    async def on_stop(self) -> None:
        """Close everything once the consumer has given its partitions up."""
        await super().on_stop()
        if self._publisher is not None:
            try:
                await asyncio.to_thread(self._publisher.close)
            except UnavailableError as error:  # of a checkpoint that failed, which is made again after the restart
                _logger.warning("%s", error)
        if self._store is not None:
            await self._store.close()
        await asyncio.to_thread(self._metrics.close)

    async def failed(self) -> DriftlineError:
        """Wait for a failure, for ever if there is none."""
        while self.failure is None:
            await self._failed.wait()
        return self.failure

    async def assigned(self, logs: Mapping[TP, Log]) -> Mapping[TP, int]:
        """Take partitions over."""
        try:
            return await self._running.assigned(logs)
        except DriftlineError as error:
            self._fail(error)
            return {}  # the worker leaves batches alone of what it has not taken over

    async def revoked(self, partitions: frozenset[TP]) -> None:
        """Give partitions up."""
        try:
            await self._running.revoked(partitions)
        except DriftlineError as error:
            self._fail(error)
        except asyncio.CancelledError:  # the time for it is up: others get the partitions, or the process ends
            late = UnavailableError(
                f"Kafka or Redis did not take the last checkpoint within {self.hook_timeout:g} s: what it would have "
                "held is read again"
            )
            if self.should_stop:
                self._fail(late)
            else:  # a rebalance during an outage, which whoever gets the partitions waits for too
                _logger.warning("%s", late)
            raise

    async def process(self, stream: StreamT[Any]) -> None:
        """Process the batches of a topic: an agent."""
        async for batch, message in deliveries(stream):
            self._running.take(message, batch)

    async def save(self) -> None:
        """Make the checkpoints that are due: a task."""
        while not self.should_stop:
            try:
                await self._running.tick()
            except DriftlineError as error:
                self._fail(error)
            await self.sleep(_TICK_SECONDS)

    async def watch(self) -> None:
        """Show how reading goes, however slow the store is, and collect garbage: a task."""
        while not self.should_stop:
            self._running.watch_source()
            _collect_garbage()
            await self.sleep(_TICK_SECONDS)

    async def time_event_loop(self) -> None:
        """Measure how long a task that is due waits for the event loop: a task."""
        loop = asyncio.get_running_loop()
        while not self.should_stop:
            due = loop.time() + _LOOK_SECONDS
            await asyncio.sleep(_LOOK_SECONDS)
            self._metrics.event_loop_delay(loop.time() - due)

    @property
    def _running(self) -> Worker:
        if self._worker is None:
            raise RuntimeError("the app has not started")
        return self._worker

    def _fail(self, error: DriftlineError) -> None:
        self.failure = self.failure or error
        self._failed.set()


def make_app(settings: Settings, configuration: Configuration) -> DriftlineApp:
    """Return the app with its agents; nothing is connected before it starts."""
    app = DriftlineApp(settings, configuration)
    for topic in INPUTS:
        app.agent(app.topic(topic), name=topic)(app.process)
    app.task(app.save)
    app.task(app.watch)
    app.task(app.time_event_loop)
    return app


def _collect_garbage() -> None:
    """Collect the garbage among what is new, and let the collector look at none of the rest ever again.

    By itself it would look at everything whenever a quarter of it is new: with 100,000 predictions that wait for their
    labels that holds the event loop for a quarter of a second, and finds nothing, since what the models keep has no
    cycles. What was in use here and becomes garbage later is lost only if it is a cycle: 20 objects in half a minute.
    """
    gc.collect()
    gc.freeze()


def __getattr__(name: str) -> DriftlineApp:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    settings = Settings.from_environment(os.environ)
    configuration = Configuration() if settings.config is None else read_configuration(settings.config)
    # Not while it has partitions: it would hold up the event loop for longer than Kafka waits. No log is set up yet.
    compiled(lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201 - of Faust's command line
    app = make_app(settings, configuration)

    async def crash_on_failure() -> None:  # Faust's own command line knows no other end
        raise await app.failed()

    app.task(crash_on_failure)
    globals()["app"] = app
    return app
