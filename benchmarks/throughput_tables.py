"""What the cost of an event depends on, in the core, each row in a process of its own: ``… NAME CHOICE EVENTS``.

A row's measured events are cut into five parts, of which the median counts: what is slow is the warm-up, and it is the
same for all of them. One short cut: of many models one is fed until its reference and its window are full, and the
others begin as copies of its snapshot.
"""

from __future__ import annotations

import json
import statistics
import sys
from typing import TYPE_CHECKING, Any, Final

from benchmarks.state_measures import rss
from benchmarks.throughput_core import Core
from benchmarks.throughput_events import FEATURES, WARM_UP, Mix, configuration, model_name, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.throughput_events import Event
    from driftline.models.outcome import Changes

MODELS_LAG: Final = 2500
"""With it, a thousand models have one event each in a batch: half of them a prediction, the others a label."""

_PARTS: Final = 5
_SETTLING: Final = 20_000  # events after models were restored: every model has had several of both kinds
_SETTLING_OF_MODEL: Final = 200  # until all values of its segments have been seen together, and its records are common
_POINTS: Final = 10

Row = dict[str, Any]


def _cost(core: Core, events: Iterator[Event], count: int) -> float:
    """Return CPU us per event: the median of the parts."""
    each = count // _PARTS
    return statistics.median(core.feed(events, each) / each * 1e6 for _ in range(_PARTS))


def by_features(features: int, count: int) -> Row:
    """Measure events of so many features."""
    mix = Mix(features=features)
    core, events = Core(configuration()), stream(mix)
    core.feed(events, mix.events(WARM_UP))
    core.checkpoint()
    return {"features": features, "cpu_us_per_event": _cost(core, events, count)}


def by_categories(categories: int, count: int) -> Row:
    """Measure events of which so many features are categories, and the others numbers."""
    mix = Mix(categories=categories)
    core, events = Core(configuration()), stream(mix)
    core.feed(events, mix.events(WARM_UP))
    core.checkpoint()
    return {"categories": categories, "cpu_us_per_event": _cost(core, events, count)}


def by_task(task: str, count: int) -> Row:
    """Measure events of a model of this task."""
    mix = Mix(task=task)
    core, events = Core(configuration()), stream(mix)
    core.feed(events, mix.events(WARM_UP))
    core.checkpoint()
    cost = _cost(core, events, count)
    if core.state(model_name(0)).task != task:
        raise RuntimeError(f"the model was not taken for one of {task}")
    return {"tasks": task, "cpu_us_per_event": cost}


def by_pending(pending: int, count: int) -> Row:
    """Measure events while so many predictions wait; all but the newest are in the store alone."""
    mix = Mix(lag=pending)
    core, events = Core(configuration(label_timeout="30d", max_pending=2 * pending)), stream(mix)
    core.feed(events, mix.events(pending + WARM_UP))
    core.checkpoint()
    cost = _cost(core, events, count)
    waiting = core.state(model_name(0)).counts.pending
    if abs(waiting - pending) > 1:
        raise RuntimeError(f"{waiting:,} predictions wait, and not {pending:,}")
    return {"pending": pending, "cpu_us_per_event": cost}


def by_models(models: int, count: int) -> Row:
    """Measure events of models that take turns, and what a model takes in memory and in a snapshot."""
    changes = _fed()
    (snapshot,) = changes.snapshots.values()
    before = rss()
    core = Core(configuration(models=models))
    core.restore(changes, [(model_name(n), snapshot) for n in range(models)])
    events = stream(Mix(models=models, lag=MODELS_LAG), first=WARM_UP)
    core.feed(events, MODELS_LAG + max(_SETTLING, _SETTLING_OF_MODEL * models))
    core.checkpoint()
    grown = rss() - before
    cost = _cost(core, events, count)
    return {
        "models": models,
        "cpu_us_per_event": cost,
        "rss_bytes_per_model": grown / models,
        "snapshot_bytes": _snapshot_bytes(core, events),
    }


def _fed() -> Changes:
    """Feed one model, wait for all of its labels, and return the checkpoint."""
    core = Core(configuration())
    end = next(stream(Mix(), first=WARM_UP)).at
    events = (event for event in stream(Mix()) if event.is_label or event.at < end)
    core.feed(events, 2 * WARM_UP)
    return core.checkpoint()


def _snapshot_bytes(core: Core, events: Iterator[Event]) -> float:
    core.feed(events, 2000)  # so that there is a change to save, of a thousand models too
    return statistics.mean(map(len, core.checkpoint().snapshots.values()))


def memory(count: int, _: int) -> Row:
    """Return the resident memory at several points of so many events."""
    mix = Mix()
    core, events = Core(configuration()), stream(mix)
    fed = mix.events(WARM_UP)
    core.feed(events, fed)
    points = [{"events": fed, "rss_bytes": _settled(core)}]
    for _ in range(_POINTS):
        core.feed(events, count // _POINTS)
        fed += count // _POINTS
        points.append({"events": fed, "rss_bytes": _settled(core)})
    return {"points": points}


def _settled(core: Core) -> int:
    core.checkpoint()
    return rss()


ROWS: Final[Mapping[str, Callable[[Any, int], Row]]] = {
    "tasks": by_task,
    "features": by_features,
    "categories": by_categories,
    "models": by_models,
    "pending": by_pending,
    "memory": memory,
}

CHOICES: Final[Mapping[str, tuple[int | str, ...]]] = {
    "tasks": ("binary", "multiclass", "regression"),
    "features": (FEATURES, 50, 200),
    "categories": (0, 2, FEATURES),
    "models": (1, 100, 1000),
    "pending": (10_000, 1_000_000),
}
"""The rows of each table; that of the memory has one, of as many events as asked for."""


if __name__ == "__main__":
    _, name, chosen, events = sys.argv
    print(json.dumps(ROWS[name](int(chosen) if chosen.isdecimal() else chosen, int(events))))
