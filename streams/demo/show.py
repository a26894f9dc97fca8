"""Runs the demo from its first process to its last word."""

from __future__ import annotations

import logging
import signal
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from rich.console import Console

from driftline.schemas.errors import DriftlineError
from driftline.schemas.topics import PREDICTIONS
from driftline.streams.compiled import compile_once
from driftline.streams.demo.live import LiveView
from driftline.streams.demo.observer import Observer
from driftline.streams.demo.plain import PlainView
from driftline.streams.demo.script import act_at
from driftline.streams.demo.service import Service
from driftline.streams.demo.shuttle import MODEL_ID, load
from driftline.streams.demo.stage import Stage
from driftline.streams.demo.table import print_verdict
from driftline.streams.demo.verdict import Verdict, judge, judge_counts
from driftline.streams.demo.view import WIDTH, Scene, View

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from types import FrameType

LIMIT_SECONDS: Final = 240.0
"""For the whole script, the start of the processes included, but not the compiling before the first."""

_TURN_SECONDS: Final = 0.1


class DemoError(DriftlineError):
    """The demo cannot go on; the message says why."""


def run(*, once: bool, seed: int) -> int:
    """Run the demo and return its exit code.

    Parameters
    ----------
    once
        End with the script, and print lines. Otherwise the service goes on until Ctrl-C, and where stdout is a terminal
        it is a screen that updates itself.
    seed
        Of everything that is drawn at random.

    Returns
    -------
    int
        0 if every incident of the script was caught and nothing else fired, or if Ctrl-C came before the script's end;
        else 1.

    Raises
    ------
    DriftlineError
        If a child process ends, or the script does not come to its end within `LIMIT_SECONDS`.
    KeyboardInterrupt
        If a run with `once` is interrupted.

    """
    # Without a handler Python would print what our clients log across the screen; what matters of it is raised.
    logging.getLogger("driftline").addHandler(logging.NullHandler())
    width = min(Console().width, WIDTH)
    console = Console(highlight=False, width=width)
    view: View = PlainView() if once or not console.is_interactive else LiveView(console)
    verdict = None
    try:
        with _ending_on(signal.SIGTERM, signal.SIGHUP), view, closing(scenes(view.say, seed)) as played:
            for scene in played:
                view.show(scene)
                verdict = scene.verdict
                if once and verdict is not None:
                    break
                time.sleep(_TURN_SECONDS)
    except KeyboardInterrupt:
        if once:
            raise
    if verdict is None:
        console.print("ended before the script was over")
        return 0
    print_verdict(console, verdict, seed)
    return 0 if verdict.passed else 1


def scenes(say: Callable[[str], None], seed: int) -> Generator[Scene, None, None]:
    """Start everything and yield how it stands, for ever; from the script's end on with the verdict.

    The processes live as long as the iterator: close it.
    """
    compile_once(say)  # so that it is said, and no process is waited for that long
    started = time.monotonic()
    say("starting an embedded broker, an embedded Valkey and a worker")
    with Stage() as stage:
        say("training a model on the first part of the Statlog Shuttle data, to be frozen then")
        shuttle = load()
        stage.wait()
        verdict = None
        with (
            Observer(stage.bootstrap, stage.redis, MODEL_ID) as observer,
            Service(stage.bootstrap, shuttle, seed) as service,
        ):
            while True:
                stage.check()
                service.check()
                observer.look()
                service.processed(observer.next_offsets)
                seconds = time.monotonic() - started
                sent, processed = sum(service.progress.sent.values()), sum(observer.next_offsets.values())
                verdict = verdict or _verdict(service, observer)
                if verdict is None and seconds >= LIMIT_SECONDS:
                    raise DemoError(
                        f"the script was not over after {LIMIT_SECONDS:g} s: {sent} events sent, {processed} processed"
                    )
                yield Scene(
                    seconds=seconds,
                    seed=seed,
                    redis=stage.redis,
                    act=act_at(service.progress.sent[PREDICTIONS]),
                    predicted=service.progress.sent[PREDICTIONS],
                    at=service.clock,
                    behind=sent - processed,
                    rate=observer.rate,
                    baseline=observer.baseline,
                    state=observer.state,
                    alerts=observer.alerts,
                    requests=observer.requests,
                    verdict=verdict,
                )


def _verdict(service: Service, observer: Observer) -> Verdict | None:
    """Return the verdict and let the service go on, once everything that the verdict rests on has come."""
    state, end = observer.state, service.progress.script_end
    if state is None or end is None or not observer.has_seen(end):
        return None
    verdict = judge(service.progress.extents, observer.alerts, observer.requests)
    verdict.complaints += judge_counts(state, end)
    service.go_on()
    return verdict


@contextmanager
def _ending_on(*signals: signal.Signals) -> Iterator[None]:
    """Have these signals end the block as Ctrl-C does, so that what it started is ended too."""

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in signals}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
