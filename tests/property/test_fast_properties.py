"""Records that are read into columns lead to what they lead to one by one: the same state, entries and alerts."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.client import batches
from driftline.models.arena import Arena
from driftline.models.drift.listener import Listener
from driftline.models.fast.book import Book
from driftline.models.fast.meanings import Meanings
from driftline.models.fast.returning import fold
from driftline.models.intake import Intake
from driftline.models.join.joins import Joins
from driftline.models.join.payload_cache import PayloadCache
from driftline.models.kernels.ids import NONE
from driftline.models.pipeline import Pipeline
from driftline.models.reading import Reading
from driftline.models.record import FileRecord
from driftline.models.watch.feature import Feature
from driftline.models.watch.quality import Problem
from driftline.schemas.batches import LabelBatch, PredictionBatch
from driftline.schemas.config import parse_configuration
from driftline.schemas.errors import DecodeError
from driftline.schemas.events import Label, Prediction
from driftline.schemas.topics import LABELS, PREDICTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from driftline.models.join.entry import Pending
    from driftline.models.kernels.join_table import Table
    from driftline.models.watch.known import Known
    from driftline.schemas.config import Configuration

START = 1_767_225_600_000
KINDS: Final = ["cat", "dog", "bird", "cow"]
OF_A_MOMENT: Final = {
    "events": 200,
    "min_span": "0s",
    "label_delay": "0s",
}  # the others are early in all of these streams
OF_MANY: Final = {"events": 300, "min_span": "0s", "label_delay": "0s"}
MODELS: Final[list[dict[str, Any]]] = [
    {"model_id": "m", "segments": ["region", "tier"], "reference": OF_MANY, "window": 200},
    {
        "model_id": "n",
        "label_timeout": "3s",
        "max_pending": 40,
        "reference": {"events": 200, "label_delay": "0s"},
        "window": 100,
    },
    {"model_id": "numbers", "task": "regression", "segments": ["tier"], "reference": OF_A_MOMENT, "window": 150},
    {"model_id": "kinds", "classes": KINDS, "segments": ["region"], "reference": OF_A_MOMENT, "window": 150},
    {
        "model_id": "c",
        "segments": ["tier"],
        "reference": OF_A_MOMENT,
        "features": {"code": {"kind": "categorical"}},
    },
    {
        "model_id": "only",
        "label_timeout": "3s",
        "max_pending": 40,
        "reference": {"events": 150, "label_delay": "0s"},
        "window": 100,
    },
]
CONFIGURATION = parse_configuration({"models": MODELS})
ON_ALL: Final = ["numeric", "score", "error", "residual"]
CATEGORIES: Final = {"z": {"kind": "categorical"}}
IN_PYTHON: Final[dict[str, dict[str, Any]]] = {
    "detectors": {
        "detectors": {"river": [{"name": "PageHinkley", "on": ON_ALL, "parameters": {"threshold": 5}}, {"name": "DDM"}]}
    },
    "estimator": {"challenger": "naive_bayes.GaussianNB"},
    "share": {"challenger": {"estimator": "auto", "sampling_rate": 0.5}},
}
"""What a model may be configured to have that no kernel has."""


def intake_of_files() -> Intake:
    return Intake({PREDICTIONS: Prediction, LABELS: Label}, partitions=None)


MIXES: Final = {
    "numbers": ["m", "m", "n"],
    "categories": ["m", "c", "c", "only"],
    "tasks": ["numbers", "numbers", "kinds", "n"],
}
"""Which models have events, and how many; two have features that are categories, of which one has no others."""

STRANGE: Final[list[Any]] = [
    *(None, "é", 'say "a"', "back\\slash", "tab\t", "\x7f", "null", "nowhere", "c" * 300, "c" * 2000, "c" * 5000),
    *(-0.0, 7, 2**70, 1e300, True, [], {}, ["bern"], "bern ", "true"),
]
"""What a category may be in place of one of the usual ones."""

CITIES: Final = ["bern", "rome", "new york", "oslo", "", "c" * 70]
CODES: Final[list[Any]] = [0, 1, 20, 3.5, 12345678901234567890, True, False, "x"]
USERS: Final = [f"user-{n}" for n in range(90)]
MOST_CATEGORIES: Final = 50  # so that users are more than are remembered
MOST_PAYLOADS: Final = 20  # so that most labels find their predictions in the store after a checkpoint


@pytest.fixture(scope="module", autouse=True)
def _little_memory() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("driftline.models.watch.feature._MOST_CATEGORIES", MOST_CATEGORIES)
        patch.setattr(PayloadCache.__init__, "__defaults__", (MOST_PAYLOADS, 2**40))
        yield


class Traffic:
    """A service that writes its records alike, and now and then one that is not."""

    def __init__(self, seed: int, mix: str = "numbers") -> None:
        self.random = Random(seed)
        self.models = MIXES[mix]
        self.offsets = {PREDICTIONS: 0, LABELS: 0}
        self.waiting: list[tuple[str, str, object]] = []
        self.shift = 0.0

    def record(self, topic: str, value: bytes, at: int) -> FileRecord:
        offset = self.offsets[topic]
        self.offsets[topic] += 1
        return FileRecord(topic, offset, value, timestamp=at)

    def records(self, count: int) -> Iterator[FileRecord]:
        for n in range(count):
            at = START + 20 * n + self.random.choice([0, 0, 0, -35, 7])
            if n == count // 2:
                self.shift = 2.5
            yield self.record(PREDICTIONS, self.prediction(n, at), at)
            if len(self.waiting) > self.random.choice([1, 30, 60]):
                yield self.record(LABELS, self.label(at), at)

    def prediction(self, n: int, at: int) -> bytes:
        draw = self.random.random
        model = self.random.choice(self.models)
        x = self.random.gauss(0, 1)
        score = 1 / (1 + math.exp(-x))
        event: dict[str, Any] = {
            "model_id": model,
            "model_version": "1" if n < 3000 or draw() < 0.1 else "2",
            "prediction_id": f"p{n}" if draw() < 0.99 else f"p{self.random.randrange(n + 1)}",
            "timestamp": at
            if model == "m"
            else f"2026-01-01T00:{at // 60_000 % 60:02}:{at // 1000 % 60:02}.{at % 1000:03}Z",
            "prediction": self.answer(model, x),
            "score": score,
            "features": {"x": x + self.shift, "y": round(self.random.gauss(40, 9), 3), "z": self.random.randrange(9)},
            "segments": {"region": self.random.choice(["eu", "us"]), "tier": self.random.choice("abc")},
            "latency_ms": round(draw() * 9, 3),
        }
        if "numbers" in self.models and model in {"kinds", "n"}:
            self.tell(event, score)
        if model in {"c", "only"}:
            event["features"] = self.categories(event["features"] if model == "c" else {})
        self.waiting.append((model, event["prediction_id"], self.truth(model, x)))
        self.spoil(event)
        return json.dumps(event, separators=(",", ":") if model == "m" else None).encode()

    def answer(self, model: str, x: float) -> object:
        """Return what a model predicts."""
        if model == "numbers":
            return self.random.choice([x, x, x * 1e-9, 1e6 + x, round(x), round(x * 1e4)])
        return KINDS[int(abs(3 * x)) % 4] if model == "kinds" else int(x > 0)

    def truth(self, model: str, x: float) -> object:
        """Return what comes to be known of a prediction."""
        if model == "numbers":
            return self.random.choice([x + self.random.random(), round(x), round(1e6 + x, 2)])
        if model == "kinds":
            return KINDS[int(abs(3 * x) + 1.2 * self.random.random()) % 4]
        return int(self.random.random() < 1 / (1 + math.exp(-x)))

    def tell(self, event: dict[str, Any], score: float) -> None:
        """Give probabilities of classes, mostly, in place of the score of a binary model."""
        share = round(1 - score, 3)
        if event["model_id"] == "n":
            both = {"1": score, "0": share}
            told: dict[str, Any] = self.random.choice([both, {"0": share}, {"true": score}, {"0": 1, "1": 0}])
        else:
            told = dict.fromkeys(KINDS, share / 4) | {event["prediction"]: score}
        if self.random.random() < 0.8:
            event["probabilities"] = told
            if self.random.random() < 0.9:
                del event["score"]
        match self.random.randrange(100):
            case 0:
                told.clear()
            case 1:
                told["other"] = 0.25
            case 2:
                told[next(iter(told))] = self.random.choice([-0.1, -0.0, 1.5, None, "half", 1e-300])
            case _:
                pass

    def categories(self, numbers: dict[str, Any]) -> dict[str, Any]:
        """Return features of which most are categories: some of few values, one of many, and one that is renamed."""
        city = "town" if self.shift and numbers and self.random.random() < 0.25 else "city"
        cities = [*CITIES, "lima", "2"] if self.shift else CITIES
        features = {city: self.random.choice(cities), **numbers, "flag": self.random.choice([True, True, False])}
        if numbers:
            features |= {"code": self.random.choice(CODES), "user": self.random.choice(USERS)}
            if self.random.randrange(80) == 0:
                features[self.random.choice([city, "code", "user", "flag"])] = self.random.choice(STRANGE)
        return features

    def spoil(self, event: dict[str, Any]) -> None:  # noqa: C901, PLR0912 - a table
        """Make one in ten records something that is rare."""
        match self.random.randrange(140):
            case 0:
                event["features"]["x"] = self.random.choice([None, "nine", True, 1e200, 10**25, -0.0])
            case 1:
                event["features"]["y"] = None
            case 2:
                event["features"].pop("z", None)
            case 3:
                event["features"]["new"] = 1
            case 4:
                event["segments"]["tier"] = self.random.choice([None, 7, "é", 'say "a"', "d"])
            case 5:
                event["score"] = self.random.choice([None, 0, 1, 1.5, "high"])
            case 6:
                event["prediction"] = self.random.choice([True, "1", "maybe", 1.0, None, -0.0, 2**53, 2**53 + 2, 1e101])
            case 7:
                event["prediction_id"] = self.random.choice(["", "é", "a" * 257, "tab\t", 7])
            case 8:
                event["timestamp"] = self.random.choice(
                    [-1, "2026-02-30T00:00:00.000Z", "2026-01-01T00:00:05+01:00", 2**60]
                )
            case 9:
                event["latency_ms"] = self.random.choice([None, 0, -1, 1e101])
            case 10:
                event["unknown"] = 1
            case 11:
                event["probabilities"] = self.random.choice([None, {"1": 0.25, "0": 0.75}])
            case 12:
                event["model_version"] = self.random.choice(["3", "", 3])
            case 13:
                event["schema_version"] = self.random.choice([1, 2])
            case _:
                pass

    def label(self, at: int) -> bytes:
        model, prediction_id, label = self.waiting.pop(self.random.choice([0, 0, 0, -1]))
        event: dict[str, Any] = {"model_id": model, "prediction_id": prediction_id, "timestamp": at, "label": label}
        match self.random.randrange(80):
            case 0:
                event["label"] = self.random.choice([True, "0", "unknown", None, 1.0, -0.0, 2**53, -(2**53), 1e-300])
            case 1:
                event["weight"] = self.random.choice([0.5, 1.0, None])
            case 2:
                other = {"numbers": label, "kinds": "dog"}.get(model, label == 0)
                self.waiting.append((model, prediction_id, self.random.choice([label, other])))
            case 3:
                event["prediction_id"] += "?"
            case _:
                pass
        return json.dumps(event, separators=(",", ":")).encode()


class Run:
    """A pipeline with a dict for a store, restarted whenever it is saved at a moment that says so."""

    def __init__(self, *, in_columns: bool, configuration: Configuration = CONFIGURATION) -> None:
        self.in_columns = in_columns
        self.configuration = configuration
        self.intake = intake_of_files()
        self.pipeline = Pipeline(configuration, partition=0)
        self.store: dict[bytes, bytes] = {}
        self.snapshots: dict[str, bytes] = {}
        self.told: list[str] = []
        self.columns: Counter[str] = Counter()  # records that were read into them, by model
        self.loaded = self.one_by_one = 0

    def take(self, raws: Sequence[FileRecord]) -> None:
        if self.in_columns:
            batch = self.pipeline.read(raws, self.intake)
            models = self.pipeline._by_join  # noqa: SLF001 - to tell whose they are
            read = batch.rows["join"][batch.columns["template"] != NONE]
            self.columns.update(models[join].model_id for join in read.tolist())
        else:
            batch = Reading.read(raws, self.intake, Book(Arena(), Joins()), {})
        needed = self.pipeline.needed(batch)
        self.loaded += len(needed)
        outcome = self.pipeline.process(batch, {key: self.store[key] for key in needed})
        self.told += [event.model_dump_json() for event in (*outcome.alerts, *outcome.retrain_requests)]
        self.told += [repr(letter) for letter in outcome.dead_letters]
        self.told.append(str(outcome.joined))
        self.one_by_one += outcome.one_by_one

    def save(self, *, restart: bool) -> None:
        changes = self.pipeline.changes()
        self.store |= changes.entries
        for key in changes.dropped:
            self.store.pop(key, None)
        self.snapshots |= changes.snapshots
        self.pipeline.saved()
        if restart:
            self.pipeline = Pipeline(self.configuration, partition=0)
            self.pipeline.restore(changes.position)
            for model_id, snapshot in self.snapshots.items():
                self.pipeline.restore_model(model_id, snapshot)
            self.pipeline.restore_entries(list(self.store.items()))


@pytest.mark.parametrize("mix", MIXES)
@settings(max_examples=12)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 900), min_size=6, max_size=20), st.sets(st.integers(0, 19)))
def test_columns_change_nothing(mix: str, seed: int, cuts: list[int], saves: set[int]) -> None:
    raws = list(Traffic(seed, mix).records(4000))
    slow, fast = Run(in_columns=False), Run(in_columns=True)
    start = 0
    for n, size in enumerate([*cuts, len(raws)]):
        chunk = raws[start : start + size]
        start += size
        for run in (slow, fast):
            run.take(chunk)
            if n in saves:
                run.save(restart=n % 3 == 0)
        assert fast.told == slow.told
    for run in (slow, fast):
        run.save(restart=False)
    assert fast.pipeline.documents() == slow.pipeline.documents()
    assert fast.snapshots == slow.snapshots
    assert fast.store == slow.store


def both(traffic: Traffic) -> tuple[Run, Run]:
    """Take the same records one by one and in columns, and save."""
    raws = list(traffic.records(4000))
    slow, fast = Run(in_columns=False), Run(in_columns=True)
    for run in (slow, fast):
        for start in range(0, len(raws), 300):
            run.take(raws[start : start + 300])
        run.save(restart=False)
    return slow, fast


def test_a_mutant_that_forgets_what_the_challenger_was_shown_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(table: Table, *_: object) -> None:
        table.payloads["row"] = NONE  # or a label would be looked up among rows that are gone

    monkeypatch.setattr("driftline.models.maker.keep_inputs", forget)
    slow, fast = both(Traffic(1))
    assert fast.snapshots != slow.snapshots
    assert fast.store != slow.store


@pytest.mark.parametrize("mix", MIXES)
def test_labels_of_predictions_in_the_store_need_no_python(mix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or each would cost ten times as much as another; what comes of them is the same."""
    raws = list(Traffic(4, mix).records(4000))
    runs = []
    for fold_or_not in (fold, lambda *_: None):
        monkeypatch.setattr("driftline.models.pipeline.fold", fold_or_not)
        run = Run(in_columns=True)
        for start in range(0, len(raws), 50):
            run.take(raws[start : start + 50])
            run.save(restart=False)
        runs.append(run)
    folded, left = runs
    assert folded.loaded == left.loaded > 1000
    assert folded.one_by_one < left.one_by_one - folded.loaded / 3  # the others are of versions that begin, or rare
    assert (folded.told, folded.snapshots, folded.store) == (left.told, left.snapshots, left.store)


