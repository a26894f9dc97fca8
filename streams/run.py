"""Runs the worker as a process: until SIGTERM or SIGINT, which drain it, or until a failure, which is raised."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING

from driftline.streams.app import make_app

if TYPE_CHECKING:
    from driftline.schemas.config import Configuration
    from driftline.streams.settings import Settings

_logger = logging.getLogger(__name__)


def run_worker(settings: Settings, configuration: Configuration) -> None:
    """Run until a signal comes; everything processed by then is saved and acked when this returns.

    Parameters
    ----------
    settings, configuration
        Where the servers are, and what to watch for.

    Raises
    ------
    DriftlineError
        If a server, a topic or a snapshot cannot be used. Any other exception is a bug.

    """
    asyncio.run(_run(settings, configuration))


async def _run(settings: Settings, configuration: Configuration) -> None:
    app = make_app(settings, configuration)
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    try:
        await app.start()
        _logger.info("reading from Kafka at %s, state in %s", settings.kafka, settings.redis_address)
        if app.metrics_port is not None:
            _logger.info("metrics on http://%s:%d/metrics", settings.metrics_host, app.metrics_port)
        ends = (asked_to_stop.wait(), app.failed(), app.wait_until_stopped())
        waiting = [asyncio.ensure_future(end) for end in ends]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
    finally:
        await app.stop()
    if app.crashed:
        raise app.crash_reason or RuntimeError("the worker crashed, and Faust kept no reason")
    if app.failure is not None:
        raise app.failure
