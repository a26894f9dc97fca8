"""The joined pairs of a version, as rows show them to what watches them."""

from __future__ import annotations

import math
from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.models.arena import Arena
from driftline.models.kernels.version import NONE, paired
from driftline.models.performance import BinaryScoring, ClassSet, MulticlassScoring, RegressionScoring
from driftline.models.watch.profile import Profile
from driftline.models.watch.slices import Slice, class_keys
from driftline.models.watch.truth_watch import TruthWatch, read_scored
from driftline.models.watch.version_watch import quarter
from driftline.schemas.config import ModelConfig, Task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from driftline.models.drift.finding import Finding
    from driftline.models.join.entry import Pending, Truth
    from driftline.models.performance import Scoring

    Draw = Callable[[Random], tuple[Pending, Truth]]

REFERENCE: Final = 1000
KEYS: Final = {Slice("region", name): 10 + number for number, name in enumerate(("eu", "us", "asia", "rare"))}
SCORINGS: Final[dict[Task, Scoring[Any]]] = {
    Task.BINARY: BinaryScoring(ClassSet([0, 1])),
    Task.MULTICLASS: MulticlassScoring(ClassSet(["a", "b", "c"])),
    Task.REGRESSION: RegressionScoring(),
}


def new(task: Task, **config: Any) -> TruthWatch:  # noqa: ANN401 - fields of a configuration
    arena = Arena()
    # All pairs are of one moment: no day is to be covered first.
    reference = {"events": REFERENCE, "min_span": "0s", **config.pop("reference", {})}
    detectors = {"label": [], **config.pop("detectors", {})}
    config |= {"reference": reference, "detectors": detectors}
    profile = Profile(task, SCORINGS[task], {})
    return TruthWatch(profile, "1", ModelConfig(model_id="m", **config), arena, arena.versions.allocate())


def is_large(finding: Finding) -> bool:
    """Return whether a finding is large enough to be told."""
    return finding.effect.value >= finding.min_effect


def feed(
    watch: TruthWatch,
    task: Task,
    pairs: Iterable[tuple[Pending, Truth]],
    keys: Mapping[Slice, int] = KEYS,
    told: Callable[[Finding], bool] = is_large,
) -> list[Finding]:
    """Return the findings that are told."""
    found: list[Finding] = []
    attention = np.zeros((8, 3), np.int64)
    arena = watch._arena  # noqa: SLF001 - what a row would say of the watch
    for pending, truth in pairs:
        cell = SCORINGS[task].cell(truth.label, pending.prediction)
        assert cell is not None
        loss, score, value, _ = read_scored(SCORINGS[task], cell, pending.score, pending, truth)
        watch.reserve(1)
        banks, place = arena.banks, (pending.at, pending.offset, truth.offset)
        of_label = (NONE, NONE) if task is Task.REGRESSION else divmod(cell, 3 if task is Task.BINARY else 4)
        parts = (keys[Slice(*named)] for named in (pending.segments or {}).items())
        seen = (loss, math.nan if score is None else score, value, *of_label, math.nan, np.array([7, *parts], np.int32))
        of_streams = (
            banks.samples,
            banks.pages,
            banks.slices,
            banks.gaps,
            banks.psis,
            banks.shares,
            banks.residuals,
            banks.ranked,
            banks.frequencies,
            banks.trails,
            banks.seasons,
        )
        version = banks.versions[watch._index]  # noqa: SLF001 - as above
        noted = paired(version, *seen, *of_streams, *place, attention)
        events = watch._config.reference.events  # noqa: SLF001 - as above
        if watch.pairs in {quarter(events), events}:
            watch.advance(pending.at, {**keys, **(class_keys(["a", "b", "c"]) if task is Task.MULTICLASS else {})})
        attended = (
            arena.streams.owner(bank, index).attend(what, *place) for bank, index, what in attention[:noted].tolist()
        )
        found += (finding for finding in attended if finding is not None)
    return list(filter(told, found))


def draw(draw_one: Draw, size: int, seed: int = 1) -> list[tuple[Pending, Truth]]:
    random = Random(seed)
    return [draw_one(random) for _ in range(size)]