def test_a_mutant_that_loses_probabilities_in_the_store_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    raws = list(Traffic(4, "tasks").records(3000))
    of = Meanings.of

    def without(meanings: Meanings, pending: Pending, known: Known) -> tuple[Any, ...] | None:
        names = of(meanings, pending, known)
        return None if names is None else (*names[:-3], NONE, 0, NONE)

    ends = []
    for meaning in (of, without):
        monkeypatch.setattr(Meanings, "of", meaning)
        run = Run(in_columns=True)
        for start in range(0, len(raws), 50):
            run.take(raws[start : start + 50])
            run.save(restart=False)
        ends.append(run.snapshots)
    assert ends[0] != ends[1]


def test_a_mutant_that_takes_any_category_for_one_that_is_known_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    category = Feature.category

    def careless(feature: Feature, value: object) -> tuple[int, float] | None:
        meaning = category(feature, value)
        return None if meaning is None else (Problem.FINE, meaning[1])

    monkeypatch.setattr(Feature, "category", careless)
    slow, fast = both(Traffic(3, "categories"))
    assert fast.snapshots != slow.snapshots
    assert fast.pipeline.documents() != slow.pipeline.documents()


def test_a_feature_that_is_said_to_be_a_category_is_still_a_number_to_its_challenger() -> None:
    """Of the new version; the challenger was made when it was none."""
    raws = list(Traffic(3).records(6000))
    later = parse_configuration({"models": [fields | {"features": CATEGORIES} for fields in MODELS]})
    slow, fast = Run(in_columns=False), Run(in_columns=True)
    for n, start in enumerate(range(0, len(raws), 300)):
        for run in (slow, fast):
            if n == 6:
                run.configuration = later
            run.take(raws[start : start + 300])
            run.save(restart=n in {6, 30})
            if n == 30:  # from here on the new version has no reference to come
                run.columns.clear()
        assert fast.told == slow.told
    assert fast.snapshots == slow.snapshots
    assert fast.store == slow.store
    assert fast.pipeline.documents()["m"].features["z"]["kind"] == "categorical"
    assert fast.columns["m"] > 500


