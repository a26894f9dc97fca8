"""Files of canonical events with everything that goes wrong with them, made from a seed, the same on every machine."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.tasks_of_events import Case, Task, deviate

START = 1_767_225_600_000  # 2026-01-01T00:00:00Z
REGIONS = ("eu", "us", "apac")

Change = Callable[[Case], None]


@dataclass(frozen=True)
class Faults:
    """What goes wrong, as shares of a model's predictions that are kept exactly; a label has at most one fault.

    `early` labels have a timestamp before their prediction's, `orphan` ones are of predictions that nobody made and
    `outside` ones of no class. `odd` is the chance that the feature x is null, NaN, a string or not there at all. `bad`
    records cannot be decoded; they come beside the others.
    """

    missing: float = 0.05
    duplicate: float = 0.01
    contradicting: float = 0.01
    early: float = 0.002
    outside: float = 0.0
    orphan: float = 0.001
    redelivered: float = 0.005
    odd: float = 0.01
    bad: float = 0.0


@dataclass(frozen=True)
class Episode:
    """A change of the predictions `since` a share of them `until` another."""

    since: float
    until: float
    change: Change


@dataclass(frozen=True)
class ModelStream:
    """One model: what it predicts, how often, and what happens to it.

    Parameters
    ----------
    versions
        The first half of the predictions is of the first one, the second half of all, drawn at random.
    weighted
        The chance that a label has a weight: 0, 0.5 or 2.
    interval
        Milliseconds between predictions, on average.
    delay
        Milliseconds that a label takes at least; every second takes twice as long, one in a hundred a hundred times.

    """

    model_id: str
    task: Task
    predictions: int
    versions: tuple[str, ...] = ("1", "2")
    weighted: float = 0.0
    interval: int = 100
    delay: int = 5000
    faults: Faults = Faults()
    episodes: tuple[Episode, ...] = ()

    def start(self, nth: int) -> int:
        """Return the earliest moment of the n-th prediction, in epoch milliseconds."""
        return START + nth * self.interval


class Line(NamedTuple):
    """A line of a file; lines sort by when they arrive."""

    arrival: int
    nth: int
    text: str


class Files(NamedTuple):
    predictions: Path
    labels: Path


def write(streams: Sequence[ModelStream], folder: Path, *, seed: int) -> Files:
    """Write ``predictions.jsonl`` and ``labels.jsonl``, all models mixed, in the order in which events arrive.

    They arrive by their timestamps, except that one in fifty is up to 2 seconds late; repeats come later than that.
    """
    files = Files(folder / "predictions.jsonl", folder / "labels.jsonl")
    for path, lines in zip(files, lines_of(streams, seed=seed), strict=True):
        with path.open("w", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    return files


def lines_of(streams: Sequence[ModelStream], *, seed: int) -> tuple[list[str], list[str]]:
    """Return the lines of both files. Each model draws its own numbers: one more leaves the others as they were."""
    predictions: list[Line] = []
    labels: list[Line] = []
    nth = count()
    for stream in streams:
        _Maker(stream, Random(f"{seed} {stream.model_id}"), nth, predictions, labels).make()
    return [line.text for line in sorted(predictions)], [line.text for line in sorted(labels)]


class _Maker:
    """Makes the events of one model."""

    def __init__(
        self, stream: ModelStream, random: Random, nth: Iterator[int], predictions: list[Line], labels: list[Line]
    ) -> None:
        self._stream = stream
        self._draw = random.random
        self._nth = nth
        self._predictions = predictions
        self._labels = labels
        self._names = f'"model_id":"{stream.model_id}","prediction_id":"{stream.model_id}'

    def make(self) -> None:
        stream, draw, n = self._stream, self._draw, self._stream.predictions
        faults = dict(self._lots(n))
        redelivered = set(islice(self._shuffled(n), round(stream.faults.redelivered * n)))
        episodes = [(e.since * n, e.until * n, e.change) for e in stream.episodes]
        for nth in range(n):
            at = stream.start(nth) + int(draw() * stream.interval)
            case = self._case(change for since, until, change in episodes if since <= nth < until)
            self._add_prediction(nth, at, case, again=nth in redelivered)
            self._add_labels(nth, at, case, faults.get(nth, "none"))
        for nth in range(round(stream.faults.orphan * n)):
            at = stream.start(int(draw() * n))
            self._add_label(f"nobody-{nth}", at, stream.task.label(Case({}, 0.0, 0.0), draw), arrival=at)
        for nth in range(round(stream.faults.bad * n)):
            # Not among the first: a model is charged for bad records only once it is known.
            self._add_bad(nth, stream.start(n // 5 + int(draw() * (n - n // 5))))

    def _shuffled(self, n: int) -> Iterator[int]:
        draw = self._draw
        return (index for _, index in sorted((draw(), index) for index in range(n)))

    def _lots(self, n: int) -> Iterator[tuple[int, str]]:
        """Give each label that has a fault, and which."""
        shuffled = self._shuffled(n)
        for fault in ("missing", "duplicate", "contradicting", "early", "outside"):
            for index in islice(shuffled, round(getattr(self._stream.faults, fault) * n)):
                yield index, fault

    def _case(self, changes: Iterable[Change]) -> Case:
        draw = self._draw
        x, y, z = deviate(draw), draw(), deviate(draw)
        score = 0.9 * x - 0.8 * z
        case = Case({"x": round(40 + 9 * x, 3), "y": round(y, 3), "z": round(z, 3)}, score, score)
        for change in changes:
            change(case)
        if draw() < self._stream.faults.odd:
            values = (None, math.nan, "n/a")
            what = int(draw() * 4)
            if what < len(values):
                case.features["x"] = values[what]
            else:
                del case.features["x"]
        return case

    # -- events ------------------------------------------------------------------------------------------------------

    def _add_prediction(self, nth: int, at: int, case: Case, *, again: bool) -> None:
        stream, draw = self._stream, self._draw
        versions = stream.versions if 2 * nth >= stream.predictions else stream.versions[:1]
        version = versions[int(draw() * len(versions))]
        head = f'{{{self._names}-{nth}","model_version":"{version}","timestamp":{self._timestamp(at)},'
        luck = draw()
        region = f',"segments":{{"region":"{REGIONS[int(luck * 3)]}"}}' if luck < 0.99 else ""
        latency = f',"latency_ms":{2 + 10 * draw() * draw():.3f}' if luck < 0.5 else ""
        tail = f',"features":{json.dumps(case.features)}{region}{latency}}}'
        self._put(self._predictions, at, head + stream.task.answer(case) + tail)
        if again:  # every other time it is a retry that got another answer
            retried = replace(case, score=case.score + 2) if draw() < 0.5 else case
            self._put(self._predictions, at + self._later(), head + stream.task.answer(retried) + tail)

    def _add_labels(self, nth: int, at: int, case: Case, fault: str) -> None:
        if fault == "missing":
            return
        stream, draw = self._stream, self._draw
        label = '"unheard of"' if fault == "outside" else stream.task.label(case, draw)
        # 1 / u has a long tail: its median is 2, its 99th percentile 100.
        delay = -5000 - int(draw() * 25_000) if fault == "early" else int(stream.delay / max(draw(), 0.002))
        self._add_label(str(nth), at + delay, label, arrival=at + delay)
        if fault in {"duplicate", "contradicting"}:
            arrival = at + delay + self._later()
            label = stream.task.respelled(label, draw) if fault == "duplicate" else stream.task.contradiction(label)
            # One in four claims to be older than the one that came first.
            self._add_label(str(nth), at if draw() < 0.25 else arrival, label, arrival=arrival)

    def _add_label(self, name: str, at: int, label: str, *, arrival: int) -> None:
        draw = self._draw
        weight = f',"weight":{(0, 0.5, 2)[int(draw() * 3)]}' if draw() < self._stream.weighted else ""
        text = f'{{{self._names}-{name}","timestamp":{self._timestamp(at)},"label":{label}{weight}}}'
        self._put(self._labels, arrival, text)

    def _add_bad(self, nth: int, at: int) -> None:
        named = f'{self._names}-bad-{nth}","timestamp":{at}'
        choices = (
            (self._labels, f"{{{named}}}"),
            (self._predictions, f'{{{named},"model_version":"1","prediction":1,"score":1.5}}'),
            (self._labels, f'{{{named},"label":1'),
            (self._predictions, f'{{{named},"model_version":"1","prediction":1,"amount":3}}'),
            (self._labels, f'{{{named},"label":NaN}}'),
            (self._predictions, "<html>503</html>"),
        )
        where, text = choices[nth % len(choices)]
        self._put(where, at, text)

    def _later(self) -> int:
        return int(3000 / max(self._draw(), 0.005))

    def _put(self, where: list[Line], arrival: int, text: str) -> None:
        late = int(self._draw() * 2000) if self._draw() < 0.02 else 0
        where.append(Line(arrival + late, next(self._nth), text))

    def _timestamp(self, at: int) -> str:
        if self._draw() < 0.9:
            return str(at)
        moment = datetime.fromtimestamp(at // 1000, UTC)
        return f'"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"'
