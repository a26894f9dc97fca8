"""Labels that come otherwise than in the reference, and what they then tell."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.models.drift.finding import FROM_LABELS
from driftline.models.intake import Intake
from driftline.models.kernels.label_curve import ALL, CURVE, LOSS, arrived, learn
from driftline.models.pipeline import Pipeline
from driftline.models.record import FileRecord
from driftline.models.watch import comparable
from driftline.schemas.alerts import Alert, AlertState, Severity
from driftline.schemas.config import Task, parse_configuration
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from driftline.models.record import Record

    Floats = NDArray[np.float64]
    Bits = NDArray[np.bool_]
    Delays = Callable[[np.random.Generator, Bits, Bits], Floats]

START: Final = 1_795_406_400_000
CHANGE: Final = 12_000
EVENTS: Final = 16_000
_CONFIG: Final = {"reference": {"events": 1500, "min_span": "0s"}, "silence": {"labels": "0s", "predictions": "0s"}}
CONFIGURATIONS: Final = {
    task: parse_configuration({"models": [{"model_id": "m", "task": task, "segments": ["region"], **_CONFIG}]})
    for task in Task
}


def soon(random: np.random.Generator, wrong: Bits, labels: Bits) -> Floats:  # noqa: ARG001 - as others
    return random.exponential(150.0, len(wrong))


def errors_late(random: np.random.Generator, wrong: Bits, labels: Bits) -> Floats:  # noqa: ARG001 - as others
    return random.exponential(np.where(wrong, 800.0, 80.0))


def at_once(random: np.random.Generator, wrong: Bits, labels: Bits) -> Floats:  # noqa: ARG001 - as others
    return np.zeros(len(wrong))


@dataclass(frozen=True)
class Feed:
    """A stream of a second an event.

    From event `CHANGE` on labels come by `bend`, a `slower` stream has so many times fewer events, and from event
    `worse` on more predictions are wrong. It is made from a `seed`.
    """

    delays: Delays
    bend: Callable[[Floats, Bits, Bits], Floats] = lambda delays, _wrong, _labels: delays
    slower: float = 1.0
    worse: int = EVENTS
    events: int = EVENTS
    seed: int = 1
    task: Task = Task.BINARY

    def records(self) -> Iterator[Record]:
        random, nth = np.random.default_rng(self.seed), np.arange(self.events)
        scores = 1.0 / (1.0 + np.exp(-random.normal(-2.0, 3.4, self.events)))
        wrong = random.random(self.events) < np.minimum(scores, 1.0 - scores)
        wrong |= (nth >= self.worse) & (random.random(self.events) < 0.3)
        predicted = scores > 0.5
        labels = predicted ^ wrong
        delays = self.delays(random, wrong, labels)
        delays = np.where(nth < CHANGE, delays, self.bend(delays, wrong, labels))
        at = nth + np.maximum(nth - CHANGE, 0) * (self.slower - 1.0)
        comes = at + delays
        order = sorted([*((at[n], 0, n) for n in nth), *((comes[n], 1, n) for n in nth if np.isfinite(comes[n]))])
        intake = Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)
        offsets = [0, 0]
        for when, is_label, n in order:
            fields: dict[str, Any] = {"model_id": "m", "prediction_id": str(n), "timestamp": START + int(1000 * when)}
            said, true = self._meant(bool(predicted[n]), bool(labels[n]), float(scores[n]))
            if is_label:
                fields["label"] = true
            else:
                fields |= {"model_version": "1", "segments": {"region": "eu" if n % 2 else "us"}, **said}
            topic = LABELS if is_label else PREDICTIONS
            yield intake.read(FileRecord(topic, offsets[is_label], json.dumps(fields).encode()))
            offsets[is_label] += 1

    def _meant(self, predicted: bool, label: bool, score: float) -> tuple[dict[str, Any], Any]:  # noqa: FBT001 - of a pair
        """Return what is predicted by a model of the task, and the label: a wrong one is off by 10, or of a class."""
        if self.task is Task.BINARY:
            return {"prediction": int(predicted), "score": score}, int(label)
        if self.task is Task.MULTICLASS:
            names, sure = ["cat", "dog"], max(score, 1.0 - score)
            probabilities = {names[predicted]: sure, names[not predicted]: 1.0 - sure, "eel": 0.0}
            return {"prediction": names[predicted], "probabilities": probabilities}, names[label]
        return {"prediction": 100.0 * score}, 100.0 * score + (10.0 if predicted != label else 1.0)


def alerts(feed: Feed) -> list[Alert]:
    """Return what is told by labels of a stream, from the change on and as long as there are predictions."""
    pipeline, records = Pipeline(CONFIGURATIONS[feed.task], partition=0), list(feed.records())
    found = [
        alert
        for start in range(0, len(records), 500)
        for alert in pipeline.process(records[start : start + 500], {}).alerts
    ]
    seconds = CHANGE, CHANGE + feed.slower * (feed.events - CHANGE)
    begins, ends = (START + 1000 * second for second in seconds)
    return [alert for alert in found if alert.kind in FROM_LABELS and begins <= alert.event_time < ends]


def pages(told: list[Alert]) -> list[Alert]:
    return [a for a in told if a.state is AlertState.FIRING and a.severity is not Severity.INFO]


FEEDS: Final = {
    "labels of positives alone": Feed(soon, lambda delays, _, labels: np.where(labels, delays, np.inf)),
    "labels of positives alone, at once": Feed(at_once, lambda delays, _, labels: np.where(labels, delays, np.inf)),
    "right ones later": Feed(soon, lambda delays, wrong, _: np.where(wrong, delays, 10 * delays)),
    "all sooner": Feed(errors_late, lambda delays, _wrong, _labels: delays / 10.0, seed=4),
    "a tenth of the traffic": Feed(errors_late, slower=10.0),
    **{
        f"{name}, {task}": replace(feed, task=task)
        for task in (Task.MULTICLASS, Task.REGRESSION)
        for name, feed in {
            "right ones later": Feed(soon, lambda delays, wrong, _: np.where(wrong, delays, 10 * delays)),
            "all sooner": Feed(errors_late, lambda delays, _wrong, _labels: delays / 10.0, seed=4),
            "a tenth of the traffic": Feed(errors_late, slower=10.0),
        }.items()
    },
}


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_how_labels_come_is_no_page_about_what_they_tell(feed: Feed) -> None:
    told = alerts(feed)
    assert pages(told) == []
    assert any("labels" in alert.message.rpartition("for information, as ")[2] for alert in told)


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_mutant_that_takes_labels_as_they_come_is_found(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparable, "doubt", lambda *_: "")
    assert pages(alerts(feed))


@pytest.mark.parametrize("task", Task)
@pytest.mark.parametrize(("delays", "later"), [(at_once, 0), (soon, 0), (errors_late, 800)])
def test_what_is_worse_is_told_as_soon_as_without_a_doubt(
    delays: Delays, later: int, task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But where errors show late: then labels are missing as well, and it is told when these have mostly come."""
    feed = Feed(delays, worse=CHANGE, task=task)
    told = pages(alerts(feed))[0]
    monkeypatch.setattr(comparable, "doubt", lambda *_: "")
    without = pages(alerts(feed))[0]
    assert without.event_time <= told.event_time <= without.event_time + 1000 * later
    # Of a regression it is the mean of losses that differ, which takes more of them.
    assert without.event_time < START + 1000 * (CHANGE + (600 if task is Task.REGRESSION else 500))


