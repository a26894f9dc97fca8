"""What ``state.json`` must say, computed in a batch from the files, and how it differs from what it says.

Nothing of Driftline is imported here: the rules are those of the design.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.join import Join, meaning
from tests.oracle.metrics import Pair, Report, binary, multiclass, performance, quantiles, regression
from tests.oracle.reading import Bad, Labelled, Predicted, Ranges, read
from tests.streams_of_events import Files

_TASKS: dict[str, Callable[[Sequence[Pair]], Report]] = {
    "binary": binary,
    "multiclass": multiclass,
    "regression": regression,
}


@dataclass(frozen=True)
class Watched:
    """What the configuration says of every model: milliseconds, pairs, and ranges of features."""

    tasks: Mapping[str, str]
    classes: Mapping[str, frozenset[object]]
    ranges: Ranges
    timeout: int = 7 * 86_400_000
    max_pending: int = 1_000_000
    window: int = 10_000


@dataclass
class Seen:
    """What was seen of one model."""

    join: Join
    dead_letters: int = 0
    latencies: list[float] = field(default_factory=list)
    of_version: Counter[str] = field(default_factory=Counter)
    odd: dict[str, Counter[tuple[str, str]]] = field(default_factory=dict)
    version: str = ""
    next_offsets: dict[str, int] = field(default_factory=dict)


def states(files: Files, watched: Watched, join: type[Join] = Join) -> dict[str, Report]:
    """Return the checked part of the state document of each model."""
    models: dict[str, Seen] = {}
    watermark = 0
    for record in read(files.predictions, files.labels, watched.ranges):
        if isinstance(record, Bad):
            seen = models.get(record.model or "")
            if seen is None:
                continue
            seen.dead_letters += 1
            topic = "labels" if record.is_label else "predictions"
        else:
            watermark = max(watermark, record.at)
            if record.model not in models:
                models[record.model] = Seen(join(watched.timeout, watched.max_pending))
            seen = models[record.model]
            topic = "labels" if isinstance(record, Labelled) else "predictions"
            _take(seen, record, watermark)
        seen.next_offsets[f"driftline.{topic}"] = record.offset + 1
    return {name: _state(name, seen, watched, watermark) for name, seen in models.items()}


def _take(seen: Seen, event: Predicted | Labelled, watermark: int) -> None:
    known = seen.join.counts["predictions"]
    seen.join.take(event, watermark)
    if isinstance(event, Labelled) or seen.join.counts["predictions"] == known:
        return
    seen.version = event.version
    seen.of_version[event.version] += 1
    for name, problem in event.odd.items():
        seen.odd.setdefault(event.version, Counter())[name, problem] += 1
    if event.latency is not None:
        seen.latencies.append(event.latency)


def _state(name: str, seen: Seen, watched: Watched, watermark: int) -> Report:
    pairs = seen.join.pairs
    classes = watched.classes.get(name)
    scored = [pair for pair in pairs if classes is None or meaning(pair[1].answer) in classes]
    counts = seen.join.closed(watermark)
    problems = ("missing", "wrong_type", "non_finite", "out_of_range", "unseen")
    odd = seen.odd.get(seen.version, Counter())
    return {
        "task": watched.tasks[name],
        "model_version": seen.version,
        "next_offsets": seen.next_offsets,
        "counts": {**counts, "outside_labels": len(pairs) - len(scored), "dead_letters": seen.dead_letters},
        "performance": performance(_TASKS[watched.tasks[name]], scored, watched.window) if scored else {},
        "label_delay": quantiles([(label.at - prediction.at) / 1000 for prediction, label in pairs]),
        "serving_latency": quantiles(seen.latencies),
        "features": {
            feature: {
                "kind": "numeric",
                "count": seen.of_version[seen.version],
                **{problem: odd[feature, problem] for problem in problems},
            }
            for feature in watched.ranges
        },
    }


def differences(expected: Mapping[str, Any], found: Mapping[str, Any], *, roc_auc: float = 1e-4) -> list[str]:
    """Name every value that is not as expected: counts must be equal and metrics agree to 1e-9.

    ROC-AUC comes from bins, and from few of them for parts of a model, so that parts of a few hundred pairs may need a
    larger tolerance. More models and sections may be found than expected, but no more keys in one.
    """
    return [
        f"{model}.{difference}"
        for model, sections in expected.items()
        for name, section in sections.items()
        for difference in _differences(name, section, found.get(model, {}).get(name), roc_auc)
    ]


def _differences(where: str, expected: Any, found: Any, roc_auc: float) -> Iterator[str]:  # noqa: ANN401 - JSON
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key in [*expected, *(key for key in found if key not in expected)]:
            yield from _differences(f"{where}.{key}", expected.get(key, "absent"), found.get(key, "absent"), roc_auc)
    elif not _agree(where.rpartition(".")[2], expected, found, roc_auc):
        yield f"{where}: {expected!r} expected, {found!r} found"


def _agree(name: str, expected: Any, found: Any, roc_auc: float) -> bool:  # noqa: ANN401 - JSON
    if found is None:
        return isinstance(expected, float) and math.isnan(expected)
    if not isinstance(expected, float) or not isinstance(found, int | float):
        return bool(expected == found)
    if name in {"p50", "p90", "p99"}:
        return abs(found - expected) <= 0.01 * expected + 1e-9
    return abs(found - expected) <= (roc_auc if name == "roc_auc" else 1e-9 * max(1.0, abs(expected)))
