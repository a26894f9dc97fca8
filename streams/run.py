"""Runs the worker as a process: until SIGTERM or SIGINT, which drain it, or until a failure, which is raised."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from typing import TYPE_CHECKING, Final

from aiokafka.errors import KafkaConnectionError, KafkaError

from driftline.schemas.errors import UnavailableError
from driftline.streams.app import make_app
from driftline.streams.compiled import compiled

if TYPE_CHECKING:
    from driftline.schemas.config import Configuration
    from driftline.streams.app import DriftlineApp
    from driftline.streams.settings import Settings

_logger: Final = logging.getLogger(__name__)


def run_worker(settings: Settings, configuration: Configuration) -> None:
    """Run until a signal comes, also while it starts; everything processed by then is saved when this returns.

    Parameters
    ----------
    settings, configuration
        Where the servers are, and what to watch for.

    Raises
    ------
    DriftlineError
        If a server, a topic or a snapshot cannot be used, or the last checkpoint cannot be made. Any other exception
        is a bug.

    """
    asyncio.run(_run(settings, configuration))


async def _run(settings: Settings, configuration: Configuration) -> None:
    app = make_app(settings, configuration)
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    running = asyncio.ensure_future(_start_and_wait(app, settings))
    asked = asyncio.ensure_future(asked_to_stop.wait())
    try:
        await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
        for task in (running, asked):
            task.cancel()
        await asyncio.wait({running})
    finally:
        await app.stop()
    failure = None if running.cancelled() else running.exception()
    if app.crashed:
        failure = failure or app.crash_reason or RuntimeError("the worker crashed, and Faust kept no reason")
    if failure := failure or app.failure:
        raise _explained(failure, settings.kafka)


async def _start_and_wait(app: DriftlineApp, settings: Settings) -> None:
    """Start, which lasts until the group has given the worker its partitions, and return when it fails or crashes."""
    # Not while it has partitions: it would hold up the event loop for longer than Kafka waits.
    await asyncio.to_thread(compiled)
    gc.collect()
    gc.freeze()  # a million objects of imported modules and compiled code, which live as long as the process
    await app.start()
    _logger.info("reading from Kafka at %s, state in %s", settings.kafka, settings.redis_address)
    if app.metrics_port is not None:
        _logger.info("metrics on http://%s:%d/metrics", settings.metrics_host, app.metrics_port)
    waiting = [asyncio.ensure_future(end) for end in (app.failed(), app.wait_until_stopped())]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


def _explained(failure: BaseException, kafka: str) -> BaseException:
    """Return what is to be raised: an error with which aiokafka gives up is no bug, and is told in a sentence."""
    if isinstance(failure, KafkaConnectionError):  # its text says where, in Python's words
        return UnavailableError(f"Kafka at {kafka} does not answer")
    if isinstance(failure, KafkaError):
        return UnavailableError(f"Kafka at {kafka} cannot be used: {' '.join(str(failure).split())}")
    return failure