def test_labels_that_go_on_to_take_longer_hide_what_is_worse_only_for_a_time() -> None:
    feed = replace(FEEDS["right ones later"], worse=CHANGE + 4000, events=EVENTS + 4000)
    page = pages(alerts(feed))[0]
    assert START + 1000 * feed.worse <= page.event_time < START + 1000 * (feed.worse + 4000)


@given(st.integers(0, 2**32), st.sampled_from([0.0, 10.0, 1e3, 1e7]), st.sampled_from([1, 50, 10_000]))
def test_what_has_arrived_is_what_has_by_the_ages_of_a_cohort(seed: int, takes: float, width: int) -> None:
    random, curve = np.random.default_rng(seed), np.zeros(1, CURVE)[0]
    delays = np.floor(random.exponential(takes, 2000)) if takes else np.zeros(2000)
    losses = random.random(2000)
    for delay, loss in zip(delays, losses, strict=True):
        learn(curve, delay, loss, 0.0, np.nan, np.nan)
    began = 1_000_000
    for now in (began - 1, began, began + width // 2, began + width, began + int(takes), began + 10**9):
        ages = now - np.linspace(began, began + width - 1, 200)
        is_there = (delays[:, None] <= np.floor(ages)[None, :]).mean(axis=1)
        for column, values in ((ALL, np.ones(2000)), (LOSS, losses)):
            expected = float((values * is_there).sum())
            assert arrived(curve, column, began, began + width - 1, now) == pytest.approx(expected, abs=0.06 * 2000)
    assert arrived(curve, LOSS, began, began, began + 10**10) == pytest.approx(losses.sum())