@pytest.mark.parametrize("mix", MIXES)
def test_most_records_are_read_into_columns(mix: str) -> None:
    """Or the test above would test nothing."""
    fast = Run(in_columns=True)
    raws = list(Traffic(1, mix).records(6000))
    for start in range(0, len(raws), 500):
        fast.take(raws[start : start + 500])
    assert fast.columns.total() > len(raws) / 3
    assert fast.columns.keys() == set(MIXES[mix])


class Heard:
    """What detectors of River are fed, by the order in which they were met."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.by_listener: dict[Listener, list[tuple[int, float]]] = {}
        update = Listener.update

        def noting(listener: Listener, value: float, count: int) -> None:
            self.by_listener.setdefault(listener, []).append((count, value))
            update(listener, value, count)

        monkeypatch.setattr(Listener, "update", noting)

    def take(self) -> list[list[tuple[int, float]]]:
        """Return it, and forget it."""
        heard, self.by_listener = list(self.by_listener.values()), {}
        return heard


@pytest.mark.parametrize("model", [0, 1])
@pytest.mark.parametrize("what", IN_PYTHON)
def test_what_no_kernel_has_is_left_to_python(what: str, model: int, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [fields | IN_PYTHON[what] if n == model else fields for n, fields in enumerate(MODELS)]
    configuration = parse_configuration({"models": models})
    raws = list(Traffic(model).records(4500))
    heard = Heard(monkeypatch)
    ends = []
    for run in (Run(in_columns=False, configuration=configuration), Run(in_columns=True, configuration=configuration)):
        for nth, start in enumerate(range(0, len(raws), 700)):
            run.take(raws[start : start + 700])
            run.save(restart=what != "detectors" and nth == 4)  # or a detector would be another object
        run.save(restart=False)
        ends.append((run.told, run.pipeline.documents(), run.snapshots, run.store, heard.take()))
    slow, fast = ends
    assert run.columns.keys() == {"m", "n"} - {MODELS[model]["model_id"]}
    assert run.columns.total() > 1000
    assert fast == slow
    check_that_each_value_was_heard_once(fast[-1], fast[1][MODELS[model]["model_id"]].detectors, what)


def check_that_each_value_was_heard_once(
    heard: list[list[tuple[int, float]]], reports: dict[str, dict[str, Any]], what: str
) -> None:
    for values in heard:
        assert [count for count, _ in values] == list(range(1, len(values) + 1))
    counts = {report["count"] for name, report in reports.items() if "river:" in name}
    assert counts <= {len(values) for values in heard}
    assert bool(counts) is bool(heard) is (what == "detectors")


@pytest.mark.parametrize(("names", "mix"), [(64, "numbers"), (64, "categories"), (150, "categories")])
def test_a_full_book_begins_anew_and_nothing_changes(names: int, mix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("driftline.models.fast.book.MOST_NAMES", names + 80)
    slow, fast = both(Traffic(2, mix))
    assert fast.told == slow.told
    assert fast.snapshots == slow.snapshots
    assert fast.store == slow.store


def batches_of(raws: Sequence[FileRecord], random: Random) -> list[FileRecord]:
    """Return the same events with runs of one kind, model and version in one record each, where that can be."""
    found: list[FileRecord] = []
    offsets = {PREDICTIONS: 0, LABELS: 0}
    groups: list[tuple[tuple[str, object, object], list[dict[str, Any]]]] = []
    for raw in sorted(raws, key=lambda raw: (raw.timestamp or 0) // 700):
        event = json.loads(raw.value or b"")
        key = raw.topic, event.get("model_id"), event.get("model_version")
        if groups and groups[-1][0] == key and len(groups[-1][1]) < random.choice([3, 40]):
            groups[-1][1].append(event)
        else:
            groups.append((key, [event]))
    for (topic, _, _), events in groups:
        found.append(FileRecord(topic, offsets[topic], value_of(events), timestamp=START + 10**9))
        offsets[topic] += 1
    return found


def value_of(events: list[dict[str, Any]]) -> bytes:
    if len(events) == 1:
        return json.dumps(events[0]).encode()
    own: dict[str, Any] = {name: events[0].get(name) for name in ("model_id", "model_version") if name in events[0]}
    batch: dict[str, Any] = {**own, "rows": len(events)}
    names = dict.fromkeys(name for event in events for name in event if name not in {*own, "unknown", "schema_version"})
    for name in names:
        if name in {"features", "segments", "probabilities"}:
            entries = dict.fromkeys(entry for event in events for entry in event.get(name) or ())
            batch[name] = {entry: [(event.get(name) or {}).get(entry) for event in events] for entry in entries}
        else:
            batch[name] = [event.get(name) for event in events]
    return json.dumps(batch).encode()


def in_arrow(raw: FileRecord) -> FileRecord:
    """Return a batch as Arrow, if it is one and the client would send it."""
    fields = json.loads(raw.value or b"")
    if "rows" not in fields:
        return raw
    del fields["rows"]
    try:
        (encoded,) = batches.records(PredictionBatch if raw.topic == PREDICTIONS else LabelBatch, fields)
    except DecodeError:
        return raw
    return replace(raw, value=encoded.value, headers=encoded.headers)


@pytest.mark.parametrize(
    ("mix", "form"),
    [("numbers", "json"), ("categories", "json"), ("categories", "arrow"), ("tasks", "json"), ("tasks", "arrow")],
)
@settings(max_examples=10)
@given(st.integers(0, 2**32), st.sets(st.integers(0, 19)))
def test_columns_of_batches_change_nothing(mix: str, form: str, seed: int, saves: set[int]) -> None:
    raws = batches_of(list(Traffic(seed, mix).records(4000)), Random(seed))
    if form == "arrow":
        raws = list(map(in_arrow, raws))
    slow, fast = Run(in_columns=False), Run(in_columns=True)
    for n, start in enumerate(range(0, len(raws), 150)):
        for run in (slow, fast):
            run.take(raws[start : start + 150])
            if n in saves:
                run.save(restart=n % 3 == 0)
        assert fast.told == slow.told
    for run in (slow, fast):
        run.save(restart=False)
    assert fast.pipeline.documents() == slow.pipeline.documents()
    assert fast.snapshots == slow.snapshots
    assert fast.store == slow.store


@pytest.mark.parametrize("mix", MIXES)
def test_most_rows_of_batches_are_read_into_columns(mix: str) -> None:
    """Or the test above would test nothing."""
    fast = Run(in_columns=True)
    raws = batches_of(list(Traffic(1, mix).records(6000)), Random(1))
    rows = 0
    for start in range(0, len(raws), 100):
        reading = fast.pipeline.read(raws[start : start + 100], fast.intake)
        rows += len(reading)
        fast.take(raws[start : start + 100])
    assert fast.columns.total() > rows / 3
